//! Asking TikTok before something is sent: about an upload that was interrupted, and about an earlier
//! attempt that a person gave up.
//!
//! TikTok's progress is better than ours: a chunk whose acknowledgement we did not live to commit is
//! not sent again. Where TikTok cannot be asked, our own offset is good enough, for TikTok names the
//! place to go on from when it is wrong.

use std::time::Duration;

use clipqueue_entities::{
    post::{self, PostState},
    post_attempt::{self, AttemptPhase},
};
use tiktok::{Answer, Class, Endpoint, PublishId, PublishStatus};

use super::super::{Halt, Step};
use crate::{
    app::App,
    domain::{accounts, attempts, error::Error, reconcile, tokens},
    queue::Lease,
};

/// How an attempt ended that a person said had posted nothing.
const SAID_NOT_POSTED: &str = "said_not_posted";
/// The wait when TikTok does not answer.
const FAULT_WAIT: Duration = Duration::from_secs(15);
/// After TikTok said "too many calls", its window of a minute must pass.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(61);

/// An upload goes on after an interruption: what does TikTok have of it?
pub(super) async fn progress(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: post_attempt::Model,
) -> Step<(post::Model, post_attempt::Model)> {
    if attempt.phase != AttemptPhase::Uploading {
        return Ok((post, attempt));
    }
    let Ok(Some(Ok(answer))) = status(app, &post, &attempt).await else {
        return Ok((post, attempt));
    };
    // It may have failed, or even be out, after all.
    let post = apply(app, lease, post, &attempt, &answer).await?;
    let taken = answer
        .value
        .uploaded_bytes
        .zip(reconcile::chunk_plan(&attempt));
    let offset = taken.map_or(0, |(taken, plan)| plan.next_offset(taken));
    let saved = u64::try_from(attempt.bytes_acked).unwrap_or_default();
    if post.state != PostState::Uploading || offset <= saved {
        return Ok((post, attempt));
    }
    tracing::info!(post.id = %post.id, saved, offset, "TikTok has more of a video than was noted");
    let attempt = attempts::acknowledged(app, lease, &post, &attempt, offset).await?;
    Ok((post, attempt))
}

/// Whether an attempt that a person said had posted nothing came through in the meantime: then
/// nothing is sent again.
pub(super) async fn earlier_came_through(
    app: &App,
    lease: &Lease,
    post: &post::Model,
) -> Step<bool> {
    let newest = attempts::newest_published(app.db.read(), post.id).await?;
    let Some(attempt) =
        newest.filter(|attempt| attempt.outcome.as_deref() == Some(SAID_NOT_POSTED))
    else {
        return Ok(false);
    };
    match status(app, post, &attempt).await? {
        // Without a token nothing is sent either.
        None => Ok(false),
        Some(Ok(answer)) => {
            let post = apply(app, lease, post.clone(), &attempt, &answer).await?;
            Ok(matches!(
                post.state,
                PostState::Published | PostState::InInbox
            ))
        }
        Some(Err(error)) => match error.class() {
            Class::Transient | Class::Ambiguous => Err(Halt::snooze(FAULT_WAIT)),
            Class::RateLimited => Err(Halt::snooze(RATE_LIMIT_WAIT)),
            // TikTok does not know the publish any more; the word of the person stands.
            _ => Ok(false),
        },
    }
}

/// TikTok's answer about an attempt; none when there is no token to ask with.
async fn status(
    app: &App,
    post: &post::Model,
    attempt: &post_attempt::Model,
) -> Step<Option<Result<Answer<PublishStatus>, tiktok::Error>>> {
    let account = accounts::for_worker(app, post.account_id).await?;
    let Ok(usable) = tokens::usable(app, &account, Duration::ZERO).await else {
        return Ok(None);
    };
    let endpoint = Endpoint::StatusFetch;
    let mut permit = app.calls.ask(Some(account.id), &[endpoint]).await?;
    let publish_id = attempt.publish_id.clone().unwrap_or_default();
    let publish_id = PublishId::parse(publish_id).map_err(anyhow::Error::from)?;
    let answer = app.tiktok.publish_status(&usable.token, &publish_id).await;
    app.calls.heard(&mut permit, endpoint, &answer).await;
    if let Err(error) = &answer {
        tracing::info!(post.id = %post.id, %error, "TikTok did not say what it has of a post");
        if error.class() == Class::TokenRejected {
            tokens::suspect(app, post.account_id, usable.generation).await?;
        }
    }
    Ok(Some(answer))
}

async fn apply(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    answer: &Answer<PublishStatus>,
) -> Step<post::Model> {
    match Box::pin(reconcile::apply_status(app, lease, post, attempt, answer)).await {
        Ok(post) => Ok(post),
        // Somebody moved the post meanwhile: the next look sees it as it is.
        Err(Error::Refused(_)) => Err(Halt::snooze(FAULT_WAIT)),
        Err(error) => Err(error.into()),
    }
}
