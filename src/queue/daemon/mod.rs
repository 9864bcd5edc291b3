//! The loops of a process that runs jobs, from start to graceful stop.
//!
//! Start: release what an older version did not know, then spawn the relay, the audit and the fetch
//! loop of each queue, the settler, the rescuer, the scheduler, the control loop and the heartbeat.
//! Every loop that meets an error waits a little and goes on.
//!
//! Stop: nothing is taken any more; running handlers may finish within the grace; then their tokens
//! fire and they have [`CHECKPOINT`] to leave things in order; the rest is dropped and given back
//! with its attempt unspent. What ended is settled before the process goes.

mod fetch;
mod loops;
mod patience;
mod watch;

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    fetch::Fetch,
    loops::{audits, controls, extends, relay, releases, rescues, schedules, until},
    watch::Loops,
};
use super::{
    StartOptions,
    backend::{Handle, Seated, Started, Workers},
    control::Paused,
    core::{Core, NUDGE_TOPIC},
    execute::{self, CHECKPOINT},
    heartbeat,
    lease::StopReason,
    ledger,
    policy::QueueSpec,
    schedule::{Cron, CronError},
    seats::Seats,
    settle,
};
pub use watch::LoopEnded;

/// How often a loop that waits for a signal looks by itself, for certainty.
const LOOK: Duration = Duration::from_secs(1);

/// How long the last settlements may take once every handler has ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Why the queue did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A queue was asked for that the catalogue does not have.
    #[error("there is no queue named {0:?}; the queues are {1}")]
    UnknownQueue(String, String),
    /// A cron's expression cannot be read.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// The database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sea_orm::DbErr),
    /// The heartbeat's thread could not be started.
    #[error("the heartbeat could not be started")]
    Heartbeat(#[source] std::io::Error),
}

/// The loops of a process. It runs until its token fires; [`Running::stopped`] waits for the end.
///
/// A loop that ends before that fires the token itself: a process that does half of its work would
/// be taken for a healthy one.
#[derive(Debug)]
pub struct Running {
    task: tokio::task::JoinHandle<Result<(), LoopEnded>>,
}

impl Running {
    /// Waits until everything that ran has finished or was given back. Fails when a loop ended
    /// although nobody had asked for a stop.
    pub async fn stopped(self) -> Result<(), LoopEnded> {
        match self.task.await {
            Ok(ended) => ended,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime goes away, and everything with it.
            Err(_) => Ok(()),
        }
    }
}

pub(super) async fn start(
    core: Core,
    setup: StartOptions,
    stop: CancellationToken,
    listener: Arc<DropGuard>,
) -> Result<Running, StartError> {
    let specs = choose(setup.catalogue.queues(), &setup.queues)?;
    let crons = setup
        .catalogue
        .crons()
        .iter()
        .map(Cron::new)
        .collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let paused = Paused::default();
    paused.refresh(&core, &names).await?;
    ledger::release_known_kinds(&core, setup.catalogue.as_ref()).await?;

    let beat = CancellationToken::new();
    let heart = heartbeat::spawn(
        core.live.clone(),
        core.db.clone(),
        core.clock.clone(),
        beat.clone(),
    )
    .map_err(StartError::Heartbeat)?;

    let (settler, inbox) = settle::channel();
    let settling = tokio::spawn(settle::run(core.clone(), inbox));
    let mut loops = Loops::default();
    let mut workers = Workers::new();
    let mut slots = Vec::new();
    for spec in &specs {
        let free = Arc::new(Semaphore::new(spec.concurrency));
        let door;
        let handle = handle(&core, &setup, &settler);
        let name = format!("{}@{}", spec.name, core.node);
        (workers, door) = workers.add(name, spec.concurrency, handle);
        let seats = Seats {
            catalogue: Arc::clone(&setup.catalogue),
            spec: Arc::new(spec.clone()),
            free: Arc::clone(&free),
            door,
            settler: settler.clone(),
        };
        let fetch = Fetch {
            core: core.clone(),
            seats: seats.clone(),
            paused: paused.clone(),
        };
        loops.spawn("fetch", fetch.run(stop.clone()));
        let relaying = relay(core.clone(), seats, paused.clone(), stop.clone());
        loops.spawn("relay", relaying);
        let auditing = audits(core.clone(), spec.clone());
        loops.spawn("audit", until(stop.clone(), auditing));
        slots.push((spec.concurrency, free));
    }
    drop(settler);
    loops.spawn("rescue", until(stop.clone(), rescues(core.clone())));
    let known = releases(core.clone(), Arc::clone(&setup.catalogue));
    loops.spawn("release", until(stop.clone(), known));
    let controlling = controls(core.clone(), paused, names.clone());
    loops.spawn("control", until(stop.clone(), controlling));
    let scheduling = schedules(core.clone(), crons);
    loops.spawn("schedule", until(stop.clone(), scheduling));
    let extending = tokio::spawn(extends(core.clone(), specs));
    let workers = workers.start();

    let ending = Ending {
        core,
        grace: setup.grace,
        loops,
        slots,
        workers,
        settling,
        extending,
        beat,
        heart,
        queues: names,
    };
    let task = tokio::spawn(async move {
        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            name = ending.first_end() => match stop.is_cancelled() {
                true => Ok(()),
                false => Err(LoopEnded { name }),
            },
        };
        if let Err(error) = &ended {
            tracing::error!(%error, "the process stops");
            stop.cancel();
        }
        ending.run().await;
        drop(listener);
        ended
    });
    Ok(Running { task })
}

fn choose(all: &[QueueSpec], wanted: &[String]) -> Result<Vec<QueueSpec>, StartError> {
    if wanted.is_empty() {
        return Ok(all.to_vec());
    }
    wanted
        .iter()
        .map(|name| {
            all.iter()
                .find(|spec| spec.name == *name)
                .cloned()
                .ok_or_else(|| {
                    let names: Vec<&str> = all.iter().map(|spec| spec.name.as_str()).collect();
                    StartError::UnknownQueue(name.clone(), names.join(", "))
                })
        })
        .collect()
}

fn handle(core: &Core, setup: &StartOptions, settler: &settle::Settler) -> Handle {
    let core = core.clone();
    let catalogue = Arc::clone(&setup.catalogue);
    let runner = Arc::clone(&setup.runner);
    let settler = settler.clone();
    Arc::new(move |seated: Seated| {
        let (core, catalogue) = (core.clone(), Arc::clone(&catalogue));
        let (runner, settler) = (Arc::clone(&runner), settler.clone());
        Box::pin(async move {
            let ended = execute::run(&core, catalogue.as_ref(), &runner, seated.ticket).await;
            if settler.send(ended).await.is_err() {
                tracing::error!("the settler is gone; a lease will run out");
            }
            // The slot is free before the group is written: the next claim overlaps with it.
            drop(seated.slot);
        })
    })
}

/// Everything that the end of a process needs.
struct Ending {
    core: Core,
    grace: Duration,
    loops: Loops,
    slots: Vec<(usize, Arc<Semaphore>)>,
    workers: Started,
    settling: tokio::task::JoinHandle<()>,
    extending: tokio::task::JoinHandle<()>,
    beat: CancellationToken,
    heart: std::thread::JoinHandle<()>,
    queues: Vec<String>,
}

impl Ending {
    /// Waits until something ends that lives as long as the process; gives its name.
    async fn first_end(&self) -> &'static str {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(name) = self.loops.ended() {
                return name;
            }
            let others = [
                ("settle", self.settling.is_finished()),
                ("extend", self.extending.is_finished()),
                ("heartbeat", self.heart.is_finished()),
            ];
            if let Some((name, _)) = others.into_iter().find(|(_, ended)| *ended) {
                return name;
            }
        }
    }

    async fn run(self) {
        // The relays and the fetch loops own the doors: once they have ended nothing more comes in.
        self.loops.wait().await;
        if tokio::time::timeout(self.grace, idle(&self.slots))
            .await
            .is_err()
        {
            for lease in self.core.live.all() {
                lease.stop(StopReason::Stopping);
            }
            // A handler that ignores its token is dropped after CHECKPOINT; one that blocks its
            // thread cannot be, and is left to the rescue of its lease.
            if tokio::time::timeout(CHECKPOINT * 2, idle(&self.slots))
                .await
                .is_err()
            {
                tracing::error!("a handler blocks and is left behind; its lease will run out");
            }
        }
        self.workers.stop().await;
        if tokio::time::timeout(LAST_WORDS, self.settling)
            .await
            .is_err()
        {
            tracing::error!("not everything was settled before the end; leases will run out");
        }
        self.extending.abort();
        self.beat.cancel();
        let heart = self.heart;
        let _ = tokio::task::spawn_blocking(move || heart.join()).await;
        for queue in &self.queues {
            // Whatever was given back is for the other processes to see soon.
            let _ = self.core.transport.publish(NUDGE_TOPIC, queue).await;
        }
    }
}

/// Waits until every slot is free.
async fn idle(slots: &[(usize, Arc<Semaphore>)]) {
    for (count, free) in slots {
        let _ = free
            .acquire_many(u32::try_from(*count).unwrap_or(u32::MAX))
            .await;
    }
}
