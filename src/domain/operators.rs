//! What operators see and do: jobs and queues of the whole installation.
//!
//! Nothing here belongs to one tenant, so nothing here takes one; the API gives it to keys with the
//! operators' scopes alone. Every act is recorded (see [`audit`]), in its own transaction.

use clipqueue_entities::{JobId, Timestamp, job, job::JobState, job_attempt};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{
    actor::Actor,
    audit,
    error::{Code, Error, Refusal, Result},
};
use crate::{
    app::App,
    calls::BreakerView,
    job::{Job, Jobs},
    queue::{
        Mode,
        ledger::{
            self, CancelOutcome, JobFilter, PageRequest, QueueStats, ReleaseOutcome, RetryOutcome,
        },
    },
};

/// One job.
pub async fn job(app: &App, id: JobId) -> Result<job::Model> {
    app.queue.job(id).await?.ok_or(Error::NotFound)
}

/// Jobs, newest first: at most `limit` behind `cursor`, or before it when `backward`.
pub async fn jobs(
    app: &App,
    filter: &JobFilter,
    cursor: Option<JobId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<job::Model>> {
    let page = if backward {
        PageRequest {
            limit,
            after: None,
            // Before the end of the list is before an id that is older than all.
            before: Some(cursor.unwrap_or(JobId(uuid::Uuid::nil()))),
        }
    } else {
        PageRequest {
            limit,
            after: cursor,
            before: None,
        }
    };
    Ok(app.queue.jobs(filter, page).await?.jobs)
}

/// The attempts of a job that did not succeed, oldest first.
pub async fn failed_attempts(app: &App, id: JobId) -> Result<Vec<job_attempt::Model>> {
    Ok(app.queue.attempts(id).await?)
}

/// How every queue of the product stands.
pub async fn queues(app: &App) -> Result<Vec<QueueStats>> {
    Ok(app.queue.stats(&Jobs::QUEUES.map(str::to_owned)).await?)
}

/// How the breaker of every endpoint of TikTok stands.
pub async fn breakers(app: &App) -> Vec<BreakerView> {
    app.calls.breakers().await
}

/// What an operator does to one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Retry,
    Cancel,
    Release,
}

impl Act {
    const fn word(self) -> &'static str {
        match self {
            Self::Retry => "job.retry",
            Self::Cancel => "job.cancel",
            Self::Release => "job.release",
        }
    }
}

/// Makes a job due now.
pub async fn retry_job(app: &App, actor: &Actor, id: JobId) -> Result<job::Model> {
    act(app, actor, id, Act::Retry).await
}

/// Stops a job: a waiting one at once, a running one as soon as its handler can.
pub async fn cancel_job(app: &App, actor: &Actor, id: JobId) -> Result<job::Model> {
    act(app, actor, id, Act::Cancel).await
}

/// Lets a held job go; it keeps its due time.
pub async fn release_job(app: &App, actor: &Actor, id: JobId) -> Result<job::Model> {
    act(app, actor, id, Act::Release).await
}

async fn act(app: &App, actor: &Actor, id: JobId, act: Act) -> Result<job::Model> {
    let subject = format!("job:{id}");
    let ended = carry_out(app, actor, id, act, &subject).await;
    audit::refusal(app, actor, act.word(), &subject, json!({}), ended).await
}

async fn carry_out(
    app: &App,
    actor: &Actor,
    id: JobId,
    act: Act,
    subject: &str,
) -> Result<job::Model> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let before = job(app, id).await?;
    let done = match act {
        Act::Retry => match retry_in(&tx, now, &before).await? {
            RetryOutcome::Retried => Ok(()),
            RetryOutcome::NotFound => Err(Error::NotFound),
            RetryOutcome::AlreadyLive => Err(Refusal::whole(
                Code::WrongState,
                "another job does the same work already; two at once could do it twice",
            )
            .into()),
            RetryOutcome::NotRetryable(state) => Err(ended(
                state,
                "only a RETRYABLE, HELD, DISCARDED or CANCELLED job can be retried",
            )),
        },
        Act::Cancel => match ledger::cancel_in(&tx, now, id).await? {
            CancelOutcome::Cancelled | CancelOutcome::Requested => Ok(()),
            CancelOutcome::AlreadyOver(JobState::Cancelled) => {
                tx.rollback().await?;
                return job(app, id).await;
            }
            CancelOutcome::NotFound => Err(Error::NotFound),
            CancelOutcome::AlreadyOver(state) => Err(ended(state, "there is nothing to stop")),
        },
        Act::Release => match ledger::release_in(&tx, now, id).await? {
            ReleaseOutcome::Released => Ok(()),
            ReleaseOutcome::NotFound => Err(Error::NotFound),
            ReleaseOutcome::NotHeld(state) => Err(ended(state, "only a HELD job can be released")),
        },
    };
    if let Err(error) = done {
        tx.rollback().await?;
        return Err(error);
    }
    let details =
        json!({ "kind": before.kind, "queue": before.queue, "from": before.state.as_str() });
    audit::record_in_tx(app, &tx, actor, act.word(), subject, details).await?;
    tx.commit().await?;
    let after = job(app, id).await?;
    app.queue
        .announce(&[(id, after.queue.clone(), after.state)])
        .await;
    Ok(after)
}

/// Retries a job under the key that keeps a second one from its work.
pub(super) async fn retry_in(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    job: &job::Model,
) -> Result<RetryOutcome> {
    let key = Job::key_of(&job.kind, &job.args);
    Ok(ledger::retry_in(tx, now, job.id, key.as_deref()).await?)
}

fn ended(state: JobState, advice: &str) -> Error {
    let state = state.as_str().to_uppercase();
    Refusal::whole(Code::WrongState, format!("the job is {state}; {advice}")).into()
}

/// Lets workers take jobs of a queue, or not. A drain is a pause that takes back what was handed to
/// the transport as well: [`QueueStats::is_drained`] says when nothing of the queue is left anywhere
/// but in the database.
pub async fn set_mode(app: &App, actor: &Actor, queue: &str, mode: Mode) -> Result<QueueStats> {
    let action = match mode {
        Mode::Open => "queue.resume",
        Mode::Paused => "queue.pause",
        Mode::Draining => "queue.drain",
    };
    let subject = format!("queue:{queue}");
    let changed = change_mode(app, actor, queue, mode, action, &subject).await;
    audit::refusal(app, actor, action, &subject, json!({}), changed).await
}

async fn change_mode(
    app: &App,
    actor: &Actor,
    queue: &str,
    mode: Mode,
    action: &'static str,
    subject: &str,
) -> Result<QueueStats> {
    if !Jobs::QUEUES.contains(&queue) {
        return Err(Refusal::new(
            "queue",
            Code::NotFound,
            format!("no such queue; the queues are {}", Jobs::QUEUES.join(", ")),
        )
        .into());
    }
    let tx = app.db.begin().await?;
    app.queue.set_mode_in(&tx, queue, mode).await?;
    audit::record_in_tx(app, &tx, actor, action, subject, json!({})).await?;
    tx.commit().await?;
    app.queue.announce_mode(queue, mode).await;
    let mut stats = app.queue.stats(&[queue.to_owned()]).await?;
    stats.pop().ok_or(Error::NotFound)
}
