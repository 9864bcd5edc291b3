//! Whose a TikTok account is, proved by signing in at TikTok.
//!
//! [`connect::begin_proof`](super::connect::begin_proof) sends a browser to TikTok for a request that
//! needs a proof; when it comes back, [`proved`] is told who it is. No token is kept. The grant of the proof is
//! ended afterwards, and with it every other grant that the creator gave this app; so it is left to its
//! own end when nothing was proved and the creator is connected here.

use clipqueue_entities::DeletionRequestId;
use uuid::Uuid;

use super::{deletions, error::Result};
use crate::app::App;

/// Who somebody proved to be at TikTok.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenCreator {
    /// The creator as this app sees them.
    pub open_id: String,
    /// The creator over all apps of one developer, if TikTok told it.
    pub union_id: Option<String>,
    /// The handle without `@`, if the scopes cover it.
    pub username: Option<String>,
}

/// A proof that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Where the browser goes on: a path below `http.public_url`, with its slash.
    pub go_to: String,
    /// Whether what was asked for is done now; otherwise the page says why not.
    pub is_taken: bool,
}

/// Takes the proof for the request of that id. NOT_FOUND when nothing asks for one.
pub async fn proved(app: &App, request: Uuid, creator: ProvenCreator) -> Result<Proved> {
    deletions::prove::by_creator(app, DeletionRequestId(request), &creator).await
}
