//! The link to an archive: `{public_url}/exports/{token}`, where the token is the export, the end of its
//! time and a signature over both. Whoever has the link may fetch.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue_entities::{DataExportId, Timestamp};
use url::Url;
use uuid::Uuid;

use crate::{app::App, secrets::Vault};

/// Where archives are fetched, below the public address.
pub const PATH: &str = "/exports";
/// How long one link is good; the next look gives another.
pub const LIFE: Duration = Duration::from_secs(24 * 3600);
/// What the signed bytes begin with, so that the address of a photo is no link.
const KIND: &[u8; 7] = b"export\0";
/// The kind, the export and the end of its time.
const BODY: usize = KIND.len() + 16 + 8;

pub(super) fn address(app: &App, id: DataExportId, ends_at: Timestamp) -> Url {
    let mut url = app.config.http.public_url.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}{PATH}/{}", issue(&app.vault, id, ends_at)));
    url
}

fn issue(vault: &Vault, id: DataExportId, ends_at: Timestamp) -> String {
    let mut token = Vec::with_capacity(BODY + 32);
    token.extend_from_slice(KIND);
    token.extend_from_slice(id.0.as_bytes());
    token.extend_from_slice(&ends_at.as_millis().to_be_bytes());
    let signature = vault.sign_pull(&token);
    token.extend_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(token)
}

/// The export that a link was made for, unless it is not ours or its time is over.
pub(super) fn read(vault: &Vault, token: &str, now: Timestamp) -> Option<DataExportId> {
    let token = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, signature) = token.split_first_chunk::<BODY>()?;
    if !vault.pull_is_signed(body, signature) {
        return None;
    }
    let rest = body.strip_prefix(KIND.as_slice())?;
    let (id, end) = rest.split_first_chunk::<16>()?;
    let end = i64::from_be_bytes(end.try_into().ok()?);
    (now < Timestamp::from_millis(end)).then(|| DataExportId(Uuid::from_bytes(*id)))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_link_opens_its_export_until_its_end_and_no_other() {
        let vault = |byte: &str| Vault::new(&SecretString::from(byte.repeat(32))).unwrap();
        let (id, end) = (DataExportId::new(), Timestamp::from_millis(5_000));
        let token = issue(&vault("a1"), id, end);
        let at = |millis| read(&vault("a1"), &token, Timestamp::from_millis(millis));
        assert_eq!(at(4_999), Some(id));
        assert_eq!(at(5_000), None);
        assert_eq!(read(&vault("b2"), &token, Timestamp::from_millis(0)), None);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let read = read(&vault("a1"), &changed, Timestamp::from_millis(0));
            assert_eq!(read, None, "{place}");
        }
        for text in ["", "x", "%", "AAAA"] {
            assert_eq!(read(&vault("a1"), text, Timestamp::from_millis(0)), None);
        }
    }
}
