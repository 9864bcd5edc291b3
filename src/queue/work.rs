//! What goes into the queue, what a handler is given, and what it may answer.

use std::{sync::Arc, time::Duration};

use clipqueue_entities::{JobId, Timestamp};
use futures::future::BoxFuture;
use sea_orm::DbErr;

use super::lease::{Lease, LeaseError};

/// A job that is to be enqueued.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// The queue that runs it.
    pub queue: String,
    /// What kind of work it is.
    pub kind: String,
    /// The arguments of the kind.
    pub args: serde_json::Value,
    /// Whose turn it uses: a creator's account id, or empty.
    pub lane: String,
    /// Lower runs first within a lane; ordinary work is 0.
    pub priority: i32,
    /// When it is due.
    pub run_at: Timestamp,
    /// Attempts that it may use.
    pub max_attempts: i32,
    /// At most one live job has this key.
    pub unique_key: Option<String>,
}

/// A job that this process holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The job.
    pub id: JobId,
    /// The queue that runs it.
    pub queue: String,
    /// What kind of work it is.
    pub kind: String,
    /// The arguments of the kind.
    pub args: serde_json::Value,
    /// Whose turn it uses.
    pub lane: String,
    /// Which attempt this is; counts from one.
    pub attempt: i32,
    /// Attempts that it may use.
    pub max_attempts: i32,
    /// How often it put itself off.
    pub snoozes: i32,
    /// The fencing token of this attempt.
    pub fence: i64,
    /// When it was due.
    pub run_at: Timestamp,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When this attempt started.
    pub started_at: Timestamp,
}

/// One attempt, as it is handed to the runner.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job.
    pub job: Claimed,
    /// The right to run it.
    pub lease: Lease,
}

/// Runs one attempt. It is given at start, so that the queue knows no job by name.
pub type Runner = Arc<dyn Fn(Run) -> BoxFuture<'static, Ran> + Send + Sync>;

/// How an attempt ended.
pub type Ran = Result<Outcome, Failure>;

/// An attempt that went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Done,
    /// Nothing was wrong, but it is too early: run again after this time. Costs no attempt.
    Snooze(Duration),
}

/// An attempt that did not go well. The variants are what the queue shall do about it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Try again, after the policy's backoff or after a time that somebody named.
    #[error("the attempt failed")]
    Retry {
        /// What happened.
        #[source]
        error: anyhow::Error,
        /// The wait that the other side asked for.
        after: Option<Duration>,
    },
    /// Somebody must act first. Costs no attempt.
    #[error("held: {reason}")]
    Hold {
        /// What it waits for, as a word.
        reason: String,
        /// What happened.
        #[source]
        error: anyhow::Error,
    },
    /// The work is not wanted any more.
    #[error("cancelled")]
    Cancel {
        /// Why.
        #[source]
        error: anyhow::Error,
    },
    /// No retry can mend it.
    #[error("given up")]
    Discard {
        /// What happened.
        #[source]
        error: anyhow::Error,
    },
    /// The arguments cannot be read; the job is parked where operators see it.
    #[error("the arguments cannot be read")]
    Unreadable {
        /// Why not.
        #[source]
        error: anyhow::Error,
    },
}

impl Failure {
    /// Try again after the policy's backoff.
    pub fn retry(error: impl Into<anyhow::Error>) -> Self {
        Self::Retry {
            error: error.into(),
            after: None,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::retry(error)
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::retry(error)
    }
}

impl From<LeaseError> for Failure {
    /// A lost lease may be answered with anything: the fence drops the answer.
    fn from(error: LeaseError) -> Self {
        Self::retry(error)
    }
}
