//! Claiming: the one conditional update that turns pointers into jobs that this process may run.
//!
//! A row is claimed with the nonce of its pointer. The claim counts the attempt and issues the
//! fencing token, so that the same pointer, delivered again, changes no row. A row that is due may be
//! claimed before anybody promoted it. Of a paused queue nothing is claimed, however late the pause is
//! heard of here.
//!
//! A claim does not wait for the disk. A power cut of the database may undo it while whoever made it
//! lives on, so that the same pointer is claimed a second time. The low bits of a fencing token are
//! therefore drawn: the two claims have different ones, and the first can prove nothing.

use std::collections::HashMap;

use clipqueue_entities::{JobId, Timestamp, job::JobState};
use sea_orm::{DbErr, QueryResult, Value};
use serde::Serialize;

use super::{
    batch::{self, Type},
    core::Core,
    policy::DEFAULT_LEASE,
    transport::Delivery,
    work::Claimed,
};
use crate::crash::{self, Commit};

/// How many of a fencing token's bits are drawn. The bits above them count the claims of the job: 2^35
/// of them fit. A dispatch adds one, which is far from the next claim's.
pub(super) const DRAWN_BITS: u32 = 28;

#[derive(Serialize)]
struct Row {
    id: JobId,
    nonce: i64,
}

impl From<&Delivery> for Row {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.job,
            nonce: delivery.nonce,
        }
    }
}

/// What a batch of pointers was worth.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Jobs that this process holds now, in the order of their pointers.
    pub(super) claimed: Vec<(Delivery, Claimed)>,
    /// Pointers that were stale, double or early, or whose queue is paused.
    pub(super) dropped: Vec<Delivery>,
    /// Until when the claimed jobs are believed.
    pub(super) until: Timestamp,
}

/// Claims a batch in one statement.
pub(super) async fn claim(
    core: &Core,
    queue: &str,
    deliveries: Vec<Delivery>,
) -> Result<Claims, DbErr> {
    let now = core.clock.now();
    let until = now + DEFAULT_LEASE;
    let rows: Vec<Row> = deliveries.iter().map(Row::from).collect();
    let v = batch::unfold(
        core.db.backend(),
        rows.len(),
        &[("id", Type::Id), ("nonce", Type::Int)],
    );
    let sql = format!(
        "WITH {v}, {} UPDATE jobs SET state = 'running', attempt = attempt + 1, \
         fence = (((fence >> {DRAWN_BITS}) + 1) << {DRAWN_BITS}) + $5, \
         lease_owner = $2, lease_until = $3, started_at = $4, hold_reason = NULL, progress = NULL, \
         updated_at = $4 FROM v, unsynced \
         WHERE jobs.id = v.id AND jobs.fence = v.nonce \
         AND jobs.state IN ('available', 'scheduled', 'retryable') AND jobs.run_at <= $4 \
         AND jobs.attempt < jobs.max_attempts \
         AND NOT EXISTS (SELECT 1 FROM queue_controls WHERE queue = $6 AND paused) \
         RETURNING jobs.id, kind, args, lane, attempt, max_attempts, snoozes, fence, run_at, \
         created_at",
        core.db.unsynced()
    );
    let values = vec![
        batch::json(&rows)?,
        Value::from(core.node.as_ref()),
        batch::millis(until),
        batch::millis(now),
        Value::from(drawn()),
        Value::from(queue),
    ];
    // Whatever the holder commits later waits for the disk and takes the claim along, since the log is
    // one sequence: a claim that a power cut undoes is one of which nothing came.
    let claim = core.db.write_unsynced(sql, values);
    let mut claimed: HashMap<JobId, Claimed> = crash::write(Commit::JobsClaimed, claim)
        .await?
        .iter()
        .map(|row| read(row, queue, now).map(|job| (job.id, job)))
        .collect::<Result<_, DbErr>>()?;
    let mut claims = Claims {
        until,
        ..Claims::default()
    };
    for delivery in deliveries {
        match claimed.remove(&delivery.job) {
            Some(job) => claims.claimed.push((delivery, job)),
            None => claims.dropped.push(delivery),
        }
    }
    Ok(claims)
}

/// Lets rows be handed out again whose pointers were refused although no newer ones exist: they are due
/// by somebody else's clock alone, and wait for their time again; or their queue was paused meanwhile, and they stay
/// available. Gives the state of each.
pub(super) async fn put_back(
    core: &Core,
    dropped: &[Delivery],
) -> Result<Vec<(JobId, JobState)>, DbErr> {
    let rows: Vec<Row> = dropped.iter().map(Row::from).collect();
    let v = batch::unfold(
        core.db.backend(),
        rows.len(),
        &[("id", Type::Id), ("nonce", Type::Int)],
    );
    let sql = format!(
        "WITH {v}, {} UPDATE jobs SET dispatched_at = NULL, \
         updated_at = CASE WHEN run_at > $2 THEN $2 ELSE updated_at END, \
         state = CASE WHEN run_at <= $2 THEN state WHEN attempt > 0 THEN 'retryable' ELSE 'scheduled' END \
         FROM v, unsynced \
         WHERE jobs.id = v.id AND jobs.fence = v.nonce AND jobs.state = 'available' \
         AND jobs.attempt < jobs.max_attempts RETURNING jobs.id, state",
        core.db.unsynced()
    );
    let values = vec![batch::json(&rows)?, batch::millis(core.clock.now())];
    // What a power cut undoes is found by the audit.
    let put_back = core.db.write_unsynced(sql, values).await?;
    let state = |row: &QueryResult| Ok((row.try_get("", "id")?, row.try_get("", "state")?));
    put_back.iter().map(state).collect()
}

/// Whether somebody runs the row of a pointer by it: their claim was faster than ours.
pub(super) async fn is_run_by(core: &Core, pointer: &Delivery) -> Result<bool, DbErr> {
    let sql = format!(
        "SELECT id FROM jobs WHERE id = $1 AND state = 'running' \
         AND fence >> {DRAWN_BITS} = ($2 >> {DRAWN_BITS}) + 1"
    );
    let values = vec![Value::from(pointer.job.0), Value::from(pointer.nonce)];
    Ok(!batch::all(core.db.read(), sql, values).await?.is_empty())
}

/// The part of a fencing token that no other claim of the same row has.
fn drawn() -> i64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    i64::from(u32::from_le_bytes(bytes) >> (u32::BITS - DRAWN_BITS))
}

fn read(row: &QueryResult, queue: &str, now: Timestamp) -> Result<Claimed, DbErr> {
    Ok(Claimed {
        id: row.try_get("", "id")?,
        queue: queue.to_owned(),
        kind: row.try_get("", "kind")?,
        args: row.try_get("", "args")?,
        lane: row.try_get("", "lane")?,
        attempt: row.try_get("", "attempt")?,
        max_attempts: row.try_get("", "max_attempts")?,
        snoozes: row.try_get("", "snoozes")?,
        fence: row.try_get("", "fence")?,
        run_at: row.try_get("", "run_at")?,
        created_at: row.try_get("", "created_at")?,
        started_at: now,
    })
}
