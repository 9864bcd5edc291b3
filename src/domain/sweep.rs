//! The scan that makes sure: posts past their deadline, and posts that no job cares for.
//!
//! Signals make things fast; this makes them certain. In health it finds nothing to enqueue, so it
//! logs a warning when it does. It runs in pages by id and can be repeated at any time.

use std::time::Duration;

use clipqueue_entities::{
    PostId, Timestamp,
    post::{self, PostState},
    post_attempt::AttemptPhase,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::json;

use super::{
    attempts,
    error::{Error, Result},
    post_change::{Change, Evidence, Failure, apply_in_tx},
    post_state::PostEvent,
    posts, reconcile,
};
use crate::{
    app::App,
    job::{Job, STATUS},
    queue::ledger,
};

/// Posts looked at in one page.
const PAGE: u64 = 200;
/// A post that changed within this time is being worked on.
const QUIET: Duration = Duration::from_secs(90);
/// How often an open doubt is brought up again.
const REMIND: Duration = Duration::from_secs(24 * 3600);

/// What one run found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Posts past their deadline.
    pub overdue: u64,
    /// Posts without a job.
    pub orphans: u64,
}

/// Runs both scans.
pub async fn sweep(app: &App) -> Result<Swept> {
    Ok(Swept {
        overdue: overdue(app).await?,
        orphans: orphans(app).await?,
    })
}

async fn overdue(app: &App) -> Result<u64> {
    let now = app.clock.now();
    let mut found = 0;
    let mut cursor: Option<PostId> = None;
    loop {
        let mut query = post::Entity::find().filter(post::Column::DeadlineAt.lte(now));
        if let Some(cursor) = cursor {
            query = query.filter(post::Column::Id.gt(cursor));
        }
        let page = query
            .order_by_asc(post::Column::Id)
            .limit(PAGE)
            .all(app.db.read())
            .await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        cursor = Some(last.id);
        for post in page {
            found += 1;
            let id = post.id;
            match end_overdue(app, post).await {
                Ok(()) => {}
                // Somebody moved it between the read and the write: it is not overdue any more.
                Err(Error::Refused(_)) => tracing::debug!(post.id = %id, "an overdue post moved"),
                Err(error) => return Err(error),
            }
        }
    }
}

async fn end_overdue(app: &App, post: post::Model) -> Result<()> {
    tracing::warn!(post.id = %post.id, post.state = ?post.state, "a post is past its deadline");
    match post.state {
        PostState::Scheduled | PostState::Held | PostState::Preflight => {
            let job = posts::upload_job(&post);
            let change = Change::new(PostEvent::DeadlinePassed, Evidence::own("deadline.passed"));
            let tx = app.db.begin().await?;
            let post = apply_in_tx(app, &tx, post, change).await?;
            app.cancel_job_in_tx(&tx, &job).await?;
            tx.commit().await?;
            app.announce(post.user_id).await;
            Ok(())
        }
        PostState::InitSent | PostState::Uploading => give_up_sending(app, post).await,
        PostState::Processing | PostState::InInbox => {
            let change = Change::new(PostEvent::DeadlinePassed, Evidence::own("deadline.passed"));
            let tx = app.db.begin().await?;
            let post = apply_in_tx(app, &tx, post, change).await?;
            tx.commit().await?;
            app.announce(post.user_id).await;
            Ok(())
        }
        PostState::Unconfirmed => {
            tracing::error!(post.id = %post.id, "a post has been UNCONFIRMED for a day");
            reconcile::extend_deadline(app, &post, REMIND).await?;
            reconcile::note(
                app,
                &post,
                "post.overdue",
                json!({ "state": "unconfirmed" }),
            )
            .await
        }
        PostState::Draft
        | PostState::Published
        | PostState::Failed
        | PostState::Cancelled
        | PostState::Missed
        | PostState::Lapsed => Ok(()),
    }
}

/// Ends a post whose sending did not end: FAILED before the commit point, UNCONFIRMED past it.
pub async fn give_up_sending(app: &App, post: post::Model) -> Result<()> {
    let attempt = attempts::open(app.db.read(), post.id).await?;
    let past_commit_point = attempt
        .as_ref()
        .is_some_and(|attempt| attempt.phase >= AttemptPhase::LastChunk);
    let tx = app.db.begin().await?;
    if past_commit_point {
        let change = Change::new(PostEvent::AnswerLost, Evidence::own("sending.gave_up"));
        let post = apply_in_tx(app, &tx, post, change).await?;
        app.enqueue_in_tx(&tx, attempts::poll_job(&post), None)
            .await?;
        tx.commit().await?;
        app.announce(post.user_id).await;
        app.nudge(STATUS).await;
        return Ok(());
    }
    let job = posts::upload_job(&post);
    let change = Change::new(PostEvent::Refused, Evidence::own("sending.gave_up")).failure(Failure {
        class: "clipqueue",
        code: "gave_up".to_owned(),
        message: "The video could not be sent in time; TikTok never had all of it, so nothing was posted. Retry the post."
            .to_owned(),
        retryable: true,
    });
    app.cancel_job_in_tx(&tx, &job).await?;
    attempts::close(app, tx, post, "gave_up", None, change).await?;
    Ok(())
}

/// Posts that should have a job and have none get one.
async fn orphans(app: &App) -> Result<u64> {
    let quiet_since: Timestamp = app.clock.now() - QUIET;
    let mut found = 0;
    let mut cursor: Option<PostId> = None;
    loop {
        let mut query = post::Entity::find()
            .filter(post::Column::State.is_in([
                PostState::Scheduled,
                PostState::Preflight,
                PostState::InitSent,
                PostState::Uploading,
                PostState::Processing,
                PostState::InInbox,
                PostState::Unconfirmed,
            ]))
            .filter(post::Column::UpdatedAt.lt(quiet_since));
        if let Some(cursor) = cursor {
            query = query.filter(post::Column::Id.gt(cursor));
        }
        let page = query
            .order_by_asc(post::Column::Id)
            .limit(PAGE)
            .all(app.db.read())
            .await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        cursor = Some(last.id);
        let keys: Vec<String> = page.iter().map(|post| job_of(post).unique_key()).collect();
        let live = ledger::live(app.db.read(), &keys).await?;
        for post in page {
            let job = job_of(&post);
            if live.contains_key(&job.unique_key()) {
                continue;
            }
            found += 1;
            tracing::warn!(post.id = %post.id, post.state = ?post.state, job.kind = job.kind(),
                "a post had no job and gets one");
            let tx = app.db.begin().await?;
            app.enqueue_in_tx(&tx, job, post.publish_at).await?;
            tx.commit().await?;
        }
    }
}

/// The job that cares for a post in its present state.
fn job_of(post: &post::Model) -> Job {
    match post.state {
        PostState::Processing
        | PostState::InInbox
        | PostState::Unconfirmed
        | PostState::Published
        | PostState::Lapsed => attempts::poll_job(post),
        PostState::Draft
        | PostState::Scheduled
        | PostState::Held
        | PostState::Preflight
        | PostState::InitSent
        | PostState::Uploading
        | PostState::Failed
        | PostState::Cancelled
        | PostState::Missed => posts::upload_job(post),
    }
}
