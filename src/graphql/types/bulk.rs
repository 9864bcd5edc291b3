//! Acts on many jobs, for operators.

use async_graphql::{Context, Enum, ID, Json, Object, Result, SimpleObject};
use clipqueue_entities::bulk_act;
use serde_json::Value;

use super::job::Job;
use crate::{
    domain::{bulk, error::Error, operators},
    graphql::{guard::app, ids::Global as _, scalars::DateTime, user_error::raise},
};

/// What is done to each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::bulk_act::BulkAction")]
pub(crate) enum BulkAction {
    /// It is made due now. Without a state in the filter: DISCARDED jobs.
    Retry,
    /// It is called off. Without a state in the filter: every job that is not over.
    Cancel,
    /// It is let go from its hold.
    Release,
}

/// Where an act on many jobs stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::bulk_act::BulkState")]
pub(crate) enum BulkState {
    /// Batch after batch is done.
    Running,
    /// Every job that matched was looked at.
    Completed,
    /// Somebody stopped it; what was done stays done.
    Cancelled,
    /// Its job was given up, and `lastError` says why; what was done stays done. Retry the job, and it
    /// goes on from there.
    Failed,
}

/// What an act on many jobs would be about.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct BulkPreview {
    /// How many jobs match; 100,000 when there are more.
    matched: i32,
    /// Whether there are more.
    capped: bool,
    /// The oldest of them, ten at most.
    sample: Vec<Job>,
    /// When that was so. Give it to `startBulkAct`: jobs that come or change later are left alone.
    as_of: DateTime,
}

impl From<bulk::Preview> for BulkPreview {
    fn from(preview: bulk::Preview) -> Self {
        Self {
            matched: number(preview.matched),
            capped: preview.capped,
            sample: preview.sample.into_iter().map(Job).collect(),
            as_of: preview.as_of.into(),
        }
    }
}

fn number(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BulkAct(pub(crate) bulk_act::Model);

/// One act on many jobs, and how far it has come.
#[Object]
impl BulkAct {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// What is done.
    async fn action(&self) -> BulkAction {
        self.0.action.into()
    }

    /// To which jobs, with the names of the filter's fields as they are stored.
    async fn filter(&self) -> Json<&Value> {
        Json(&self.0.filter)
    }

    /// Where it stands.
    async fn state(&self) -> BulkState {
        self.0.state.into()
    }

    /// When its operator looked.
    async fn as_of(&self) -> DateTime {
        self.0.as_of.into()
    }

    /// Jobs that matched when it started.
    async fn total(&self) -> i32 {
        number(self.0.matched)
    }

    /// Jobs that were changed.
    async fn done(&self) -> i32 {
        number(self.0.done)
    }

    /// Jobs that could not be changed.
    async fn failed(&self) -> i32 {
        number(self.0.failed)
    }

    /// Why the last of those could not be changed.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// The job that carries it out; null once that is deleted by age. When it was given up, retry it:
    /// the act goes on where it stopped.
    #[graphql(complexity = "5 + child_complexity")]
    async fn job(&self, ctx: &Context<'_>) -> Result<Option<Job>> {
        match operators::job(app(ctx), self.0.job_id).await {
            Ok(job) => Ok(Some(Job(job))),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(raise("Job", error)),
        }
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it last moved.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }

    /// When it ended.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}
