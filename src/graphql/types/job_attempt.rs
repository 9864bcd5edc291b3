//! Attempts of jobs that did not succeed.

use async_graphql::{Enum, SimpleObject};
use clipqueue_entities::job_attempt;

use crate::graphql::scalars::DateTime;

/// How an attempt went wrong. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::job_attempt::AttemptOutcome")]
pub(crate) enum JobAttemptOutcome {
    /// The handler failed.
    Failed,
    /// The worker vanished.
    Crashed,
    /// It took longer than it may.
    TimedOut,
}

/// An attempt of a job that did not succeed.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct JobAttempt {
    /// Which attempt it was; counts from one.
    number: i32,
    /// How it went wrong.
    outcome: JobAttemptOutcome,
    /// The error's text.
    error: String,
    /// The process that ran it.
    worker: Option<String>,
    /// When it started.
    started_at: Option<DateTime>,
    /// When its end was noted.
    finished_at: DateTime,
}

impl From<job_attempt::Model> for JobAttempt {
    fn from(row: job_attempt::Model) -> Self {
        Self {
            number: row.attempt,
            outcome: row.outcome.into(),
            error: row.error,
            worker: row.worker,
            started_at: row.started_at.map(DateTime),
            finished_at: row.finished_at.into(),
        }
    }
}
