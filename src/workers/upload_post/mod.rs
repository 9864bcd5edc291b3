//! `UploadPost`: takes a post from its time to the moment when TikTok has every byte.
//!
//! ```text
//! check ──▶ open the attempt, commit ──▶ init ──▶ save the publish id, commit ──▶ chunks ──▶ done
//! ```
//!
//! The job may die anywhere and is run again. It then finds out from the post's state and the open
//! attempt where it stands: without a publish id nothing can have been posted and a new attempt is
//! safe; with one it goes on sending; once the last chunk may have been sent it only asks. Photos take
//! another way after the checks, since TikTok fetches them: see `photos`.

mod ask;
mod check;
mod init;
mod photos;
mod send;
mod verdict;

use std::time::Duration;

use clipqueue_entities::{
    PostId,
    post::{self, PostKind, PostState},
};
use sea_orm::EntityTrait as _;

use super::{Halt, Step};
use crate::{
    app::App,
    domain::{
        accounts::REAUTH_REQUIRED,
        attempts,
        lateness::{self, LATE},
        post_change::{Change, Evidence},
        post_state::PostEvent,
        reconcile, sweep,
    },
    queue::{Failure, Lease, StopReason},
};

/// Why a job ended whose post was stopped.
const STOPPED: &str = "its owner stopped the post";

pub(super) async fn run(app: &App, lease: &Lease, id: PostId, last_attempt: bool) -> Step {
    let ended = Box::pin(advance(app, lease, id)).await;
    if ended.is_err()
        && lease.stop_reason() == Some(StopReason::Cancelled)
        && let Some(post) = load(app, id).await?
        && cancel(app, lease, &post).await?
    {
        return Err(Halt::cancel(STOPPED));
    }
    if let Err(Halt(ran)) = &ended
        && matches!(**ran, Err(Failure::Retry { .. }))
        && last_attempt
    {
        // Giving up is a state of the post, not only of the job.
        if let Some(post) = load(app, id).await?
            && matches!(
                post.state,
                PostState::Scheduled
                    | PostState::Preflight
                    | PostState::InitSent
                    | PostState::Uploading
            )
        {
            sweep::give_up_sending(app, post).await?;
        }
    }
    ended
}

async fn advance(app: &App, lease: &Lease, id: PostId) -> Step {
    // Each round ends the job or brings the post closer to TikTok; a round that opens another
    // attempt leaves through `retry`, so the loop is short.
    loop {
        let Some(post) = load(app, id).await? else {
            return Err(Halt::cancel("the post is gone"));
        };
        if post.cancel_requested && cancel(app, lease, &post).await? {
            return Err(Halt::cancel(STOPPED));
        }
        if past_deadline(app, &post) {
            return Err(miss(app, lease, post).await);
        }
        match post.state {
            PostState::Held => match post.hold_until {
                Some(until) if until <= app.clock.now() => release(app, lease, post).await?,
                Some(until) => return Err(Halt::snooze(until.since(app.clock.now()))),
                None => {
                    let reason = post.hold_reason.as_deref().unwrap_or(REAUTH_REQUIRED);
                    return Err(Halt::hold(reason, anyhow::anyhow!("the post is held")));
                }
            },
            PostState::Scheduled | PostState::Preflight => {
                if let Some(early) = too_early(app, &post) {
                    return Err(Halt::snooze(early));
                }
                if ask::earlier_came_through(app, lease, &post).await? {
                    return Ok(());
                }
                let ready = Box::pin(check::run(app, lease, post)).await?;
                if ready.post.kind == PostKind::Photo {
                    return Box::pin(photos::run(app, lease, ready)).await;
                }
                let (post, attempt) = Box::pin(init::run(app, lease, ready)).await?;
                return Box::pin(send::run(app, lease, post, attempt)).await;
            }
            PostState::InitSent if post.kind == PostKind::Photo => {
                return photos::in_doubt(app, lease, post).await;
            }
            PostState::InitSent => {
                // The process died between the commit and the answer. Without a single byte TikTok
                // has nothing to post.
                let change = Change::new(
                    PostEvent::AttemptAbandoned,
                    Evidence::own("init.answer_lost"),
                );
                let tx = attempts::fenced_unsent(app, lease, post.id, None).await?;
                attempts::close(app, tx, post, "init_answer_lost", None, change).await?;
            }
            PostState::Uploading => {
                let Some(attempt) = attempts::open(app.db.read(), id).await? else {
                    return Err(Halt::retry(anyhow::anyhow!(
                        "an uploading post has no open attempt"
                    )));
                };
                let (post, attempt) = ask::progress(app, lease, post, attempt).await?;
                match post.state {
                    PostState::Uploading => {}
                    // TikTok failed it for a reason of its own; this job makes the next attempt.
                    PostState::Scheduled => return Err(Halt::snooze(reconcile::RETRY_STEP)),
                    _ => return Ok(()),
                }
                return Box::pin(send::run(app, lease, post, attempt)).await;
            }
            PostState::Draft
            | PostState::Processing
            | PostState::InInbox
            | PostState::Published
            | PostState::Unconfirmed
            | PostState::Failed
            | PostState::Cancelled
            | PostState::Missed
            | PostState::Lapsed => return Ok(()),
        }
    }
}

async fn load(app: &App, id: PostId) -> Step<Option<post::Model>> {
    Ok(post::Entity::find_by_id(id).one(app.db.read()).await?)
}

/// How long it is until the post's time.
fn too_early(app: &App, post: &post::Model) -> Option<Duration> {
    let now = app.clock.now();
    let at = post.publish_at.filter(|at| *at > now)?;
    Some(at.since(now))
}

/// Whether it is too late to begin. A process that was away for long runs what was due before it
/// sweeps.
fn past_deadline(app: &App, post: &post::Model) -> bool {
    matches!(
        post.state,
        PostState::Scheduled | PostState::Held | PostState::Preflight
    ) && post
        .deadline_at
        .is_some_and(|deadline| deadline <= app.clock.now())
}

/// Ends a post that is too late, or holds it for its owner.
async fn miss(app: &App, lease: &Lease, post: post::Model) -> Halt {
    let held = lateness::holds(&post);
    let change = lateness::overdue(&post, app.clock.now());
    let ended = async {
        let tx = attempts::fenced(app, lease).await?;
        attempts::close(app, tx, post, "missed", None, change).await
    };
    match ended.await {
        Ok(_) if held => Halt::hold(LATE, anyhow::anyhow!("the post is late")),
        Ok(_) => Halt::cancel("the post's time has passed"),
        Err(error) => error.into(),
    }
}

async fn release(app: &App, lease: &Lease, post: post::Model) -> Step {
    let tx = attempts::fenced(app, lease).await?;
    let change = Change::new(PostEvent::Released, Evidence::own("hold.over"));
    attempts::close(app, tx, post, "released", None, change).await?;
    Ok(())
}

/// Stops a post whose owner asked for it. False once the last chunk may have been sent.
async fn cancel(app: &App, lease: &Lease, post: &post::Model) -> Step<bool> {
    if !matches!(
        post.state,
        PostState::Scheduled
            | PostState::Held
            | PostState::Preflight
            | PostState::InitSent
            | PostState::Uploading
    ) {
        return Ok(false);
    }
    let tx = attempts::fenced(app, lease).await?;
    if !attempts::unsent_in_tx(&tx, post.id, None).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    let change = Change::new(PostEvent::Cancelled, Evidence::own("cancel.carried_out"));
    attempts::close(app, tx, post.clone(), "cancelled", None, change).await?;
    Ok(true)
}
