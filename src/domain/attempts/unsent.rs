//! Is the attempt still before its commit point? Asked in the transaction that gives it up or starts
//! over, with the post's row locked, so that nobody moves past that point meanwhile.
//!
//! One job at a time works on a post, and its lease says which. This does not rely on it: what another
//! worker may have sent to its end is never given up by one that does not know of it.

use clipqueue_entities::{
    AttemptId, PostId,
    post::{self, PostState},
    post_attempt::{self, AttemptPhase},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait as _, QuerySelect as _};

use super::{fenced, open};
use crate::{
    app::App,
    domain::error::{Code, Refusal, Result},
    queue::Lease,
};

/// As [`fenced`], for a change that gives the post's open attempt up.
///
/// Refused once all of the post may be at TikTok, unless `reached` is that attempt: then the caller
/// itself brought it there, and has TikTok's answer that nothing came of it.
pub async fn fenced_unsent(
    app: &App,
    lease: &Lease,
    post: PostId,
    reached: Option<AttemptId>,
) -> Result<DatabaseTransaction> {
    let tx = fenced(app, lease).await?;
    if unsent_in_tx(&tx, post, reached).await? {
        return Ok(tx);
    }
    tx.rollback().await?;
    Err(Refusal::whole(
        Code::WrongState,
        "somebody else may have sent all of the post in the meantime; only TikTok's word moves it now",
    )
    .into())
}

/// Whether the open attempt, if there is one, is before its commit point or is `reached`.
pub async fn unsent_in_tx(
    tx: &impl ConnectionTrait,
    post: PostId,
    reached: Option<AttemptId>,
) -> Result<bool> {
    lock(tx, post).await?;
    let attempt = open(tx, post).await?;
    Ok(attempt.is_none_or(|attempt| {
        attempt.phase < AttemptPhase::LastChunk || reached == Some(attempt.id)
    }))
}

/// Whether `attempt` is in its last chunk, and nobody has taken its post out of UPLOADING.
pub async fn in_last_chunk_in_tx(
    tx: &impl ConnectionTrait,
    attempt: &post_attempt::Model,
) -> Result<bool> {
    let post = lock(tx, attempt.post_id).await?;
    let open = open(tx, attempt.post_id).await?;
    Ok(post.is_some_and(|post| post.state == PostState::Uploading)
        && open.is_some_and(|open| open.id == attempt.id && open.phase == AttemptPhase::LastChunk))
}

async fn lock(tx: &impl ConnectionTrait, post: PostId) -> Result<Option<post::Model>> {
    Ok(post::Entity::find_by_id(post)
        .lock_exclusive()
        .one(tx)
        .await?)
}
