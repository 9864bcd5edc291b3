//! One batch of an act: the jobs and the place that was reached change in one transaction.

use clipqueue_entities::{
    BulkActId, JobId, Timestamp,
    bulk_act::{self, BulkAction, BulkState},
    job::{self, JobState},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};
use serde_json::json;

use super::filter;
use crate::{
    app::App,
    domain::{
        audit,
        error::{Error, Result},
        operators,
    },
    queue::{
        Lease,
        ledger::{self, CancelOutcome, ReleaseOutcome, RetryOutcome},
    },
};

/// Jobs changed in one transaction: short enough to keep nobody waiting.
const BATCH: u64 = 100;

/// How far one batch brought an act.
#[derive(Clone, Debug, PartialEq)]
pub struct Advanced {
    /// The act as it is now.
    pub act: bulk_act::Model,
    /// Whether there is nothing left to do.
    pub over: bool,
}

/// Carries out the next batch, if `lease` is still the newest.
pub async fn advance(app: &App, lease: &Lease, id: BulkActId) -> Result<Advanced> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    // The lease's row is locked from here on: a cancel of the act comes before this batch or after.
    lease.prove_in_tx(&tx).await.map_err(anyhow::Error::from)?;
    let act = bulk_act::Entity::find_by_id(id)
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    // The job of a failed act was retried: it goes on.
    if !matches!(act.state, BulkState::Running | BulkState::Failed) {
        tx.rollback().await?;
        return Ok(Advanced { act, over: true });
    }
    let filter = filter::read(&act.filter)?;
    let matching = filter::matching(act.action, &filter, act.as_of)?;
    let jobs = ledger::pick(&tx, &matching, act.cursor, BATCH, true).await?;
    let over = (jobs.len() as u64) < BATCH;
    let mut batch = Batch::default();
    for job in &jobs {
        // The job that carries the act out is not for itself.
        if job.id != act.job_id {
            batch.count(change(&tx, now, act.action, job).await?, job);
        }
    }
    let mut row = act.clone().into_active_model();
    row.done = Set(act.done + batch.done);
    row.failed = Set(act.failed + batch.failed);
    if let Some(last) = jobs.last() {
        row.cursor = Set(Some(last.id));
    }
    if let Some(error) = batch.error {
        row.last_error = Set(Some(error));
    }
    row.updated_at = Set(now);
    let (state, finished_at) = match over {
        true => (BulkState::Completed, Some(now)),
        false => (BulkState::Running, None),
    };
    row.state = Set(state);
    row.finished_at = Set(finished_at);
    let act = bulk_act::Entity::update(row).exec(&tx).await?;
    if over {
        let counts = json!({ "done": act.done, "failed": act.failed });
        let subject = super::subject(id);
        audit::record_own_in_tx(app, &tx, "bulk.completed", &subject, counts).await?;
    }
    tx.commit().await?;
    app.queue.announce(&batch.changed).await;
    Ok(Advanced { act, over })
}

/// What a batch did so far.
#[derive(Default)]
struct Batch {
    done: i64,
    failed: i64,
    error: Option<String>,
    changed: Vec<(JobId, String, JobState)>,
}

impl Batch {
    fn count(&mut self, changed: std::result::Result<JobState, String>, job: &job::Model) {
        match changed {
            Ok(state) => {
                self.done += 1;
                self.changed.push((job.id, job.queue.clone(), state));
            }
            Err(error) => {
                self.failed += 1;
                self.error = Some(format!("{}: {error}", job.id));
            }
        }
    }
}

/// Changes one job. Gives the state to tell of, or why it could not be changed.
async fn change(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    action: BulkAction,
    job: &job::Model,
) -> Result<std::result::Result<JobState, String>> {
    let is = |state: JobState| Err(format!("the job is {}", state.as_str().to_uppercase()));
    let gone = || Err("the job is gone".to_owned());
    Ok(match action {
        BulkAction::Retry => match operators::retry_in(tx, now, job).await? {
            RetryOutcome::Retried => Ok(JobState::Available),
            RetryOutcome::NotRetryable(state) => is(state),
            RetryOutcome::AlreadyLive => Err("another job does the same work already".to_owned()),
            RetryOutcome::NotFound => gone(),
        },
        BulkAction::Cancel => match ledger::cancel_in(tx, now, job.id).await? {
            CancelOutcome::Cancelled => Ok(JobState::Cancelled),
            CancelOutcome::Requested => Ok(JobState::Running),
            CancelOutcome::AlreadyOver(state) => is(state),
            CancelOutcome::NotFound => gone(),
        },
        BulkAction::Release => match ledger::release_in(tx, now, job.id).await? {
            ReleaseOutcome::Released if job.run_at > now => Ok(JobState::Scheduled),
            ReleaseOutcome::Released => Ok(JobState::Available),
            ReleaseOutcome::NotHeld(state) => is(state),
            ReleaseOutcome::NotFound => gone(),
        },
    })
}
