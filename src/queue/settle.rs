//! Settling: what became of attempts, written in groups.
//!
//! A settlement changes its row only while the attempt's fence is the newest, so that an attempt
//! that was given up elsewhere settles nothing. Group commit: whatever has ended while the last
//! group was written goes into the next one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use clipqueue_entities::{
    JobId, Timestamp,
    job::JobState,
    job_attempt::AttemptOutcome,
};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{
    batch::{self, Type},
    core::Core,
    lease::LiveLease,
    policy::QueueSpec,
    transport::Delivery,
    work::Claimed,
};

/// Attempts settled in one transaction.
const GROUP: usize = 500;

/// Attempts that may wait for their group before handlers have to wait.
const BACKLOG: usize = 2000;

/// The first and the longest pause before a group that failed is written again.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The longest error text that is stored.
const MAX_ERROR: usize = 4000;

/// What shall become of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Completed,
    /// Again later; the attempt is not spent.
    Snoozed(Timestamp),
    /// Again later; the attempt is spent.
    Retry {
        at: Timestamp,
        error: String,
        outcome: AttemptOutcome,
    },
    Discarded {
        error: String,
        outcome: AttemptOutcome,
    },
    Cancelled {
        error: String,
    },
    Held {
        reason: String,
        error: String,
    },
    /// Not finished and not at fault: the attempt is not spent and the job is due at once.
    GivenBack,
}

impl Verdict {
    pub(super) const fn state(&self) -> JobState {
        match self {
            Self::Completed => JobState::Completed,
            Self::Snoozed(_) => JobState::Scheduled,
            Self::Retry { .. } => JobState::Retryable,
            Self::Discarded { .. } => JobState::Discarded,
            Self::Cancelled { .. } => JobState::Cancelled,
            Self::Held { .. } => JobState::Held,
            Self::GivenBack => JobState::Available,
        }
    }

    const fn failed(&self) -> Option<(AttemptOutcome, &String)> {
        match self {
            Self::Retry { error, outcome, .. } | Self::Discarded { error, outcome } => {
                Some((*outcome, error))
            }
            Self::Completed
            | Self::Snoozed(_)
            | Self::Cancelled { .. }
            | Self::Held { .. }
            | Self::GivenBack => None,
        }
    }
}

/// One attempt that has ended.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) job: Claimed,
    pub(super) delivery: Delivery,
    pub(super) verdict: Verdict,
}

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
    if group.iter().all(|one| one.verdict.failed().is_none()) {
        return update(core.db.write(), group, now).await;
    }
    let tx = core.db.begin().await?;
    let states = update(&tx, group, now).await?;
    note_failures(&tx, group, &states, core, now).await?;
    tx.commit().await?;
    Ok(states)
}

async fn update(
    connection: &impl ConnectionTrait,
    group: &[Settlement],
    now: Timestamp,
) -> Result<HashMap<JobId, JobState>, DbErr> {
    let rows: Vec<Row<'_>> = group.iter().map(Row::new).collect();
    let v = batch::unfold(
        connection.get_database_backend(),
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
    batch::all(connection, sql, vec![batch::json(&rows)?, batch::millis(now)])
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
    group: &[Settlement],
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

/// An error's text with its causes, fit to be stored.
pub(super) fn text(error: &anyhow::Error) -> String {
    let mut text: String = format!("{error:#}")
        .chars()
        // PostgreSQL stores no NUL.
        .map(|c| if c == '\0' { '\u{FFFD}' } else { c })
        .collect();
    if text.len() > MAX_ERROR {
        let mut end = MAX_ERROR;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A settlement on its way, with the lease that keeps its row ours until it is written.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) settlement: Settlement,
    pub(super) live: LiveLease,
    pub(super) spec: Arc<QueueSpec>,
}

/// Where handlers put their settlements.
pub(super) type Settler = mpsc::Sender<Ended>;

/// The settler's inbox and its door.
pub(super) fn channel() -> (Settler, mpsc::Receiver<Ended>) {
    mpsc::channel(BACKLOG)
}

/// Settles until every door is closed and everything is written.
pub(super) async fn run(core: Core, mut inbox: mpsc::Receiver<Ended>) {
    let mut ended = Vec::with_capacity(GROUP);
    while inbox.recv_many(&mut ended, GROUP).await > 0 {
        write(&core, std::mem::take(&mut ended)).await;
    }
}

/// Writes a group however long it takes, then lets its pointers go.
pub(super) async fn write(core: &Core, ended: Vec<Ended>) -> Vec<(Settlement, Option<JobState>)> {
    let mut settlements = Vec::with_capacity(ended.len());
    let mut lives = Vec::with_capacity(ended.len());
    let mut specs = HashMap::new();
    for one in ended {
        specs.insert(one.spec.name.clone(), one.spec);
        settlements.push(one.settlement);
        lives.push(one.live);
    }
    let states = write_stubbornly(core, &settlements).await;
    drop(lives);
    for (queue, spec) in &specs {
        let of_queue = || settlements.iter().filter(|one| one.job.queue == *queue);
        let deliveries: Vec<Delivery> = of_queue().map(|one| one.delivery.clone()).collect();
        if let Err(error) = core.transport.finish(spec.channel(), &deliveries).await {
            tracing::debug!(%error, "pointers are finished later");
            core.unfinished.keep(spec.as_ref().clone(), deliveries);
        }
        let changes: Vec<(JobId, JobState)> = of_queue()
            .filter_map(|one| Some((one.job.id, *states.get(&one.job.id)?)))
            .collect();
        core.notices.changed(queue, &changes).await;
        if changes.iter().any(|(_, state)| !state.is_final()) {
            core.wakes.relay(queue).notify_one();
        }
        core.wakes.fetch(queue).notify_one();
    }
    settlements
        .into_iter()
        .map(|one| {
            let state = states.get(&one.job.id).copied();
            (one, state)
        })
        .collect()
}

async fn write_stubbornly(core: &Core, group: &[Settlement]) -> HashMap<JobId, JobState> {
    let mut pause = RETRY.0;
    loop {
        match settle(core, group).await {
            Ok(states) => return states,
            Err(error) if group.len() > 1 && !away(&error) => {
                // One row spoils the group: each goes on its own.
                tracing::error!(%error, "a group of attempts was not settled as one");
                let mut states = HashMap::new();
                for one in group {
                    match settle(core, std::slice::from_ref(one)).await {
                        Ok(state) => states.extend(state),
                        Err(error) => {
                            tracing::error!(%error, job = %one.job.id, "an attempt was not settled; \
                                its lease will run out");
                        }
                    }
                }
                return states;
            }
            Err(error) if !away(&error) => {
                tracing::error!(%error, "an attempt was not settled; its lease will run out");
                return HashMap::new();
            }
            Err(error) => {
                tracing::warn!(%error, attempts = group.len(), "attempts wait to be settled");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}

/// Whether the database could not be reached, so that the same words may work later.
fn away(error: &DbErr) -> bool {
    use sea_orm::{RuntimeErr, sqlx};
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match error.as_ref() {
                // Class 08 is the connection, 40 a conflict of transactions, 53 and 57 the server's
                // distress; 5 and 6 are SQLite's busy and locked, 13 its full disk.
                sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                    ["08", "40", "53", "57"]
                        .iter()
                        .any(|class| code.len() == 5 && code.starts_with(class))
                        || matches!(code.as_ref(), "5" | "6" | "13" | "261" | "517")
                }),
                _ => true,
            }
        }
        _ => false,
    }
}
