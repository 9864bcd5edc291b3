//! The job queue: rows in SQL are the truth, the transport carries pointers, apalis runs workers.
//!
//! It knows no job by name. The product hands it a [`Catalogue`] (queues, policies, crons) and a
//! [`Runner`] at start, and enqueues by [`enqueue()`] in its own transactions.
//!
//! The life of a job:
//!
//! 1. `enqueue` inserts a row, `available` or `scheduled`, and the caller commits; `group` does both
//!    for callers who have no transaction.
//! 2. `relay` promotes it when it is due, marks it as dispatched (which issues a nonce) and hands a
//!    pointer to the `transport`.
//! 3. A fetch loop takes a batch of pointers, fairly over lanes, and `claim`s their rows: the
//!    attempt is counted and a fencing token is issued.
//! 4. `backend` gives it to an apalis worker; `execute` runs the handler with a [`Lease`], which
//!    `heartbeat` renews.
//! 5. `settle` writes what became of it, in groups, if the token is still the newest.
//!
//! What goes wrong on the way is found by `audit` (lost pointers) and `rescue` (lost processes).
//! `schedule` fires crons, `ledger` answers questions, `daemon` holds the loops, `drain` runs the
//! same code without them.

mod audit;
mod backend;
mod batch;
mod claim;
mod control;
mod core;
mod daemon;
mod drain;
mod drift;
mod due;
mod enqueue;
mod execute;
mod group;
mod heartbeat;
mod hint;
mod lease;
pub mod ledger;
mod notices;
mod policy;
mod relay;
mod rescue;
mod schedule;
mod seats;
mod settle;
mod shortcut;
pub mod steps;
pub mod transport;
mod work;

use std::{collections::HashMap, sync::Arc, time::Duration};

use clipqueue_entities::{
    JobId, Timestamp,
    job::{self, JobState},
    job_attempt,
};
use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::{
    control::Mode,
    daemon::{LoopEnded, Running, StartError},
    drain::{DrainError, Drained},
    drift::{DriftError, PointerDrift},
    enqueue::{Enqueued, MAX_ARGS_BYTES, enqueue, enqueue_many},
    execute::{UNKNOWN_KIND, UNREADABLE_ARGS},
    lease::{Lease, LeaseError, StopReason},
    notices::JobChange,
    policy::{Backoff, Catalogue, CatchUp, CronSpec, DEFAULT_LEASE, Policy, QueueSpec},
    rescue::POISON_CRASHES,
    schedule::CronError,
    work::{Claimed, Failure, NewJob, Outcome, Ran, Run, Runner},
};
use self::{
    core::Core,
    ledger::{
        CancelOutcome, CronStatus, JobFilter, JobPage, PageRequest, QueueStats, RetryOutcome, Stuck,
    },
    transport::{Signal, Transport},
};
use crate::{clock::Clock, db::Db};

/// The handle to the queue. Clones share it.
#[derive(Clone, Debug)]
pub struct Queue {
    core: Core,
    enqueues: group::Door,
    listener: Arc<DropGuard>,
}

/// What a process runs, and how patiently it stops.
#[derive(Clone)]
pub struct StartOptions {
    /// Runs attempts.
    pub runner: Runner,
    /// The product's table.
    pub catalogue: Arc<dyn Catalogue>,
    /// The queues to run; all of the catalogue's when none is named.
    pub queues: Vec<String>,
    /// How long running handlers may finish undisturbed after the stop.
    pub grace: Duration,
}

impl Queue {
    /// A handle on these rows and this transport. It listens for signals: call it within a runtime.
    pub fn new(db: Db, clock: Clock, transport: Arc<dyn Transport>) -> Self {
        let core = Core::new(db, clock, transport);
        let stop = CancellationToken::new();
        tokio::spawn(core::listen(core.clone(), stop.clone()));
        let (enqueues, inbox) = group::channel();
        tokio::spawn(group::run(core.clone(), inbox));
        Self {
            core,
            enqueues,
            listener: Arc::new(stop.drop_guard()),
        }
    }

    /// This process, as `jobs.lease_owner` names it.
    pub fn node(&self) -> &str {
        &self.core.node
    }

    /// The transport, for budgets and for messages of the product.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.core.transport
    }

    /// Enqueues a job that is part of no transaction, and tells of it. It is committed when this
    /// returns; what other callers enqueue meanwhile is committed with it. Its handler may start, and even
    /// end, before that. Whoever stops waiting may have enqueued.
    pub async fn enqueue(&self, job: NewJob) -> Result<Enqueued, DbErr> {
        group::ask(&self.core, &self.enqueues, job).await
    }

    /// Says that jobs of `queue` were committed, here and to other processes. It is for speed: a row
    /// is found within a second without it.
    pub fn nudge(&self, queue: &str) {
        self.core.nudge(queue);
    }

    /// Starts the loops of a process that runs jobs. They end after `stop` fires.
    pub async fn start(
        &self,
        options: StartOptions,
        stop: CancellationToken,
    ) -> Result<Running, StartError> {
        // The loops need the signals even if every handle is dropped.
        let listener = Arc::clone(&self.listener);
        daemon::start(self.core.clone(), options, stop, listener).await
    }

    /// Runs everything that is due now, through the same code as the daemon, and what falls due at
    /// this very instant by it. Call it when no loops run.
    pub async fn drain(
        &self,
        catalogue: &dyn Catalogue,
        runner: &Runner,
    ) -> Result<Drained, DrainError> {
        drain::drain(&self.core, catalogue, runner).await
    }

    /// Fires the crons that are due, and gives the jobs that were made.
    pub async fn fire_crons(&self, catalogue: &dyn Catalogue) -> Result<Vec<Enqueued>, FireError> {
        let crons = catalogue
            .crons()
            .iter()
            .map(schedule::Cron::new)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(schedule::fire(&self.core, &crons).await?)
    }

    /// Changes of jobs from now on, of this process and, as far as the transport tells, of others. A
    /// listener that lags reads the table again.
    pub fn changes(&self) -> broadcast::Receiver<JobChange> {
        self.core.notices.subscribe()
    }

    /// Sends a message of the product to every process, this one included.
    pub async fn publish(
        &self,
        topic: &str,
        payload: &str,
    ) -> Result<(), transport::TransportError> {
        self.core.transport.publish(topic, payload).await
    }

    /// Everything that the transport signals from now on; messages of the product among it.
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.core.transport.signals()
    }

    /// One job.
    pub async fn job(&self, id: JobId) -> Result<Option<job::Model>, DbErr> {
        ledger::get(&self.core, id).await
    }

    /// The attempts of a job that did not succeed, oldest first.
    pub async fn attempts(&self, id: JobId) -> Result<Vec<job_attempt::Model>, DbErr> {
        ledger::attempts(&self.core, id).await
    }

    /// A page of jobs, newest first.
    pub async fn jobs(&self, filter: &JobFilter, page: PageRequest) -> Result<JobPage, DbErr> {
        ledger::list(&self.core, filter, page).await
    }

    /// How the named queues stand; every queue that is known to the database when none is named.
    pub async fn stats(&self, queues: &[String]) -> Result<Vec<QueueStats>, DbErr> {
        ledger::stats(&self.core, queues).await
    }

    /// The crons of `catalogue`, each with its `limit` newest slots.
    pub async fn crons(
        &self,
        catalogue: &dyn Catalogue,
        limit: u64,
    ) -> Result<Vec<CronStatus>, FireError> {
        let crons = catalogue
            .crons()
            .iter()
            .map(schedule::Cron::new)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ledger::crons(&self.core, &crons, limit).await?)
    }

    /// Makes a discarded, cancelled, held or waiting-to-retry job due now, under `unique_key` again
    /// if that is over.
    pub async fn retry(&self, id: JobId, unique_key: Option<&str>) -> Result<RetryOutcome, DbErr> {
        let now = self.core.clock.now();
        let outcome = ledger::retry_in(self.core.db.write(), now, id, unique_key).await?;
        if outcome == RetryOutcome::Retried
            && let Some(job) = self.job(id).await?
        {
            self.announce(&[(id, job.queue, job.state)]).await;
        }
        Ok(outcome)
    }

    /// Tells of jobs that were put into a new state by a committed act: listeners hear of it, due
    /// ones are picked up, running ones whose stop was asked for are told.
    pub async fn announce(&self, jobs: &[(JobId, String, JobState)]) {
        let mut by_queue: HashMap<&str, Vec<(JobId, JobState)>> = HashMap::new();
        for (id, queue, state) in jobs {
            by_queue.entry(queue).or_default().push((*id, *state));
        }
        for (queue, changes) in by_queue {
            let due = |(_, state): &(JobId, JobState)| *state == JobState::Available;
            let pick_up = changes.iter().any(due);
            for (id, state) in &changes {
                if *state == JobState::Running {
                    ledger::announce_cancel(&self.core, *id).await;
                }
            }
            self.core.notices.changed(queue, changes);
            if pick_up {
                self.nudge(queue);
            }
        }
    }

    /// Cancels a waiting job at once; a running one is asked to stop.
    pub async fn cancel(&self, id: JobId) -> Result<CancelOutcome, DbErr> {
        let now = self.core.clock.now();
        let outcome = ledger::cancel_in(self.core.db.write(), now, id).await?;
        self.announce_cancel(id, outcome).await?;
        Ok(outcome)
    }

    /// Tells of a cancel that was committed.
    pub async fn announce_cancel(&self, id: JobId, outcome: CancelOutcome) -> Result<(), DbErr> {
        match outcome {
            CancelOutcome::Requested => ledger::announce_cancel(&self.core, id).await,
            CancelOutcome::Cancelled => {
                if let Some(job) = self.job(id).await? {
                    self.core.notices.changed(&job.queue, vec![(id, job.state)]);
                }
            }
            CancelOutcome::AlreadyOver(_) | CancelOutcome::NotFound => {}
        }
        Ok(())
    }

    /// Tells running handlers of stops that were committed by
    /// [`cancel_lane`](ledger::cancel_lane).
    pub async fn announce_stops(&self, jobs: &[JobId]) {
        for job in jobs {
            ledger::announce_cancel(&self.core, *job).await;
        }
    }

    /// Forgets the pointers of deleted jobs of a lane. One that is missed is dropped when a worker
    /// takes it.
    pub async fn forget(&self, lane: &str, jobs: &[ledger::Erased]) {
        for batch in jobs.chunks(transport::MAX_BATCH) {
            let mut by_queue: HashMap<&str, Vec<transport::Delivery>> = HashMap::new();
            for job in batch {
                let delivery = transport::Delivery {
                    job: job.job,
                    nonce: job.fence,
                    lane: lane.to_owned(),
                };
                by_queue.entry(&job.queue).or_default().push(delivery);
            }
            for (queue, deliveries) in by_queue {
                let channel = transport::Channel {
                    queue,
                    lane_limit: 0,
                };
                if let Err(error) = self.core.transport.finish(channel, &deliveries).await {
                    tracing::debug!(%error, "pointers of deleted jobs stay for a while");
                }
            }
        }
    }

    /// Stops workers from taking jobs of a queue, in every process, until it is resumed. What runs
    /// goes on.
    pub async fn pause(&self, queue: &str) -> Result<(), DbErr> {
        self.set_mode(queue, Mode::Paused).await
    }

    /// Lets workers take jobs of a queue again.
    pub async fn resume(&self, queue: &str) -> Result<(), DbErr> {
        self.set_mode(queue, Mode::Open).await
    }

    async fn set_mode(&self, queue: &str, mode: Mode) -> Result<(), DbErr> {
        self.set_mode_in(self.core.db.write(), queue, mode).await?;
        self.announce_mode(queue, mode).await;
        Ok(())
    }

    /// Writes whether workers may take jobs of a queue. After the commit call
    /// [`Queue::announce_mode`].
    pub async fn set_mode_in(
        &self,
        connection: &impl ConnectionTrait,
        queue: &str,
        mode: Mode,
    ) -> Result<(), DbErr> {
        control::set_in(connection, self.core.clock.now(), queue, mode).await
    }

    /// Tells every process of a committed mode. Should the word be lost, they find it within
    /// seconds.
    pub async fn announce_mode(&self, queue: &str, mode: Mode) {
        control::announce(&self.core, queue, mode).await;
        if mode == Mode::Open {
            self.nudge(queue);
        }
    }

    /// Lets held jobs go: of one lane, of one reason, or both.
    pub async fn release_held(
        &self,
        lane: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(), DbErr> {
        let now = self.core.clock.now();
        for queue in ledger::release_held(self.core.db.write(), now, lane, reason).await? {
            self.nudge(&queue);
        }
        Ok(())
    }

    /// Holds the rows of a queue against its pointers, and mends what differs.
    pub async fn compare_pointers(&self, spec: &QueueSpec) -> Result<PointerDrift, DriftError> {
        drift::compare(&self.core, spec).await
    }

    /// How many jobs of the named queues are stuck.
    pub async fn stuck(&self, queues: &[String]) -> Result<Stuck, DbErr> {
        ledger::stuck(&self.core, queues).await
    }

    /// How many jobs finished before `before`, and when the first of them did.
    pub async fn prunable(&self, before: Timestamp) -> Result<(u64, Option<Timestamp>), DbErr> {
        ledger::prunable(&self.core, before).await
    }

    /// Deletes up to `limit` jobs that finished before `before`. Call it again until it gives zero.
    pub async fn prune(&self, before: Timestamp, limit: u64) -> Result<u64, DbErr> {
        ledger::prune(&self.core, before, limit).await
    }
}

/// Crons that could not be fired.
#[derive(Debug, thiserror::Error)]
pub enum FireError {
    /// An expression cannot be read.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// The database did not answer.
    #[error("the database did not answer")]
    Database(#[from] DbErr),
}
