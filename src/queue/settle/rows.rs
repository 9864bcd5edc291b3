//! The statements that settle a group.

use std::collections::HashMap;

use clipqueue_entities::{JobId, Timestamp, job::JobState};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr};
use serde::Serialize;

use super::{Settlement, Verdict};
use crate::{
    crash::{self, Commit},
    queue::{
        batch::{self, Type},
        core::Core,
    },
};

#[derive(Serialize)]
struct Row<'a> {
    id: JobId,
    fence: i64,
    state: &'static str,
    live: i32,
    run_at: Option<Timestamp>,
    unspent: i32,
    snooze: i32,
    reason: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(settlement: &'a Settlement) -> Self {
        let verdict = &settlement.verdict;
        let state = verdict.state();
        let mut row = Self {
            id: settlement.job.id,
            fence: settlement.job.fence,
            state: state.as_str(),
            live: i32::from(!state.is_final()),
            run_at: None,
            unspent: 0,
            snooze: 0,
            reason: None,
            error: None,
        };
        match verdict {
            Verdict::Completed => {}
            Verdict::Snoozed(at) => {
                row.run_at = Some(*at);
                row.unspent = 1;
                row.snooze = 1;
            }
            Verdict::Retry { at, error, .. } => {
                row.run_at = Some(*at);
                row.error = Some(error);
            }
            Verdict::Discarded { error, .. } | Verdict::Cancelled { error } => {
                row.error = Some(error);
            }
            Verdict::Held { reason, error } => {
                row.unspent = 1;
                row.reason = Some(reason);
                row.error = Some(error);
            }
            Verdict::GivenBack => row.unspent = 1,
        }
        row
    }
}

/// Writes a group, and gives the new state of each job whose attempt was still the newest.
pub(super) async fn settle(
    core: &Core,
    group: &[Settlement],
) -> Result<HashMap<JobId, JobState>, DbErr> {
    let now = core.clock.now();
    // In the order in which renewals and rescues lock rows.
    let mut group: Vec<&Settlement> = group.iter().collect();
    group.sort_unstable_by_key(|one| one.job.id.0);
    let (done, rest): (Vec<&Settlement>, Vec<&Settlement>) = group
        .into_iter()
        .partition(|one| one.verdict == Verdict::Completed);
    if rest.is_empty() {
        let complete = complete(core.db.write(), &done, now);
        return crash::write(Commit::JobsSettled, complete).await;
    }
    let tx = core.db.begin().await?;
    let mut states = update(&tx, &rest, now).await?;
    note_failures(&tx, &rest, &states, core, now).await?;
    if !done.is_empty() {
        states.extend(complete(&tx, &done, now).await?);
    }
    crash::commit(tx, Commit::JobsSettled).await?;
    Ok(states)
}

#[derive(Serialize)]
struct Done {
    id: JobId,
    fence: i64,
}

/// The common end, with the least to say about each row.
async fn complete(
    connection: &impl ConnectionTrait,
    group: &[&Settlement],
    now: Timestamp,
) -> Result<HashMap<JobId, JobState>, DbErr> {
    let rows: Vec<Done> = group
        .iter()
        .map(|one| Done {
            id: one.job.id,
            fence: one.job.fence,
        })
        .collect();
    let v = batch::unfold(
        connection.get_database_backend(),
        rows.len(),
        &[("id", Type::Id), ("fence", Type::Int)],
    );
    let sql = format!(
        "WITH {v} UPDATE jobs SET state = 'completed', finished_at = $2, unique_key = NULL, \
         crashes = 0, lease_owner = NULL, lease_until = NULL, dispatched_at = NULL, \
         cancel_requested = false, updated_at = $2 \
         FROM v WHERE jobs.id = v.id AND jobs.fence = v.fence AND jobs.state = 'running' \
         RETURNING jobs.id"
    );
    let values = vec![batch::json(&rows)?, batch::millis(now)];
    let settled = batch::ids(&batch::all(connection, sql, values).await?)?;
    Ok(settled
        .into_iter()
        .map(|id| (id, JobState::Completed))
        .collect())
}

async fn update(
    connection: &impl ConnectionTrait,
    group: &[&Settlement],
    now: Timestamp,
) -> Result<HashMap<JobId, JobState>, DbErr> {
    let rows: Vec<Row<'_>> = group.iter().copied().map(Row::new).collect();
    let v = batch::unfold(
        connection.get_database_backend(),
        rows.len(),
        &[
            ("id", Type::Id),
            ("fence", Type::Int),
            ("state", Type::Text),
            ("live", Type::Int),
            ("run_at", Type::Int),
            ("unspent", Type::Int),
            ("snooze", Type::Int),
            ("reason", Type::Text),
            ("error", Type::Text),
        ],
    );
    // A job that somebody cancelled while it ran ends as cancelled, unless it ended anyway.
    let sql = format!(
        "WITH {v} UPDATE jobs SET \
         state = CASE WHEN cancel_requested AND v.live = 1 THEN 'cancelled' ELSE v.state END, \
         finished_at = CASE WHEN cancel_requested OR v.live = 0 THEN $2 END, \
         unique_key = CASE WHEN cancel_requested OR v.live = 0 THEN NULL ELSE unique_key END, \
         run_at = coalesce(v.run_at, jobs.run_at), attempt = attempt - v.unspent, \
         snoozes = snoozes + v.snooze, crashes = 0, hold_reason = v.reason, \
         last_error = coalesce(v.error, last_error), lease_owner = NULL, lease_until = NULL, \
         dispatched_at = NULL, cancel_requested = false, updated_at = $2 \
         FROM v WHERE jobs.id = v.id AND jobs.fence = v.fence AND jobs.state = 'running' \
         RETURNING jobs.id, jobs.state"
    );
    batch::all(
        connection,
        sql,
        vec![batch::json(&rows)?, batch::millis(now)],
    )
    .await?
    .iter()
    .map(|row| Ok((row.try_get("", "id")?, row.try_get("", "state")?)))
    .collect()
}

#[derive(Serialize)]
struct Failed<'a> {
    job_id: JobId,
    fence: i64,
    attempt: i32,
    outcome: String,
    error: &'a str,
    started_at: Timestamp,
}

async fn note_failures(
    connection: &impl ConnectionTrait,
    group: &[&Settlement],
    states: &HashMap<JobId, JobState>,
    core: &Core,
    now: Timestamp,
) -> Result<(), DbErr> {
    let rows: Vec<Failed<'_>> = group
        .iter()
        .filter(|one| states.contains_key(&one.job.id))
        .filter_map(|one| {
            let (outcome, error) = one.verdict.failed()?;
            Some(Failed {
                job_id: one.job.id,
                fence: one.job.fence,
                attempt: one.job.attempt,
                outcome: outcome.to_value(),
                error,
                started_at: one.job.started_at,
            })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let v = batch::unfold(
        connection.get_database_backend(),
        rows.len(),
        &[
            ("job_id", Type::Id),
            ("fence", Type::Int),
            ("attempt", Type::Int),
            ("outcome", Type::Text),
            ("error", Type::Text),
            ("started_at", Type::Int),
        ],
    );
    let sql = format!(
        "WITH {v} INSERT INTO job_attempts \
         (job_id, fence, attempt, outcome, error, worker, started_at, finished_at) \
         SELECT job_id, fence, attempt, outcome, error, $2, started_at, $3 FROM v"
    );
    let values = vec![
        batch::json(&rows)?,
        core.node.as_ref().into(),
        batch::millis(now),
    ];
    batch::run(connection, sql, values).await?;
    Ok(())
}
