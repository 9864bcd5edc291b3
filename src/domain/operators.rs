//! What operators see and do: jobs and queues of the whole installation.
//!
//! Nothing here belongs to one tenant, so nothing here takes one; the API gives it to keys with the
//! operators' scopes alone.

use clipqueue_entities::{JobId, job, job::JobState, job_attempt};

use super::error::{Code, Error, Refusal, Result};
use crate::{
    app::App,
    job::Jobs,
    queue::ledger::{CancelOutcome, JobFilter, PageRequest, QueueStats, RetryOutcome},
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

/// Makes a job due now.
pub async fn retry_job(app: &App, id: JobId) -> Result<job::Model> {
    match app.queue.retry(id).await? {
        RetryOutcome::Retried => job(app, id).await,
        RetryOutcome::NotFound => Err(Error::NotFound),
        RetryOutcome::NotRetryable(state) => Err(ended(
            state,
            "only a RETRYABLE, HELD, DISCARDED or CANCELLED job can be retried",
        )),
    }
}

/// Stops a job: a waiting one at once, a running one as soon as its handler can.
pub async fn cancel_job(app: &App, id: JobId) -> Result<job::Model> {
    match app.queue.cancel(id).await? {
        CancelOutcome::Cancelled
        | CancelOutcome::Requested
        | CancelOutcome::AlreadyOver(JobState::Cancelled) => job(app, id).await,
        CancelOutcome::NotFound => Err(Error::NotFound),
        CancelOutcome::AlreadyOver(state) => Err(ended(state, "there is nothing to stop")),
    }
}

fn ended(state: JobState, advice: &str) -> Error {
    let state = state.as_str().to_uppercase();
    Refusal::whole(Code::WrongState, format!("the job is {state}; {advice}")).into()
}

/// Stops workers from taking jobs of a queue, or lets them again.
pub async fn set_paused(app: &App, queue: &str, paused: bool) -> Result<QueueStats> {
    if !Jobs::QUEUES.contains(&queue) {
        return Err(Refusal::new(
            "queue",
            Code::NotFound,
            format!("no such queue; the queues are {}", Jobs::QUEUES.join(", ")),
        )
        .into());
    }
    if paused {
        app.queue.pause(queue).await?;
    } else {
        app.queue.resume(queue).await?;
    }
    let mut stats = app.queue.stats(&[queue.to_owned()]).await?;
    stats.pop().ok_or(Error::NotFound)
}
