//! Canaries: a job a minute in each queue that proves that the queue runs, and how fast.

use std::time::Duration;

use clipqueue_entities::{Timestamp, canary};
use sea_orm::{ActiveValue::Set, EntityTrait as _, sea_query::OnConflict};

use super::error::Result;
use crate::{
    app::App,
    job::{Job, Jobs},
    queue::ledger,
};

/// A queue whose last canary came back longer ago than this does not run, or not in time.
pub const STALE: Duration = Duration::from_secs(5 * 60);

/// How the canary of one queue fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The queue.
    pub queue: String,
    /// When the last one came back; none when none ever did.
    pub succeeded_at: Option<Timestamp>,
    /// From its enqueuing until a worker had it.
    pub latency: Option<Duration>,
    /// How long the queue has not proved itself: since the last one came back, or since the first
    /// one was sent.
    pub age: Duration,
}

impl Reading {
    /// Whether the queue should have proved itself since.
    pub fn is_stale(&self) -> bool {
        self.age > STALE
    }
}

/// Notes that a canary which was enqueued at `enqueued` was taken at `started`; gives how long that
/// took. An older one that comes late changes nothing.
pub async fn came_back(
    app: &App,
    queue: &str,
    enqueued: Timestamp,
    started: Timestamp,
) -> Result<Duration> {
    let latency = started.since(enqueued);
    canary::Entity::insert(canary::ActiveModel {
        queue: Set(queue.to_owned()),
        enqueued_at: Set(enqueued),
        succeeded_at: Set(app.clock.now()),
        latency_ms: Set(i64::try_from(latency.as_millis()).unwrap_or(i64::MAX)),
    })
    .on_conflict(
        OnConflict::column(canary::Column::Queue)
            .update_columns([
                canary::Column::EnqueuedAt,
                canary::Column::SucceededAt,
                canary::Column::LatencyMs,
            ])
            .to_owned(),
    )
    .exec_without_returning(app.db.write())
    .await?;
    Ok(latency)
}

/// How every queue's canary fares.
pub async fn readings(app: &App) -> Result<Vec<Reading>> {
    let now = app.clock.now();
    let rows = canary::Entity::find().all(app.db.read()).await?;
    let mut readings = Vec::with_capacity(Jobs::QUEUES.len());
    for queue in Jobs::QUEUES {
        let row = rows.iter().find(|row| row.queue == queue);
        let since = match row {
            Some(row) => Some(row.succeeded_at),
            None => on_its_way(app, queue).await?,
        };
        readings.push(Reading {
            queue: queue.to_owned(),
            succeeded_at: row.map(|row| row.succeeded_at),
            latency: row.and_then(|row| {
                u64::try_from(row.latency_ms)
                    .ok()
                    .map(Duration::from_millis)
            }),
            age: since.map(|since| now.since(since)).unwrap_or_default(),
        });
    }
    Ok(readings)
}

/// When the canary that is out was sent.
async fn on_its_way(app: &App, queue: &str) -> Result<Option<Timestamp>> {
    let key = Job::Canary {
        queue: queue.to_owned(),
    }
    .unique_key();
    let live = ledger::live(app.db.read(), std::slice::from_ref(&key)).await?;
    let Some(id) = live.get(&key) else {
        return Ok(None);
    };
    Ok(app.queue.job(*id).await?.map(|job| job.created_at))
}
