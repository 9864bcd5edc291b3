//! How queues stand.

use clipqueue_entities::{Timestamp, job::JobState, queue_control};
use sea_orm::{DbErr, EntityTrait, Iterable, Value};

use super::list::queues;
use crate::queue::{batch, core::Core};

/// Counting stops here: a person needs no exact number beyond it, and a count of everything would
/// grow with the table.
const COUNT_CAP: i64 = 100_000;

/// How many of the available jobs that were created first are looked at for the oldest one.
const OLDEST_SAMPLE: i64 = 200;

/// A number of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many; 100,000 when there are more.
    pub jobs: u64,
    /// Whether there are more.
    pub capped: bool,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// Its name.
    pub queue: String,
    /// Whether workers leave it alone.
    pub paused: bool,
    /// Whether it is paused in order to be emptied.
    pub draining: bool,
    /// Its jobs by state.
    pub depth: Vec<(JobState, Count)>,
    /// Due jobs whose pointer is in the transport.
    pub handed_out: u64,
    /// The due time of the job that has waited longest for a worker.
    pub oldest_waiting: Option<Timestamp>,
}

impl QueueStats {
    /// Whether a drain has come to its end: nothing runs, and the transport holds nothing of it.
    pub fn is_drained(&self) -> bool {
        self.draining && self.handed_out == 0 && self.count(JobState::Running) == 0
    }

    /// How many jobs are in `state`.
    pub fn count(&self, state: JobState) -> u64 {
        self.depth
            .iter()
            .find(|(of, _)| *of == state)
            .map_or(0, |(_, count)| count.jobs)
    }
}

/// The named queues, or every queue that has jobs or controls when none is named.
pub(in crate::queue) async fn stats(
    core: &Core,
    names: &[String],
) -> Result<Vec<QueueStats>, DbErr> {
    let controls = queue_control::Entity::find().all(core.db.read()).await?;
    let mut wanted = names.to_vec();
    if wanted.is_empty() {
        wanted = queues(core.db.read()).await?;
        wanted.extend(controls.iter().map(|control| control.queue.clone()));
        wanted.sort_unstable();
        wanted.dedup();
    }
    let mut stats = Vec::with_capacity(wanted.len());
    for queue in wanted {
        let control = controls.iter().find(|control| control.queue == queue);
        stats.push(QueueStats {
            paused: control.is_some_and(|control| control.paused),
            draining: control.is_some_and(|control| control.paused && control.draining),
            handed_out: handed_out(core, &queue).await?,
            depth: depth(core, &queue).await?,
            oldest_waiting: oldest(core, &queue).await?,
            queue,
        });
    }
    Ok(stats)
}

async fn depth(core: &Core, queue: &str) -> Result<Vec<(JobState, Count)>, DbErr> {
    let parts: Vec<String> = JobState::iter()
        .map(|state| {
            format!(
                "SELECT '{0}' AS state, count(*) AS jobs FROM \
                 (SELECT 1 FROM jobs WHERE queue = $1 AND state = '{0}' LIMIT $2) AS t_{0}",
                state.as_str()
            )
        })
        .collect();
    let values = vec![Value::from(queue), Value::from(COUNT_CAP + 1)];
    batch::all(core.db.read(), parts.join(" UNION ALL "), values)
        .await?
        .iter()
        .map(|row| {
            let jobs: i64 = row.try_get("", "jobs")?;
            let count = Count {
                jobs: u64::try_from(jobs.min(COUNT_CAP)).unwrap_or(0),
                capped: jobs > COUNT_CAP,
            };
            Ok((row.try_get("", "state")?, count))
        })
        .collect()
}

async fn handed_out(core: &Core, queue: &str) -> Result<u64, DbErr> {
    let sql = "SELECT count(*) AS jobs FROM (SELECT 1 FROM jobs WHERE queue = $1 \
               AND state = 'available' AND dispatched_at IS NOT NULL LIMIT $2) AS told";
    let values = vec![Value::from(queue), Value::from(COUNT_CAP)];
    let rows = batch::all(core.db.read(), sql.to_owned(), values).await?;
    let jobs: i64 = rows.first().map_or(Ok(0), |row| row.try_get("", "jobs"))?;
    Ok(u64::try_from(jobs).unwrap_or(0))
}

async fn oldest(core: &Core, queue: &str) -> Result<Option<Timestamp>, DbErr> {
    let sql = "SELECT min(run_at) AS run_at FROM (\
               SELECT * FROM (SELECT run_at FROM jobs WHERE queue = $1 AND state = 'available' \
                 AND dispatched_at IS NOT NULL ORDER BY run_at LIMIT 1) AS told \
               UNION ALL SELECT * FROM (SELECT run_at FROM jobs WHERE queue = $1 \
                 AND state IN ('scheduled', 'retryable') AND run_at <= $2 \
                 ORDER BY run_at LIMIT 1) AS due \
               UNION ALL SELECT * FROM (SELECT run_at FROM jobs WHERE queue = $1 \
                 AND state = 'available' ORDER BY id LIMIT $3) AS first) AS oldest";
    let values = vec![
        Value::from(queue),
        batch::millis(core.clock.now()),
        Value::from(OLDEST_SAMPLE),
    ];
    let rows = batch::all(core.db.read(), sql.to_owned(), values).await?;
    rows.first()
        .map_or(Ok(None), |row| row.try_get("", "run_at"))
}
