//! Queues, for operators.

use async_graphql::{Context, Object, SimpleObject};
use clipqueue_entities::job::JobState as Stored;

use super::job::JobState;
use crate::{
    graphql::{guard::app, scalars::DateTime},
    queue::ledger::QueueStats,
};

/// How many jobs of a queue are in one state.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct StateCount {
    /// The state.
    state: JobState,
    /// How many; 100,000 when there are more.
    jobs: i32,
    /// Whether there are more.
    capped: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Queue(pub(crate) QueueStats);

/// How a queue stands.
#[Object]
impl Queue {
    /// Its name.
    async fn name(&self) -> &str {
        &self.0.queue
    }

    /// Whether workers leave it alone until it is resumed.
    async fn paused(&self) -> bool {
        self.0.paused
    }

    /// Whether it is paused in order to be emptied: what was handed to the transport is taken back.
    async fn draining(&self) -> bool {
        self.0.draining
    }

    /// Whether a drain has come to its end: nothing of it runs, and the transport holds nothing of it.
    async fn drained(&self) -> bool {
        self.0.is_drained()
    }

    /// Its jobs by state.
    async fn depth(&self) -> Vec<StateCount> {
        let depth = self.0.depth.iter();
        depth
            .map(|(state, count)| StateCount {
                state: (*state).into(),
                jobs: i32::try_from(count.jobs).unwrap_or(i32::MAX),
                capped: count.capped,
            })
            .collect()
    }

    /// Jobs that workers have.
    async fn running(&self) -> i32 {
        i32::try_from(self.0.count(Stored::Running)).unwrap_or(i32::MAX)
    }

    /// The due time of the job that has waited longest for a worker; null when none waits.
    async fn oldest_waiting_at(&self) -> Option<DateTime> {
        self.0.oldest_waiting.map(DateTime)
    }

    /// How long that job has waited, in seconds.
    async fn oldest_waiting_seconds(&self, ctx: &Context<'_>) -> Option<f64> {
        let now = app(ctx).clock.now();
        Some(now.since(self.0.oldest_waiting?).as_secs_f64())
    }
}
