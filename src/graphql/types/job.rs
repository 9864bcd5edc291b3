//! Jobs, for operators.

use async_graphql::{Context, Enum, ID, Json, Object, Result};
use clipqueue_entities::job;
use serde_json::Value;

use super::job_attempt::JobAttempt;
use crate::{
    domain::operators,
    graphql::{guard::app, ids::Global as _, scalars::DateTime, user_error::raise},
};

/// Where a job stands. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::job::JobState")]
pub(crate) enum JobState {
    /// Waits for its time.
    Scheduled,
    /// Due; waits for a worker.
    Available,
    /// A worker has it.
    Running,
    /// Done.
    Completed,
    /// Failed or crashed, and waits for its next attempt.
    Retryable,
    /// Given up: attempts spent, poison, or a failure that no retry mends.
    Discarded,
    /// Called off.
    Cancelled,
    /// Waits for somebody to act; `holdReason` says for what.
    Held,
}

#[derive(Clone, Debug)]
pub(crate) struct Job(pub(crate) job::Model);

/// One unit of work in the queue.
#[Object]
impl Job {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// The queue that runs it.
    async fn queue(&self) -> &str {
        &self.0.queue
    }

    /// What kind of work it is.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The arguments of the kind: ids only.
    async fn args(&self) -> Json<&Value> {
        Json(&self.0.args)
    }

    /// Whose turn it uses: the UUID of a creator's account, or empty.
    async fn lane(&self) -> &str {
        &self.0.lane
    }

    /// Lower runs first within a lane.
    async fn priority(&self) -> i32 {
        self.0.priority
    }

    /// Where it stands.
    async fn state(&self) -> JobState {
        self.0.state.into()
    }

    /// What a HELD job waits for, as a word.
    async fn hold_reason(&self) -> Option<&str> {
        self.0.hold_reason.as_deref()
    }

    /// When it is due.
    async fn run_at(&self) -> DateTime {
        self.0.run_at.into()
    }

    /// The attempt that runs or ran last; counts from one.
    async fn attempt(&self) -> i32 {
        self.0.attempt
    }

    /// Attempts that it may use.
    async fn max_attempts(&self) -> i32 {
        self.0.max_attempts
    }

    /// Attempts in a row whose worker vanished.
    async fn crashes(&self) -> i32 {
        self.0.crashes
    }

    /// How often it put itself off, which spends no attempt.
    async fn snoozes(&self) -> i32 {
        self.0.snoozes
    }

    /// The process that runs it.
    async fn worker(&self) -> Option<&str> {
        self.0.lease_owner.as_deref()
    }

    /// Until when that process is believed; then the job runs elsewhere.
    async fn lease_until(&self) -> Option<DateTime> {
        self.0.lease_until.map(DateTime)
    }

    /// Whether somebody asked a running job to stop.
    async fn cancel_requested(&self) -> bool {
        self.0.cancel_requested
    }

    /// What its handler last said about its progress.
    async fn progress(&self) -> Option<Json<&Value>> {
        self.0.progress.as_ref().map(Json)
    }

    /// Why the last attempt did not succeed.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// The attempts that did not succeed, oldest first.
    #[graphql(complexity = "10 + 2 * child_complexity")]
    async fn failed_attempts(&self, ctx: &Context<'_>) -> Result<Vec<JobAttempt>> {
        let rows = operators::failed_attempts(app(ctx), self.0.id).await;
        let rows = rows.map_err(|error| raise("Job", error))?;
        Ok(rows.into_iter().map(JobAttempt::from).collect())
    }

    /// When it was enqueued.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When the last attempt started.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at.map(DateTime)
    }

    /// When it became final.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}
