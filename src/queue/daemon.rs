//! The loops of a process that runs jobs, from start to graceful stop.
//!
//! Start: release what an older version did not know, then spawn the relay, the audit and the fetch
//! loop of each queue, the settler, the rescuer, the scheduler, the control loop and the heartbeat.
//! Every loop that meets an error waits a little and goes on.
//!
//! Stop: nothing is taken any more; running handlers may finish within the grace; then their tokens
//! fire and they have [`CHECKPOINT`] to leave things in order; the rest is dropped and given back
//! with its attempt unspent. What ended is settled before the process goes.

use std::{sync::Arc, time::Duration};

use clipqueue_entities::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    audit,
    backend::{Handle, Seated, Started, Workers},
    control::Paused,
    core::{Core, NUDGE_TOPIC},
    execute::{self, CHECKPOINT, TRANSPORT_LEASE, Ticket},
    heartbeat, ledger,
    lease::StopReason,
    policy::{Catalogue, QueueSpec},
    relay::Relay,
    rescue::{self, Rescuer},
    schedule::{Cron, CronError, fire},
    settle,
    transport::{Delivery, MAX_BATCH},
};
use super::StartOptions;

/// How long a loop that met an error waits, first and at most. Work must resume within 5 s of an
/// outage's end.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How often a loop that waits for a signal looks by itself, for certainty.
const LOOK: Duration = Duration::from_secs(1);

/// How often pointers are audited one by one.
const AUDIT: Duration = Duration::from_secs(5);

/// How often `queue_controls` is read again.
const CONTROL: Duration = Duration::from_secs(5);

/// The longest sleep of the scheduler, so that a step of the clock is noticed.
const SCHEDULE: Duration = Duration::from_secs(30);

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
#[derive(Debug)]
pub struct Running {
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Waits until everything that ran has finished or was given back.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

pub(super) async fn start(
    core: Core,
    setup: StartOptions,
    stop: CancellationToken,
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
    let loops = TaskTracker::new();
    let mut workers = Workers::new();
    let mut slots = Vec::new();
    for spec in &specs {
        let free = Arc::new(Semaphore::new(spec.concurrency));
        let door;
        let handle = handle(&core, &setup, &settler);
        let name = format!("{}@{}", spec.name, core.node);
        (workers, door) = workers.add(name, spec.concurrency, handle);
        let fetch = Fetch {
            core: core.clone(),
            catalogue: Arc::clone(&setup.catalogue),
            spec: Arc::new(spec.clone()),
            free: Arc::clone(&free),
            paused: paused.clone(),
            door,
        };
        loops.spawn(fetch.run(stop.clone()));
        loops.spawn(until(
            stop.clone(),
            relay(core.clone(), spec.clone(), paused.clone()),
        ));
        loops.spawn(until(stop.clone(), audits(core.clone(), spec.clone())));
        slots.push((spec.concurrency, free));
    }
    drop(settler);
    loops.spawn(until(stop.clone(), rescues(core.clone())));
    loops.spawn(until(
        stop.clone(),
        controls(core.clone(), paused, names.clone()),
    ));
    loops.spawn(until(stop.clone(), schedules(core.clone(), crons)));
    let extending = tokio::spawn(extends(core.clone(), specs));
    loops.close();
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
        stop.cancelled().await;
        ending.run().await;
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

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Waits longer after each failure in a row.
struct Patience(Duration);

impl Patience {
    const fn new() -> Self {
        Self(RETRY.0)
    }

    const fn calm(&mut self) {
        self.0 = RETRY.0;
    }

    async fn wait(&mut self, what: &str, error: &(dyn std::error::Error + Sync)) {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "{what} failed and is tried again");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(RETRY.1);
    }
}

async fn relay(core: Core, spec: QueueSpec, paused: Paused) {
    let nudge = core.wakes.relay(&spec.name);
    let mut relay = Relay::new(spec);
    let mut patience = Patience::new();
    loop {
        let mut next_due = None;
        if !paused.contains(&relay.spec.name) {
            match relay.pass(&core).await {
                Ok(pass) if pass.delivered > 0 || pass.promoted > 0 => {
                    patience.calm();
                    continue;
                }
                Ok(pass) => {
                    patience.calm();
                    next_due = pass.next_due;
                }
                Err(error) => {
                    patience.wait("relay", &error).await;
                    continue;
                }
            }
        }
        let far = Timestamp::from_millis(i64::MAX);
        tokio::select! {
            () = nudge.notified() => {}
            () = core.clock.sleep_until(next_due.unwrap_or(far)) => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn audits(core: Core, spec: QueueSpec) {
    let wake = core.wakes.audit(&spec.name);
    let mut patience = Patience::new();
    let mut since = tokio::time::Instant::now();
    loop {
        let mut found = audit::epoch(&core, &spec.name).await;
        if matches!(found, Ok(0)) && since.elapsed() >= AUDIT {
            found = audit::pointers(&core, &spec.name).await;
            since = tokio::time::Instant::now();
        }
        match found {
            Ok(rows) => {
                patience.calm();
                if rows > 0 {
                    core.wakes.relay(&spec.name).notify_one();
                    core.wakes.control().notify_one();
                }
            }
            Err(error) => {
                patience.wait("audit", &error).await;
                continue;
            }
        }
        tokio::select! {
            // The connection is new: what was written last may be missing.
            () = wake.notified() => since -= AUDIT,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn rescues(core: Core) {
    let mut rescuer = Rescuer::default();
    let mut patience = Patience::new();
    loop {
        match rescuer.look(&core).await {
            Ok(_) => {
                patience.calm();
                core.clock.sleep(rescue::INTERVAL).await;
            }
            Err(error) => patience.wait("rescue", &error).await,
        }
    }
}

async fn controls(core: Core, paused: Paused, queues: Vec<String>) {
    let mut patience = Patience::new();
    loop {
        tokio::select! {
            () = core.wakes.control().notified() => {}
            () = tokio::time::sleep(CONTROL) => {}
        }
        match paused.refresh(&core, &queues).await {
            Ok(()) => patience.calm(),
            Err(error) => patience.wait("control", &error).await,
        }
    }
}

async fn schedules(core: Core, crons: Vec<Cron>) {
    if crons.is_empty() {
        return;
    }
    let mut patience = Patience::new();
    loop {
        if let Err(error) = fire(&core, &crons).await {
            patience.wait("scheduler", &error).await;
            continue;
        }
        patience.calm();
        let now = core.clock.now();
        let next = crons.iter().filter_map(|cron| cron.next(now)).min();
        let next = next.unwrap_or(now + SCHEDULE).min(now + SCHEDULE);
        core.clock.sleep_until(next).await;
    }
}

/// Finishes what could not be finished, and renews the transport's leases of running jobs. Should it fall behind, lanes may run more than
/// their limit for a while; the claims are not touched by it.
async fn extends(core: Core, specs: Vec<QueueSpec>) {
    let mut last = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        core.unfinished.flush(core.transport.as_ref()).await;
        if last.elapsed() < TRANSPORT_LEASE / 3 {
            continue;
        }
        last = tokio::time::Instant::now();
        let live = core.live.all();
        for spec in &specs {
            let deliveries: Vec<Delivery> = live
                .iter()
                .filter(|lease| lease.queue() == spec.name)
                .map(|lease| lease.delivery().clone())
                .collect();
            if deliveries.is_empty() {
                continue;
            }
            let extended = core
                .transport
                .extend(spec.channel(), &deliveries, TRANSPORT_LEASE)
                .await;
            if let Err(error) = extended {
                tracing::debug!(%error, "leases in the transport were not renewed");
            }
        }
    }
}

/// Takes pointers while slots are free.
struct Fetch {
    core: Core,
    catalogue: Arc<dyn Catalogue>,
    spec: Arc<QueueSpec>,
    free: Arc<Semaphore>,
    paused: Paused,
    door: mpsc::Sender<Seated>,
}

impl Fetch {
    async fn run(self, stop: CancellationToken) {
        let wake = self.core.wakes.fetch(&self.spec.name);
        let mut patience = Patience::new();
        loop {
            let slots = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                slots = free_slots(&self.free) => slots,
            };
            let Some(slots) = slots else { return };
            let mut idle = true;
            if !self.paused.contains(&self.spec.name) {
                // Not raced against the stop: what was taken and claimed must not be forgotten.
                match self.take(slots).await {
                    Ok(all) => {
                        patience.calm();
                        idle = !all;
                    }
                    Err(error) => {
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = patience.wait("fetch", &error) => {}
                        }
                        continue;
                    }
                }
            } else {
                drop(slots);
            }
            if idle {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = wake.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// Fills the slots; whether there was enough for all of them.
    async fn take(&self, mut slots: OwnedSemaphorePermit) -> Result<bool, execute::FetchError> {
        let want = slots.num_permits();
        let fetched =
            execute::fetch(&self.core, self.catalogue.as_ref(), &self.spec, want).await?;
        for ticket in fetched.tickets {
            self.seat(ticket, &mut slots).await;
        }
        Ok(fetched.taken == want)
    }

    async fn seat(&self, ticket: Ticket, slots: &mut OwnedSemaphorePermit) {
        let Some(slot) = slots.split(1) else {
            tracing::error!("more jobs than slots were taken; a lease will run out");
            return;
        };
        if self.door.send(Seated { ticket, slot }).await.is_err() {
            tracing::error!("a worker is gone; a lease will run out");
        }
    }
}

/// At least one slot, and as many as are free up to a batch; none when there will never be any.
async fn free_slots(free: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let mut slots = Arc::clone(free).acquire_owned().await.ok()?;
    let more = free.available_permits().min(MAX_BATCH - 1);
    if let Ok(more) = Arc::clone(free).try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
        slots.merge(more);
    }
    Some(slots)
}

/// Everything that the end of a process needs.
struct Ending {
    core: Core,
    grace: Duration,
    loops: TaskTracker,
    slots: Vec<(usize, Arc<Semaphore>)>,
    workers: Started,
    settling: tokio::task::JoinHandle<()>,
    extending: tokio::task::JoinHandle<()>,
    beat: CancellationToken,
    heart: std::thread::JoinHandle<()>,
    queues: Vec<String>,
}

impl Ending {
    async fn run(self) {
        // The fetch loops own the doors: once they have ended nothing more comes in.
        self.loops.wait().await;
        if tokio::time::timeout(self.grace, idle(&self.slots)).await.is_err() {
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
        if tokio::time::timeout(LAST_WORDS, self.settling).await.is_err() {
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
