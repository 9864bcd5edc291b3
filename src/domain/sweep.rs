//! The scan that makes sure: posts past their deadline, and posts that no job cares for.
//!
//! Signals make things fast; this makes them certain. In health it finds nothing to enqueue, so it
//! logs a warning when it does. It runs in pages by id and can be repeated at any time.

mod poison;
mod stranded;

use std::time::Duration;

use clipqueue_entities::{
    PostId, Timestamp,
    account::AccountStatus,
    post::{self, PostState},
    post_attempt::AttemptPhase,
};
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde_json::json;

use super::{
    accounts, attempts,
    error::{Error, Result},
    lateness,
    post_change::{Change, Evidence, Failure, apply_in_tx},
    post_state::PostEvent,
    posts, reconcile,
};
use crate::{
    app::App,
    crash::{self, Commit},
    job::{Job, STATUS},
    queue::ledger,
};

/// Posts looked at in one page.
const PAGE: u64 = 200;
/// A post that changed within this time is being worked on.
const QUIET: Duration = Duration::from_secs(90);
/// The event that tells of a post which needs somebody's eyes.
const OVERDUE: &str = "post.overdue";
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

/// Runs all scans, each whatever became of the others. What could not be seen to is skipped, and told
/// at the end.
pub async fn sweep(app: &App) -> Result<Swept> {
    let stranded = stranded::release(app).await;
    let overdue = Box::pin(overdue(app)).await;
    let orphans = orphans(app).await;
    stranded?;
    Ok(Swept {
        overdue: overdue?,
        orphans: orphans?,
    })
}

/// The first of the errors of a scan, which goes on after each.
#[derive(Default)]
struct Failed(Option<Error>);

impl Failed {
    fn note(&mut self, id: &dyn std::fmt::Display, error: Error) {
        tracing::error!(%id, error = format!("{error:#}"), "the sweep could not see to this one and goes on");
        self.0.get_or_insert(error);
    }

    fn end<T>(self, found: T) -> Result<T> {
        match self.0 {
            None => Ok(found),
            Some(error) => Err(error),
        }
    }
}

async fn overdue(app: &App) -> Result<u64> {
    let now = app.clock.now();
    let (mut found, mut failed) = (0, Failed::default());
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
            return failed.end(found);
        };
        cursor = Some(last.id);
        for post in page {
            found += 1;
            let id = post.id;
            match end_overdue(app, post).await {
                Ok(()) => {}
                // Somebody moved it between the read and the write: it is not overdue any more.
                Err(Error::Refused(_)) => tracing::debug!(post.id = %id, "an overdue post moved"),
                Err(error) => failed.note(&id, error),
            }
        }
    }
}

async fn end_overdue(app: &App, post: post::Model) -> Result<()> {
    tracing::warn!(post.id = %post.id, post.state = ?post.state, "a post is past its deadline");
    match post.state {
        PostState::Scheduled | PostState::Held | PostState::Preflight => {
            let tx = app.db.begin().await?;
            app.cancel_job_in_tx(&tx, &posts::upload_job(&post)).await?;
            pass_deadline(app, tx, post).await
        }
        PostState::InitSent | PostState::Uploading => give_up_sending(app, post).await,
        PostState::Processing => {
            let tx = app.db.begin().await?;
            pass_deadline(app, tx, post.clone()).await?;
            reconcile::note(app, &post, OVERDUE, json!({ "state": "processing" })).await?;
            wake_poll(app, &post).await
        }
        PostState::InInbox => {
            let tx = app.db.begin().await?;
            pass_deadline(app, tx, post).await
        }
        PostState::Unconfirmed => {
            tracing::error!(post.id = %post.id, "a post has been UNCONFIRMED for a day");
            reconcile::extend_deadline(app, &post, REMIND).await?;
            reconcile::note(app, &post, OVERDUE, json!({ "state": "unconfirmed" })).await?;
            wake_poll(app, &post).await
        }
        PostState::Draft
        | PostState::Published
        | PostState::Failed
        | PostState::Cancelled
        | PostState::Missed
        | PostState::Lapsed => Ok(()),
    }
}

/// Ends a post by its deadline, unless somebody moved the one or the other since it was read.
async fn pass_deadline(app: &App, tx: DatabaseTransaction, read: post::Model) -> Result<()> {
    let now = app.clock.now();
    let current = post::Entity::find_by_id(read.id).one(&tx).await?;
    let Some(post) = current.filter(|post| {
        post.state == read.state && post.deadline_at.is_some_and(|deadline| deadline <= now)
    }) else {
        tx.rollback().await?;
        return Ok(());
    };
    let change = match post.state {
        PostState::Scheduled | PostState::Held | PostState::Preflight => {
            lateness::overdue(&post, now)
        }
        _ => Change::new(PostEvent::DeadlinePassed, Evidence::own("deadline.passed")),
    };
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::DeadlinePassed).await?;
    app.announce(post.user_id).await;
    Ok(())
}

/// A question that was held for want of a token is asked again once there is one.
async fn wake_poll(app: &App, post: &post::Model) -> Result<()> {
    let account = accounts::for_worker(app, post.account_id).await?;
    if account.status == AccountStatus::Active {
        let lane = account.id.to_string();
        let release = ledger::release_held(
            app.db.write(),
            app.clock.now(),
            Some(&lane),
            Some(accounts::REAUTH_REQUIRED),
        );
        crash::write(Commit::PostsReleased, release).await?;
    }
    Ok(())
}

/// Ends a post whose sending did not end: FAILED before the commit point, UNCONFIRMED past it.
pub async fn give_up_sending(app: &App, post: post::Model) -> Result<()> {
    let tx = app.db.begin().await?;
    // The job's row comes first: a worker that is about to send the last chunk proves its lease on it,
    // so what is read afterwards is the last word.
    app.cancel_job_in_tx(&tx, &posts::upload_job(&post)).await?;
    let past_commit_point = attempts::open(&tx, post.id)
        .await?
        .is_some_and(|attempt| attempt.phase >= AttemptPhase::LastChunk);
    if past_commit_point {
        let change = Change::new(PostEvent::AnswerLost, Evidence::own("sending.gave_up"));
        let post = apply_in_tx(app, &tx, post, change).await?;
        app.enqueue_in_tx(&tx, attempts::poll_job(&post), None)
            .await?;
        crash::commit(tx, Commit::SendingGivenUp).await?;
        app.announce(post.user_id).await;
        app.nudge(STATUS);
        return Ok(());
    }
    let change = Change::new(PostEvent::Refused, Evidence::own("sending.gave_up")).failure(Failure {
        class: "clipqueue",
        code: "gave_up".to_owned(),
        message: "The video could not be sent in time; TikTok never had all of it, so nothing was posted. Retry the post."
            .to_owned(),
        retryable: true,
    });
    attempts::close(app, tx, post, "gave_up", None, change).await?;
    Ok(())
}

/// States in which a post needs a job. A hold that ends by itself needs somebody who ends it.
const CARED_FOR: [PostState; 8] = [
    PostState::Scheduled,
    PostState::Held,
    PostState::Preflight,
    PostState::InitSent,
    PostState::Uploading,
    PostState::Processing,
    PostState::InInbox,
    PostState::Unconfirmed,
];

/// Posts that should have a job and have none get one.
pub(super) async fn orphans(app: &App) -> Result<u64> {
    let (mut found, mut failed) = (0, Failed::default());
    for state in CARED_FOR {
        found += orphans_in(app, state, &mut failed).await?;
    }
    failed.end(found)
}

async fn orphans_in(app: &App, state: PostState, failed: &mut Failed) -> Result<u64> {
    let quiet_since: Timestamp = app.clock.now() - QUIET;
    let mut found = 0;
    let mut cursor: Option<PostId> = None;
    loop {
        let mut query = post::Entity::find()
            .filter(post::Column::State.eq(state))
            .filter(post::Column::UpdatedAt.lt(quiet_since));
        if state == PostState::Held {
            query = query.filter(post::Column::HoldUntil.is_not_null());
        }
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
            match adopt(app, &post, job).await {
                Ok(true) => found += 1,
                Ok(false) => {}
                Err(error) => failed.note(&post.id, error),
            }
        }
    }
}

/// Gives a post its job; later, when that job ended because it kills its workers.
async fn adopt(app: &App, post: &post::Model, job: Job) -> Result<bool> {
    if let Some(until) = poison::rests_until(app, post, &job).await?
        && until > app.clock.now()
    {
        let is_sending = matches!(
            post.state,
            PostState::Scheduled
                | PostState::Preflight
                | PostState::InitSent
                | PostState::Uploading
        );
        if is_sending {
            // Nothing may go on for days after its time because it was too dangerous to be tried.
            give_up_sending(app, post.clone()).await?;
        }
        return Ok(false);
    }
    tracing::warn!(post.id = %post.id, post.state = ?post.state, job.kind = job.kind(),
        "a post had no job and gets one");
    let tx = app.db.begin().await?;
    let run_at = Ord::max(post.publish_at, post.hold_until);
    app.enqueue_in_tx(&tx, job, run_at).await?;
    crash::commit(tx, Commit::OrphanAdopted).await?;
    Ok(true)
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
