//! A file as the rest of the application sees it.

use clipqueue_entities::{MediaId, Timestamp, UserId, media};
use media_probe::{Facts, PhotoFacts, rules::Verdict};

use crate::media::{MediaError, MediaState};

/// How the types of photos begin; it says which facts are stored.
const PICTURES: &str = "image/";

/// One file of a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// Its id.
    pub id: MediaId,
    /// The tenant.
    pub user_id: UserId,
    /// Where it stands.
    pub state: MediaState,
    /// The name that the client gave.
    pub filename: Option<String>,
    /// The type that the client gave.
    pub declared_type: Option<String>,
    /// The client's `Upload-Metadata` as it came.
    pub metadata: Option<String>,
    /// Bytes in all.
    pub size: u64,
    /// Bytes that are durably stored.
    pub received: u64,
    /// SHA-256 in hex, once the file is whole.
    pub sha256: Option<String>,
    /// The type by content, once the file is whole.
    pub content_type: Option<String>,
    /// What a video's container says, once the file is whole and could be read.
    pub facts: Option<Facts>,
    /// What a photo's headers say, once the file is whole and could be read.
    pub photo: Option<PhotoFacts>,
    /// One verdict per TikTok rule, once the file is whole.
    pub verdicts: Vec<Verdict>,
    /// When it was announced.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When the unfinished upload ends.
    pub expires_at: Option<Timestamp>,
    /// When it became ready.
    pub ready_at: Option<Timestamp>,
    /// The folder that it lies in; empty at the top.
    pub folder: String,
    /// The tenant's note, to be taken as a caption.
    pub caption: Option<String>,
    /// The tenant's own reference.
    pub reference: Option<String>,
}

impl Media {
    /// Whether every byte has arrived.
    pub fn is_whole(&self) -> bool {
        self.received == self.size
    }

    /// Why the file was rejected, in a sentence.
    pub fn rejection(&self) -> Option<String> {
        if self.state != MediaState::Rejected {
            return None;
        }
        let reasons: Vec<String> = self
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == media_probe::rules::Outcome::Fail)
            .map(|verdict| {
                let measured = verdict.measured.as_deref().unwrap_or("unknown");
                let fix = verdict.fix.as_deref().unwrap_or_default();
                format!("{measured}, but TikTok takes {}. {fix}", verdict.allowed)
            })
            .collect();
        Some(if reasons.is_empty() {
            "its SHA-256 is not the announced one".to_owned()
        } else {
            reasons.join(" ")
        })
    }
}

impl TryFrom<media::Model> for Media {
    type Error = MediaError;

    fn try_from(row: media::Model) -> Result<Self, Self::Error> {
        let pictured = row
            .content_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with(PICTURES));
        let (facts, photo) = match row.facts {
            Some(facts) if pictured => (None, Some(serde_json::from_value(facts)?)),
            Some(facts) => (Some(serde_json::from_value(facts)?), None),
            None => (None, None),
        };
        Ok(Self {
            id: row.id,
            user_id: row.user_id,
            state: row.state,
            filename: row.filename,
            declared_type: row.declared_type,
            metadata: row.metadata,
            size: row.size.unsigned_abs(),
            received: row.received.unsigned_abs(),
            sha256: row.sha256,
            content_type: row.content_type,
            facts,
            photo,
            verdicts: row
                .verdicts
                .map(serde_json::from_value)
                .transpose()?
                .unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            expires_at: row.expires_at,
            ready_at: row.ready_at,
            folder: row.folder,
            caption: row.caption,
            reference: row.reference,
        })
    }
}
