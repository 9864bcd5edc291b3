//! What watches the installation, for operators.

use async_graphql::{Json, Object, SimpleObject};
use clipqueue_entities::drift_report;
use serde_json::Value;

use crate::{
    domain::{canaries, overdue},
    graphql::scalars::DateTime,
};

/// What is past its deadline. In health every number is zero.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Overdue {
    /// Posts past the deadline of their state.
    posts: i32,
    /// Due jobs that nobody takes. Held ones wait for somebody and are not counted.
    jobs: i32,
    /// Running jobs whose lease has ended and that nobody rescued.
    leases: i32,
    /// Access tokens of connected accounts that ended and were not renewed.
    tokens: i32,
}

impl From<overdue::Overdue> for Overdue {
    fn from(overdue: overdue::Overdue) -> Self {
        let number = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            posts: number(overdue.posts),
            jobs: number(overdue.jobs),
            leases: number(overdue.leases),
            tokens: number(overdue.tokens),
        }
    }
}

/// How the canary of a queue fares: a job a minute that proves that the queue runs.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Canary {
    /// The queue.
    queue: String,
    /// When the last one came back; null when none ever did.
    succeeded_at: Option<DateTime>,
    /// From its enqueuing until a worker had it, in seconds.
    latency_seconds: Option<f64>,
    /// How long the queue has not proved itself, in seconds.
    age_seconds: f64,
    /// Whether the queue should have proved itself since.
    stale: bool,
}

impl From<canaries::Reading> for Canary {
    fn from(reading: canaries::Reading) -> Self {
        Self {
            stale: reading.is_stale(),
            succeeded_at: reading.succeeded_at.map(DateTime),
            latency_seconds: reading.latency.map(|latency| latency.as_secs_f64()),
            age_seconds: reading.age.as_secs_f64(),
            queue: reading.queue,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct DriftReport(pub(crate) drift_report::Model);

/// What one run of the drift auditor found and mended.
#[Object]
impl DriftReport {
    /// When.
    async fn at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Kind of drift → how many were found: `pointer_lost`, `pointer_stray`, `post_orphaned`,
    /// `tiktok_state`. More may come.
    async fn found(&self) -> Json<&Value> {
        Json(&self.0.found)
    }

    /// Kind of drift → how many of them were mended.
    async fn mended(&self) -> Json<&Value> {
        Json(&self.0.mended)
    }

    /// Accepted posts that nothing would ever have moved again.
    async fn lost(&self) -> i32 {
        i32::try_from(self.0.lost).unwrap_or(i32::MAX)
    }

    /// Posts that TikTok has more than once.
    async fn duplicates(&self) -> i32 {
        i32::try_from(self.0.duplicates).unwrap_or(i32::MAX)
    }

    /// Posts whose state was held against TikTok's answer.
    async fn sampled(&self) -> i32 {
        i32::try_from(self.0.sampled).unwrap_or(i32::MAX)
    }

    /// Sentences about single findings, fifty at most.
    async fn remarks(&self) -> Vec<String> {
        let remarks = self.0.remarks.as_array().into_iter().flatten();
        remarks
            .filter_map(|remark| remark.as_str().map(str::to_owned))
            .collect()
    }
}
