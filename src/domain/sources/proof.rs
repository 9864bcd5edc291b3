//! What proves that a source is its user's. Pure.

use clipqueue_entities::verified_source as source;
use url::{Host, Url};

/// The largest file that is read; the proof is one line of it.
pub const MAX_FILE: usize = 4096;
/// What stands before the token.
const MARK: &str = "clipqueue-verification=";
/// The file's name, below the source.
const FILE: &str = "clipqueue-verification.txt";

/// How a user can prove a source; one of the two is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The name of a TXT record; none, when the host is no name.
    pub record: Option<String>,
    /// The address of a file.
    pub file: String,
    /// What the record is, or what a line of the file is.
    pub text: String,
}

/// The proof of a source.
pub fn of(row: &source::Model) -> Proof {
    let host = Url::parse(&row.origin).ok();
    let record = match host.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => Some(format!("_clipqueue.{name}")),
        _ => None,
    };
    let place = match row.prefix.as_str() {
        "/" => "/.well-known/",
        prefix => prefix,
    };
    Proof {
        record,
        file: format!("{}{place}{FILE}", row.origin),
        text: format!("{MARK}{}", row.token),
    }
}

impl Proof {
    /// Whether one of the records is the proof.
    pub fn is_in_records(&self, texts: &[String]) -> bool {
        texts.iter().any(|text| text.trim() == self.text)
    }

    /// Whether a line of the file is the proof.
    pub fn is_in_file(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        text.lines().any(|line| line.trim() == self.text)
    }
}
