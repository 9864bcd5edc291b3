//! Draining: everything that is due now, run to its end, without any loop in the background.
//!
//! For tests and tools. It is the daemon's own code - relay, transport, claim, run, settle - called
//! in turn until nothing is due.

use std::sync::Arc;

use clipqueue_entities::{JobId, job::JobState};
use futures::future::join_all;

use super::{
    audit, control,
    core::Core,
    execute::{self, FetchError, Fetched},
    policy::{Catalogue, QueueSpec},
    relay::{Relay, RelayError},
    settle::{self, Settlement, Verdict},
    transport::MAX_BATCH,
    work::Runner,
};

/// A drain that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The database or the transport did not answer.
    #[error("the queue could not be drained")]
    Away(#[source] anyhow::Error),
}

impl From<RelayError> for DrainError {
    fn from(error: RelayError) -> Self {
        Self::Away(error.into())
    }
}

impl From<FetchError> for DrainError {
    fn from(error: FetchError) -> Self {
        Self::Away(error.into())
    }
}

/// What a drain did, by the state in which each attempt left its job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Attempts that ran.
    pub ran: usize,
    /// Jobs that completed.
    pub completed: usize,
    /// Attempts that put their job off.
    pub snoozed: usize,
    /// Attempts that will be tried again.
    pub retried: usize,
    /// Jobs that now wait for somebody.
    pub held: usize,
    /// Jobs that were cancelled.
    pub cancelled: usize,
    /// Jobs that were given up.
    pub discarded: usize,
    /// Attempts whose job meanwhile belonged to somebody else.
    pub superseded: usize,
    /// The error of each attempt that had one, with its job and kind.
    pub errors: Vec<(JobId, String, String)>,
}

impl Drained {
    fn add(&mut self, settlement: Settlement, state: Option<JobState>) {
        self.ran += 1;
        match state {
            None => self.superseded += 1,
            Some(JobState::Completed) => self.completed += 1,
            Some(JobState::Scheduled) => self.snoozed += 1,
            Some(JobState::Retryable) => self.retried += 1,
            Some(JobState::Held) => self.held += 1,
            Some(JobState::Cancelled) => self.cancelled += 1,
            Some(JobState::Discarded) => self.discarded += 1,
            Some(JobState::Available | JobState::Running) => {}
        }
        let Settlement { job, verdict, .. } = settlement;
        match verdict {
            Verdict::Completed | Verdict::Snoozed(_) | Verdict::GivenBack => {}
            Verdict::Retry { error, .. }
            | Verdict::Discarded { error, .. }
            | Verdict::Cancelled { error }
            | Verdict::Held { error, .. } => self.errors.push((job.id, job.kind, error)),
        }
    }
}

pub(super) async fn drain(
    core: &Core,
    catalogue: &dyn Catalogue,
    runner: &Runner,
) -> Result<Drained, DrainError> {
    let mut drained = Drained::default();
    let mut relays: Vec<(Relay, Arc<QueueSpec>)> = catalogue
        .queues()
        .iter()
        .map(|spec| (Relay::new(spec.clone()), Arc::new(spec.clone())))
        .collect();
    // A transport that has forgotten a pause would hand out what nobody may claim.
    control::remind(core).await?;
    for (_, spec) in &relays {
        audit::epoch(core, spec.channel(), &mut None).await?;
    }
    loop {
        let mut moved = false;
        for (relay, spec) in &mut relays {
            let pass = relay.pass(core, None).await?;
            moved |= pass.delivered > 0 || pass.promoted > 0;
            moved |= round(core, catalogue, runner, spec, &mut drained).await?;
        }
        if !moved {
            return Ok(drained);
        }
    }
}

/// Runs one batch of a queue, as many at a time as the queue allows.
async fn round(
    core: &Core,
    catalogue: &dyn Catalogue,
    runner: &Runner,
    spec: &Arc<QueueSpec>,
    drained: &mut Drained,
) -> Result<bool, DrainError> {
    let limit = spec.concurrency.clamp(1, MAX_BATCH);
    let Fetched { tickets, taken } = execute::fetch(core, catalogue, spec, limit).await?;
    let ended = join_all(
        tickets
            .into_iter()
            .map(|ticket| execute::run(core, catalogue, runner, ticket)),
    )
    .await;
    if !ended.is_empty() {
        for (settlement, state) in settle::write(core, ended).await {
            drained.add(settlement, state);
        }
    }
    Ok(taken > 0)
}
