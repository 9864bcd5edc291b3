//! Rescue: attempts whose process gave no sign of life in time.
//!
//! Any process rescues for all. A lease must be found expired twice, unchanged, some seconds apart:
//! when a clock is set forward every lease looks expired for a moment, and one beat of the living
//! renews theirs. A rescue spends the attempt and counts a crash; three crashes in a row are poison.

use std::{collections::HashMap, time::Duration};

use clipqueue_entities::{JobId, Timestamp, job::JobState};
use sea_orm::{DbErr, QueryResult, Value};
use serde::Serialize;

use super::{
    batch::{self, Type},
    core::Core,
    ledger,
};
use crate::crash::{self, Commit};

/// The time between two looks. An expired lease is acted on after two, so that with leases of 15 s
/// a job of a killed process runs elsewhere within about 21 s.
pub(super) const INTERVAL: Duration = Duration::from_secs(3);

/// Crashes in a row after which a job is poison.
pub const POISON_CRASHES: i32 = 3;

/// Expired leases of a queue that one look takes in; the next look goes on.
const LOOK_LIMIT: i64 = 5000;

/// Jobs rescued in one transaction.
const GROUP: usize = 500;

/// A running row, as far as a rescue is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Suspect {
    fence: i64,
    lease_until: Timestamp,
}

/// Remembers what it found expired.
#[derive(Debug, Default)]
pub(super) struct Rescuer {
    suspects: HashMap<JobId, Suspect>,
}

impl Rescuer {
    /// Looks once; rescues what was already expired at the last look. Gives the number of rescued
    /// jobs.
    pub(super) async fn look(&mut self, core: &Core) -> Result<usize, DbErr> {
        let now = core.clock.now();
        let mut found = HashMap::new();
        for queue in ledger::queues(core.db.read()).await? {
            found.extend(expired(core, &queue, now).await?);
        }
        let (sure, new): (HashMap<_, _>, HashMap<_, _>) = found
            .into_iter()
            .partition(|(job, suspect)| self.suspects.get(job) == Some(suspect));
        self.suspects = new;
        let mut sure: Vec<(JobId, Suspect)> = sure.into_iter().collect();
        sure.sort_unstable_by_key(|(id, _)| id.0);
        let mut rescued = 0;
        for sure in sure.chunks(GROUP) {
            rescued += rescue(core, sure, now).await?;
        }
        Ok(rescued)
    }
}

async fn expired(core: &Core, queue: &str, now: Timestamp) -> Result<Vec<(JobId, Suspect)>, DbErr> {
    // Few rows run, so that the index of states is enough.
    let sql = "SELECT id, fence, lease_until FROM jobs WHERE queue = $1 AND state = 'running' \
               AND lease_until < $2 ORDER BY id LIMIT $3";
    let values = vec![
        Value::from(queue),
        batch::millis(now),
        Value::from(LOOK_LIMIT),
    ];
    batch::all(core.db.read(), sql.to_owned(), values)
        .await?
        .iter()
        .map(|row| {
            let suspect = Suspect {
                fence: row.try_get("", "fence")?,
                lease_until: row.try_get("", "lease_until")?,
            };
            Ok((row.try_get("", "id")?, suspect))
        })
        .collect()
}

#[derive(Serialize)]
struct Row {
    id: JobId,
    fence: i64,
    lease_until: Timestamp,
}

const LOST: &str = "the process that ran it gave no sign of life";

async fn rescue(core: &Core, sure: &[(JobId, Suspect)], now: Timestamp) -> Result<usize, DbErr> {
    let rows: Vec<Row> = sure
        .iter()
        .map(|(id, suspect)| Row {
            id: *id,
            fence: suspect.fence,
            lease_until: suspect.lease_until,
        })
        .collect();
    let v = batch::unfold(
        core.db.backend(),
        rows.len(),
        &[
            ("id", Type::Id),
            ("fence", Type::Int),
            ("lease_until", Type::Int),
        ],
    );
    let over = format!("(crashes + 1 >= {POISON_CRASHES} OR attempt >= max_attempts)");
    let sql = format!(
        "WITH {v} UPDATE jobs SET \
         state = CASE WHEN cancel_requested THEN 'cancelled' WHEN {over} THEN 'discarded' \
           ELSE 'retryable' END, \
         finished_at = CASE WHEN cancel_requested OR {over} THEN $2 END, \
         unique_key = CASE WHEN cancel_requested OR {over} THEN NULL ELSE unique_key END, \
         last_error = CASE WHEN crashes + 1 >= {POISON_CRASHES} THEN $4 ELSE $3 END, \
         crashes = crashes + 1, run_at = $2, lease_until = NULL, dispatched_at = NULL, \
         cancel_requested = false, updated_at = $2 \
         FROM v WHERE jobs.id = v.id AND jobs.fence = v.fence AND jobs.state = 'running' \
         AND jobs.lease_until = v.lease_until \
         RETURNING jobs.id, queue, state, jobs.fence, attempt, lease_owner, started_at"
    );
    let poison = format!("{LOST}, {POISON_CRASHES} times in a row: given up as poison");
    let tx = core.db.begin().await?;
    let rescued = batch::all(
        &tx,
        sql,
        vec![
            batch::json(&rows)?,
            batch::millis(now),
            Value::from(LOST),
            Value::from(poison),
        ],
    )
    .await?;
    note_crashes(&tx, &rescued, now).await?;
    crash::commit(tx, Commit::JobsRescued).await?;
    tell(core, &rescued).await?;
    Ok(rescued.len())
}

#[derive(Serialize)]
struct Crash {
    job_id: JobId,
    fence: i64,
    attempt: i32,
    worker: Option<String>,
    started_at: Option<Timestamp>,
}

async fn note_crashes(
    connection: &impl sea_orm::ConnectionTrait,
    rescued: &[QueryResult],
    now: Timestamp,
) -> Result<(), DbErr> {
    if rescued.is_empty() {
        return Ok(());
    }
    let rows: Vec<Crash> = rescued
        .iter()
        .map(|row| {
            Ok(Crash {
                job_id: row.try_get("", "id")?,
                fence: row.try_get("", "fence")?,
                attempt: row.try_get("", "attempt")?,
                worker: row.try_get("", "lease_owner")?,
                started_at: row.try_get("", "started_at")?,
            })
        })
        .collect::<Result<_, DbErr>>()?;
    let v = batch::unfold(
        connection.get_database_backend(),
        rows.len(),
        &[
            ("job_id", Type::Id),
            ("fence", Type::Int),
            ("attempt", Type::Int),
            ("worker", Type::Text),
            ("started_at", Type::Int),
        ],
    );
    let sql = format!(
        "WITH {v} INSERT INTO job_attempts \
         (job_id, fence, attempt, outcome, error, worker, started_at, finished_at) \
         SELECT job_id, fence, attempt, 'crashed', $2, worker, started_at, $3 FROM v"
    );
    let values = vec![batch::json(&rows)?, Value::from(LOST), batch::millis(now)];
    batch::run(connection, sql, values).await?;
    Ok(())
}

async fn tell(core: &Core, rescued: &[QueryResult]) -> Result<(), DbErr> {
    let mut by_queue: HashMap<String, Vec<(JobId, JobState)>> = HashMap::new();
    for row in rescued {
        by_queue
            .entry(row.try_get("", "queue")?)
            .or_default()
            .push((row.try_get("", "id")?, row.try_get("", "state")?));
    }
    for (queue, changes) in by_queue {
        tracing::warn!(
            queue,
            jobs = changes.len(),
            "attempts of a lost process were rescued"
        );
        core.notices.changed(&queue, changes);
        core.wakes.relay(&queue).look();
    }
    Ok(())
}
