//! How far a publishing task is.

use std::fmt;

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::endpoint::Endpoint;
use crate::error::{Error, FailReason};
use crate::fields::Fields;
use crate::ids::{PostId, PublishId};
use crate::secrets::AccessToken;
use crate::text::clean;

/// Longest unknown state that is kept, in characters.
const STATE_MAX_CHARS: usize = 80;

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PublishState {
    /// Bytes are awaited, or all are there and TikTok works on them.
    ProcessingUpload,
    /// TikTok pulls the media.
    ProcessingDownload,
    /// The draft is in the creator's inbox. It becomes [`Self::PublishComplete`] if the creator posts it.
    SendToUserInbox,
    /// It is posted.
    PublishComplete,
    /// Nothing was published.
    Failed,
    /// A state that no page documents, or none at all: to be taken as in progress.
    Unknown(String),
}

impl PublishState {
    /// Reads a state.
    #[must_use]
    pub fn from_wire(text: &str) -> Self {
        match text {
            "PROCESSING_UPLOAD" => Self::ProcessingUpload,
            "PROCESSING_DOWNLOAD" => Self::ProcessingDownload,
            "SEND_TO_USER_INBOX" => Self::SendToUserInbox,
            "PUBLISH_COMPLETE" => Self::PublishComplete,
            "FAILED" => Self::Failed,
            other => Self::Unknown(clean(other, STATE_MAX_CHARS)),
        }
    }

    /// TikTok's name of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::ProcessingUpload => "PROCESSING_UPLOAD",
            Self::ProcessingDownload => "PROCESSING_DOWNLOAD",
            Self::SendToUserInbox => "SEND_TO_USER_INBOX",
            Self::PublishComplete => "PUBLISH_COMPLETE",
            Self::Failed => "FAILED",
            Self::Unknown(text) => text,
        }
    }

    /// Whether TikTok is still at it, so that asking again will tell more.
    #[must_use]
    pub fn in_progress(&self) -> bool {
        match self {
            Self::ProcessingUpload | Self::ProcessingDownload | Self::Unknown(_) => true,
            Self::SendToUserInbox | Self::PublishComplete | Self::Failed => false,
        }
    }
}

impl fmt::Display for PublishState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer about a task. TikTok leaves out what is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishStatus {
    /// Where it stands.
    pub state: PublishState,
    /// Why it failed, with [`PublishState::Failed`].
    pub fail_reason: Option<FailReason>,
    /// The public posts that came of it: none before moderation has passed and for private posts, several for a
    /// draft that was posted several times.
    pub post_ids: Vec<PostId>,
    /// Progress of an upload. Whether it counts bytes or names the last one is not documented; see
    /// [`crate::ChunkPlan::next_offset`].
    pub uploaded_bytes: Option<u64>,
    /// Progress of a pull.
    pub downloaded_bytes: Option<u64>,
}

impl Client {
    /// Asks how far a task is.
    ///
    /// # Errors
    /// [`crate::Class::NotFoundYet`] for an unknown task, which passes shortly after an init, and what any call can
    /// end in.
    pub async fn publish_status(
        &self,
        token: &AccessToken,
        publish_id: &PublishId,
    ) -> Result<Answer<PublishStatus>, Error> {
        let body = json!({ "publish_id": publish_id.as_str() });
        let opened = self
            .post_json(Endpoint::StatusFetch, token, &[], &body)
            .await?;
        opened.read(|data| Ok(read_status(&data)))
    }
}

fn read_status(data: &Fields) -> PublishStatus {
    PublishStatus {
        state: PublishState::from_wire(data.text("status").unwrap_or_default()),
        fail_reason: data.filled("fail_reason").map(FailReason::from_wire),
        post_ids: read_post_ids(data),
        uploaded_bytes: data.unsigned("uploaded_bytes"),
        downloaded_bytes: data.unsigned("downloaded_bytes"),
    }
}

/// The ids under TikTok's spelling or the right one; numbers or strings; a list or, as once seen, one alone.
fn read_post_ids(data: &Fields) -> Vec<PostId> {
    ["publicaly_available_post_id", "publicly_available_post_id"]
        .into_iter()
        .find_map(|name| data.0.get(name))
        .map(|value| match value {
            Value::Array(list) => list.iter().filter_map(PostId::from_json).collect(),
            single => PostId::from_json(single).into_iter().collect(),
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(data: &str) -> PublishStatus {
        read_status(&Fields(serde_json::from_str(data).unwrap()))
    }

    #[test]
    fn ids_come_in_many_dresses() {
        for data in [
            r#"{"publicaly_available_post_id":[7412345678901234567]}"#,
            r#"{"publicaly_available_post_id":["7412345678901234567"]}"#,
            r#"{"publicaly_available_post_id":7412345678901234567}"#,
            r#"{"publicly_available_post_id":[7412345678901234567, null, {}]}"#,
        ] {
            assert_eq!(
                read(data).post_ids,
                [PostId::from(7_412_345_678_901_234_567)],
                "{data}"
            );
        }
        for data in [
            r#"{"publicaly_available_post_id":[]}"#,
            r#"{"publicaly_available_post_id":null}"#,
            "{}",
        ] {
            assert!(read(data).post_ids.is_empty());
        }
    }

    #[test]
    fn a_sparse_failure_and_an_unknown_state() {
        let failed = read(r#"{"status":"FAILED","fail_reason":"picture_size_check_failed"}"#);
        assert_eq!(failed.state, PublishState::Failed);
        assert_eq!(failed.fail_reason, Some(FailReason::PictureSize));
        assert_eq!(failed.uploaded_bytes, None);
        let odd = read(r#"{"status":"PROCESSING","uploaded_bytes":"12"}"#);
        assert!(odd.state.in_progress());
        assert!(read("{}").state.in_progress());
    }
}
