//! Jobs that nobody seems to care for: due for long, or running under a lease that has ended.

use std::time::Duration;

use clipqueue_entities::Timestamp;
use sea_orm::{DbErr, Value};

use crate::queue::{batch, core::Core};

/// A due job that has waited longer than this is stuck, whatever the reason: nobody runs its queue,
/// the queue is paused, or there is more work than workers.
const WAITS: Duration = Duration::from_secs(15 * 60);

/// A lease that ended longer ago than this was rescued by nobody; the rescuer needs half a minute.
const LEASE: Duration = Duration::from_secs(60);

/// Counting stops here.
const CAP: i64 = 100_000;

/// How many jobs are stuck. A held job is not: it waits for somebody, and says for whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stuck {
    /// Due, and not taken.
    pub waiting: u64,
    /// Running, with a lease that has ended.
    pub leases: u64,
}

/// Counts over the named queues.
pub(in crate::queue) async fn stuck(core: &Core, queues: &[String]) -> Result<Stuck, DbErr> {
    let now = core.clock.now();
    let mut stuck = Stuck::default();
    for queue in queues {
        for state in ["available", "scheduled", "retryable"] {
            stuck.waiting += count(core, queue, state, "run_at", now - WAITS).await?;
        }
        stuck.leases += count(core, queue, "running", "lease_until", now - LEASE).await?;
    }
    Ok(stuck)
}

async fn count(
    core: &Core,
    queue: &str,
    state: &'static str,
    column: &'static str,
    before: Timestamp,
) -> Result<u64, DbErr> {
    // The state stands in the text, so that the partial indexes apply.
    let sql = format!(
        "SELECT count(*) AS jobs FROM (SELECT 1 FROM jobs WHERE queue = $1 \
         AND state = '{state}' AND {column} < $2 LIMIT $3) AS late"
    );
    let values = vec![Value::from(queue), batch::millis(before), Value::from(CAP)];
    let rows = batch::all(core.db.read(), sql, values).await?;
    let jobs: i64 = rows.first().map_or(Ok(0), |row| row.try_get("", "jobs"))?;
    Ok(u64::try_from(jobs).unwrap_or(0))
}
