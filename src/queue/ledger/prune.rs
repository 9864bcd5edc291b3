//! Pruning: finished jobs do not stay for ever.

use clipqueue_entities::{JobId, Timestamp, job::JobState};
use sea_orm::{DbErr, Iterable, Value};
use uuid::Uuid;

use super::list::queues;
use crate::queue::{batch, core::Core};

/// Deletes up to `limit` jobs that finished before `before`, with their attempts, and the slots of
/// crons from that time. Gives the number of jobs; call it again until that is zero.
pub(in crate::queue) async fn prune(
    core: &Core,
    before: Timestamp,
    limit: u64,
) -> Result<u64, DbErr> {
    prune_slots(core, before).await?;
    let mut deleted = 0;
    for queue in queues(core.db.read()).await? {
        for state in JobState::iter().filter(|state| state.is_final()) {
            if deleted < limit {
                deleted += prune_jobs(core, &queue, state, before, limit - deleted).await?;
            }
        }
    }
    Ok(deleted)
}

/// How many jobs finished before `before`, and when the first of them did.
pub(in crate::queue) async fn prunable(
    core: &Core,
    before: Timestamp,
) -> Result<(u64, Option<Timestamp>), DbErr> {
    let over: Vec<String> = JobState::iter()
        .filter(|state| state.is_final())
        .map(|state| format!("'{}'", state.as_str()))
        .collect();
    let sql = format!(
        "SELECT count(*) AS n, min(finished_at) AS oldest FROM jobs \
         WHERE state IN ({}) AND finished_at < $1",
        over.join(", ")
    );
    let rows = batch::all(core.db.read(), sql, vec![batch::millis(before)]).await?;
    let Some(row) = rows.first() else {
        return Ok((0, None));
    };
    let (count, oldest): (i64, Option<i64>) = (row.try_get("", "n")?, row.try_get("", "oldest")?);
    Ok((count.unsigned_abs(), oldest.map(Timestamp::from_millis)))
}

async fn prune_jobs(
    core: &Core,
    queue: &str,
    state: JobState,
    before: Timestamp,
    limit: u64,
) -> Result<u64, DbErr> {
    // A job that finished before then was created before then, and ids begin with that time: the
    // index of states gives the candidates in order.
    let sql = "WITH p AS MATERIALIZED (SELECT id FROM jobs WHERE queue = $1 AND state = $2 \
                 AND id < $3 AND finished_at < $4 ORDER BY id LIMIT $5) \
               DELETE FROM jobs WHERE id IN (SELECT id FROM p)";
    let values = vec![
        Value::from(queue),
        Value::from(state.as_str()),
        Value::from(first_id(before).0),
        batch::millis(before),
        Value::from(i64::try_from(limit).unwrap_or(i64::MAX)),
    ];
    batch::run(core.db.write(), sql.to_owned(), values).await
}

/// The least id that may have been made at `at`.
fn first_id(at: Timestamp) -> JobId {
    let millis = u128::from(at.as_millis().unsigned_abs());
    JobId(Uuid::from_u128(millis << 80))
}

async fn prune_slots(core: &Core, before: Timestamp) -> Result<u64, DbErr> {
    // The newest slot of each cron stays: it says what has fired.
    let sql = "DELETE FROM cron_slots WHERE fire_at < $1 AND fire_at < \
               (SELECT max(c.fire_at) FROM cron_slots c WHERE c.name = cron_slots.name)";
    batch::run(core.db.write(), sql.to_owned(), vec![batch::millis(before)]).await
}
