//! Settling: what became of attempts, written in groups.
//!
//! A settlement changes its row only while the attempt's fence is the newest, so that an attempt
//! that was given up elsewhere settles nothing. Group commit: whatever has ended while the last
//! group was written goes into the next one.

mod rows;

use std::{collections::HashMap, sync::Arc, time::Duration};

use clipqueue_entities::{JobId, Timestamp, job::JobState, job_attempt::AttemptOutcome};
use sea_orm::DbErr;
use tokio::sync::mpsc;

use self::rows::settle;
use super::{core::Core, lease::LiveLease, policy::QueueSpec, transport::Delivery, work::Claimed};

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
        if changes.iter().any(|(_, state)| !state.is_final()) {
            core.wakes.relay(queue).look();
        }
        core.notices.changed(queue, changes);
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
pub(super) fn away(error: &DbErr) -> bool {
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
