//! What may be done to jobs from outside: cancel, retry, hold and release.
//!
//! The acts on lanes and the plain cancel take a connection, so that the product can do them in the
//! transaction that holds the reason.

use clipqueue_entities::{
    JobId, Timestamp,
    job::{self, JobState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QueryResult, QuerySelect as _, SqlErr, Value,
};
use serde::Serialize;

use crate::queue::{
    batch::{self, Type},
    core::{CANCEL_TOPIC, Core},
    lease::StopReason,
};

/// States in which a job waits and nobody runs it.
const WAITING: &str = "state IN ('scheduled', 'available', 'retryable')";

/// What a cancel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It waited, and is cancelled.
    Cancelled,
    /// It runs, and its handler is asked to stop.
    Requested,
    /// It had ended already.
    AlreadyOver(JobState),
    /// There is no such job.
    NotFound,
}

/// What a retry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOutcome {
    /// It is due now.
    Retried,
    /// It is in a state from which nothing is retried: it waits, runs or has completed.
    NotRetryable(JobState),
    /// Another live job has its unique key: the work is in hands already.
    AlreadyLive,
    /// There is no such job.
    NotFound,
}

/// What a release did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseOutcome {
    /// It waits for its time, or is due.
    Released,
    /// It is not held.
    NotHeld(JobState),
    /// There is no such job.
    NotFound,
}

/// Cancels a job, or asks it to stop when it runs. After the commit call
/// [`Queue::announce_cancel`](crate::queue::Queue::announce_cancel), so that a running handler
/// hears of it at once.
pub async fn cancel_in(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    job: JobId,
) -> Result<CancelOutcome, DbErr> {
    let sql = "UPDATE jobs SET \
               state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END, \
               finished_at = CASE WHEN state = 'running' THEN NULL ELSE $2 END, \
               unique_key = CASE WHEN state = 'running' THEN unique_key ELSE NULL END, \
               hold_reason = NULL, cancel_requested = (state = 'running'), updated_at = $2 \
               WHERE id = $1 AND state NOT IN ('completed', 'discarded', 'cancelled') \
               RETURNING state";
    let values = vec![Value::from(job.0), batch::millis(now)];
    let changed = batch::all(connection, sql.to_owned(), values).await?;
    if let Some(row) = changed.first() {
        return Ok(match row.try_get::<JobState>("", "state")? {
            JobState::Running => CancelOutcome::Requested,
            _ => CancelOutcome::Cancelled,
        });
    }
    Ok(match state(connection, job).await? {
        Some(state) => CancelOutcome::AlreadyOver(state),
        None => CancelOutcome::NotFound,
    })
}

async fn state(connection: &impl ConnectionTrait, job: JobId) -> Result<Option<JobState>, DbErr> {
    let sql = "SELECT state FROM jobs WHERE id = $1";
    let rows = batch::all(connection, sql.to_owned(), vec![Value::from(job.0)]).await?;
    rows.first().map(|row| row.try_get("", "state")).transpose()
}

/// What became of a job that should run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hastened {
    /// It is due now.
    Due,
    /// It runs at this moment; what it will find may be older than the reason for haste.
    Running,
    /// It waits for somebody to act.
    Held,
    /// No live job has the key.
    Absent,
}

/// Makes the waiting job with `unique_key` due now. After the commit nudge its queue.
pub async fn hasten_in(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    unique_key: &str,
) -> Result<Hastened, DbErr> {
    let sql = "UPDATE jobs SET state = 'available', run_at = $2, dispatched_at = NULL, \
               updated_at = $2 WHERE unique_key = $1 AND state IN ('scheduled', 'retryable') \
               RETURNING id";
    let values = vec![Value::from(unique_key), batch::millis(now)];
    if !batch::all(connection, sql.to_owned(), values)
        .await?
        .is_empty()
    {
        return Ok(Hastened::Due);
    }
    let sql = "SELECT state FROM jobs WHERE unique_key = $1";
    let rows = batch::all(connection, sql.to_owned(), vec![Value::from(unique_key)]).await?;
    let state = rows
        .first()
        .map(|row| row.try_get::<JobState>("", "state"))
        .transpose()?;
    Ok(match state {
        None => Hastened::Absent,
        Some(JobState::Running) => Hastened::Running,
        Some(JobState::Held) => Hastened::Held,
        Some(_) => Hastened::Due,
    })
}

/// Tells the process that runs the job, wherever it is. Should the word be lost, the heartbeat finds
/// the request within seconds.
pub(in crate::queue) async fn announce_cancel(core: &Core, job: JobId) {
    for lease in core.live.of(job) {
        lease.stop(StopReason::Cancelled);
    }
    if let Err(error) = core.transport.publish(CANCEL_TOPIC, &job.to_string()).await {
        tracing::debug!(%error, "a cancel was not told");
    }
}

/// Makes a discarded, cancelled, held or waiting-to-retry job due now, with at least one attempt
/// left. Announce it after the commit.
///
/// A job that is over has lost its unique key: `unique_key` gives it back, or nothing is retried
/// while another live job has it. Should that other one come at this very moment, a transaction on
/// PostgreSQL is broken by it, and whatever else it did has to be done again.
pub async fn retry_in(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    job: JobId,
    unique_key: Option<&str>,
) -> Result<RetryOutcome, DbErr> {
    let sql = "UPDATE jobs SET state = 'available', run_at = $2, crashes = 0, hold_reason = NULL, \
               max_attempts = CASE WHEN attempt >= max_attempts THEN attempt + 1 \
                 ELSE max_attempts END, \
               dispatched_at = NULL, finished_at = NULL, cancel_requested = false, updated_at = $2, \
               unique_key = COALESCE(unique_key, $3) \
               WHERE id = $1 AND state IN ('discarded', 'cancelled', 'held', 'retryable') \
               AND (unique_key IS NOT NULL OR NOT EXISTS \
                 (SELECT 1 FROM jobs other WHERE other.unique_key = $3))";
    let values = vec![
        Value::from(job.0),
        batch::millis(now),
        Value::from(unique_key.map(str::to_owned)),
    ];
    match batch::run(connection, sql.to_owned(), values).await {
        Ok(1) => return Ok(RetryOutcome::Retried),
        Ok(_) => {}
        Err(error) => {
            return match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(_)) => Ok(RetryOutcome::AlreadyLive),
                _ => Err(error),
            };
        }
    }
    Ok(match state(connection, job).await? {
        Some(JobState::Discarded | JobState::Cancelled | JobState::Held | JobState::Retryable) => {
            RetryOutcome::AlreadyLive
        }
        Some(state) => RetryOutcome::NotRetryable(state),
        None => RetryOutcome::NotFound,
    })
}

/// Lets one held job go; it keeps its due time. Announce it after the commit.
pub async fn release_in(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    job: JobId,
) -> Result<ReleaseOutcome, DbErr> {
    let sql = "UPDATE jobs SET \
               state = CASE WHEN run_at <= $2 THEN 'available' ELSE 'scheduled' END, \
               hold_reason = NULL, dispatched_at = NULL, updated_at = $2 \
               WHERE id = $1 AND state = 'held'";
    let values = vec![Value::from(job.0), batch::millis(now)];
    if batch::run(connection, sql.to_owned(), values).await? == 1 {
        return Ok(ReleaseOutcome::Released);
    }
    Ok(match state(connection, job).await? {
        Some(state) => ReleaseOutcome::NotHeld(state),
        None => ReleaseOutcome::NotFound,
    })
}

/// Parks every waiting job of a lane; of the given kinds, or of all when none is given. Gives the
/// jobs.
pub async fn hold_lane(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    lane: &str,
    kinds: &[&str],
    reason: &str,
) -> Result<Vec<JobId>, DbErr> {
    let (with, of_kinds) = kinds_clause(connection, kinds);
    let sql = format!(
        "{with} UPDATE jobs SET state = 'held', hold_reason = $2, dispatched_at = NULL, \
         updated_at = $3 WHERE lane = $4 AND lane <> '' AND {WAITING} {of_kinds} RETURNING id"
    );
    let values = vec![
        kinds_value(kinds)?,
        Value::from(reason),
        batch::millis(now),
        Value::from(lane),
    ];
    batch::ids(&batch::all(connection, sql, values).await?)
}

/// Cancels every waiting or held job of a lane and asks the running ones to stop. Gives the jobs
/// that run: announce those after the commit.
pub async fn cancel_lane(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    lane: &str,
    kinds: &[&str],
) -> Result<Vec<JobId>, DbErr> {
    let (with, of_kinds) = kinds_clause(connection, kinds);
    let sql = format!(
        "{with} UPDATE jobs SET \
         state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END, \
         finished_at = CASE WHEN state = 'running' THEN NULL ELSE $2 END, \
         unique_key = CASE WHEN state = 'running' THEN unique_key ELSE NULL END, \
         hold_reason = NULL, cancel_requested = (state = 'running'), updated_at = $2 \
         WHERE lane = $3 AND lane <> '' \
         AND state IN ('scheduled', 'available', 'retryable', 'held', 'running') {of_kinds} \
         RETURNING id, state"
    );
    let values = vec![kinds_value(kinds)?, batch::millis(now), Value::from(lane)];
    let rows = batch::all(connection, sql, values).await?;
    let running: Vec<QueryResult> = rows
        .into_iter()
        .filter(|row| matches!(row.try_get::<JobState>("", "state"), Ok(JobState::Running)))
        .collect();
    batch::ids(&running)
}

/// Lets held jobs go: of one lane, of one reason, or both. They keep their due time. Gives their
/// queues, to be nudged after the commit.
pub async fn release_held(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    lane: Option<&str>,
    reason: Option<&str>,
) -> Result<Vec<String>, DbErr> {
    let mut values = vec![batch::millis(now)];
    let mut which = String::new();
    for (column, wanted) in [("hold_reason", reason), ("lane", lane)] {
        if let Some(wanted) = wanted {
            values.push(Value::from(wanted));
            which.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    let sql = format!(
        "UPDATE jobs SET \
         state = CASE WHEN run_at <= $1 THEN 'available' ELSE 'scheduled' END, \
         hold_reason = NULL, dispatched_at = NULL, updated_at = $1 \
         WHERE state = 'held'{which} RETURNING queue"
    );
    let mut queues = batch::all(connection, sql, values)
        .await?
        .iter()
        .map(|row| row.try_get("", "queue"))
        .collect::<Result<Vec<String>, DbErr>>()?;
    queues.sort_unstable();
    queues.dedup();
    Ok(queues)
}

/// The lanes after `cursor` of which jobs have been held for `reason` since before `quiet_since`, in
/// order, and since when the first of each is.
pub async fn held_lanes(
    connection: &impl ConnectionTrait,
    reason: &str,
    quiet_since: Timestamp,
    cursor: &str,
    limit: u64,
) -> Result<Vec<(String, Timestamp)>, DbErr> {
    let lanes: Vec<(String, i64)> = job::Entity::find()
        .select_only()
        .column(job::Column::Lane)
        .column_as(job::Column::UpdatedAt.min(), "since")
        .group_by(job::Column::Lane)
        .filter(job::Column::State.eq(JobState::Held))
        .filter(job::Column::HoldReason.eq(reason))
        .filter(job::Column::Lane.gt(cursor))
        .filter(job::Column::UpdatedAt.lt(quiet_since))
        .order_by_asc(job::Column::Lane)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(lanes
        .into_iter()
        .map(|(lane, since)| (lane, Timestamp::from_millis(since)))
        .collect())
}

#[derive(Serialize)]
struct Kind<'a> {
    kind: &'a str,
}

/// The batch of kinds is the first parameter even when it is empty and not asked.
fn kinds_clause(connection: &impl ConnectionTrait, kinds: &[&str]) -> (String, &'static str) {
    let backend = connection.get_database_backend();
    let v = batch::unfold(backend, kinds.len(), &[("kind", Type::Text)]);
    let clause = if kinds.is_empty() {
        "AND NOT EXISTS (SELECT 1 FROM v)"
    } else {
        "AND kind IN (SELECT v.kind FROM v)"
    };
    (format!("WITH {v}"), clause)
}

fn kinds_value(kinds: &[&str]) -> Result<Value, DbErr> {
    let kinds: Vec<Kind<'_>> = kinds.iter().map(|kind| Kind { kind }).collect();
    batch::json(&kinds)
}
