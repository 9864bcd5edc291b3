//! What every loop of the queue shares, and the wake-ups between them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clipqueue_entities::JobId;
use futures::FutureExt as _;
use tokio::sync::{Notify, broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    hint::{Hint, RelayWake},
    lease::{LiveLeases, StopReason},
    notices::Notices,
    policy::QueueSpec,
    transport::{Delivery, Pointer, Signal, Transport},
};
use crate::{clock::Clock, db::Db};

/// The topic that says: a running job was cancelled. Its payload is the job's id.
pub(super) const CANCEL_TOPIC: &str = "cancel";
/// The topic that says: look at `queue_controls` again.
pub(super) const CONTROL_TOPIC: &str = "control";
/// The topic that says: rows of a queue were committed. Its payload is the queue.
pub(super) const NUDGE_TOPIC: &str = "nudge";
/// The topic that says: this row was committed and is due. Its payload is a [`Hint`].
const HINT_TOPIC: &str = "due";

/// The time between two nudges of a queue to other processes. The first one goes at once.
const NUDGE_GAP: Duration = Duration::from_millis(1);

/// Shared by all loops of one process.
#[derive(Clone, Debug)]
pub(super) struct Core {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) notices: Notices,
    pub(super) live: LiveLeases,
    pub(super) wakes: Wakes,
    pub(super) unfinished: Unfinished,
    nudges: Nudges,
    /// This process, as `jobs.lease_owner` names it. Another one after each start.
    pub(super) node: Arc<str>,
}

impl Core {
    pub(super) fn new(db: Db, clock: Clock, transport: Arc<dyn Transport>) -> Self {
        // A process that comes back is another one: it must not be taken for its predecessor.
        let node: Arc<str> = format!("node-{}", Uuid::new_v4().simple()).into();
        Self {
            notices: Notices::new(Arc::clone(&transport), Arc::clone(&node)),
            db,
            clock,
            transport,
            live: LiveLeases::default(),
            wakes: Wakes::default(),
            unfinished: Unfinished::default(),
            nudges: Nudges::default(),
            node,
        }
    }

    /// Wakes the relays of a queue, here and elsewhere. It never waits.
    pub(super) fn nudge(&self, queue: &str) {
        self.wakes.relay(queue).look();
        self.tell(queue, None);
    }

    /// Wakes the relays of a queue for one row that is due and has no pointer yet. It never waits.
    pub(super) fn hint(&self, queue: &str, pointer: Pointer) {
        self.wakes.relay(queue).due(pointer.clone());
        self.tell(queue, Some(pointer));
    }

    fn tell(&self, queue: &str, due: Option<Pointer>) {
        if !self.transport.is_shared() || !self.nudges.begin(queue) {
            return;
        }
        let (core, queue) = (self.clone(), queue.to_owned());
        let mut telling = Box::pin(async move {
            let hint =
                due.and_then(|due| serde_json::to_string(&Hint::new(&core.node, &queue, due)).ok());
            let mut told = match hint {
                Some(hint) => core.transport.publish(HINT_TOPIC, &hint).await,
                None => core.transport.publish(NUDGE_TOPIC, &queue).await,
            };
            loop {
                if let Err(error) = told {
                    tracing::debug!(%error, "a nudge was not told; the row is found by a scan");
                }
                // A producer in a hurry does not need one message a job.
                tokio::time::sleep(NUDGE_GAP).await;
                if !core.nudges.again(&queue) {
                    return;
                }
                told = core.transport.publish(NUDGE_TOPIC, &queue).await;
            }
        });
        // The first words are on their way before anybody else has a turn.
        if telling.as_mut().now_or_never().is_none() {
            tokio::spawn(telling);
        }
    }
}

/// Nudges on their way to other processes. While one of a queue is on its way, all that come after it
/// are told by one more.
#[derive(Clone, Debug, Default)]
struct Nudges {
    /// Queue → whether one more must follow.
    sending: Arc<Mutex<HashMap<String, bool>>>,
}

impl Nudges {
    /// Whether the caller must send; another one sends otherwise.
    fn begin(&self, queue: &str) -> bool {
        let mut sending = lock(&self.sending);
        match sending.get_mut(queue) {
            Some(again) => {
                *again = true;
                false
            }
            None => {
                sending.insert(queue.to_owned(), false);
                true
            }
        }
    }

    /// One was sent: whether another must follow.
    fn again(&self, queue: &str) -> bool {
        let mut sending = lock(&self.sending);
        match sending.get_mut(queue) {
            Some(again) if *again => {
                *again = false;
                true
            }
            _ => {
                sending.remove(queue);
                false
            }
        }
    }
}

/// Pointers that should be finished and could not be told to the transport. Without them a lane at
/// its limit would wait for leases to run out after an outage.
#[derive(Clone, Debug, Default)]
pub(super) struct Unfinished {
    groups: Arc<Mutex<Vec<Group>>>,
}

/// Pointers of one queue.
type Group = (QueueSpec, Vec<Delivery>);

/// Groups kept. What is dropped beyond them is found by the transport when its lease runs out.
const MAX_UNFINISHED: usize = 1000;

impl Unfinished {
    pub(super) fn keep(&self, spec: QueueSpec, deliveries: Vec<Delivery>) {
        let mut groups = lock(&self.groups);
        if groups.len() < MAX_UNFINISHED {
            groups.push((spec, deliveries));
        }
    }

    /// Tries again.
    pub(super) async fn flush(&self, transport: &dyn Transport) {
        let groups = std::mem::take(&mut *lock(&self.groups));
        for (spec, deliveries) in groups {
            if transport.finish(spec.channel(), &deliveries).await.is_err() {
                self.keep(spec, deliveries);
            }
        }
    }
}

/// Wake-ups by queue. A wake-up that comes while nobody waits is kept; several count as one.
#[derive(Clone, Debug, Default)]
pub(super) struct Wakes {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    by_queue: Mutex<HashMap<String, QueueWakes>>,
    control: Notify,
    starved: Mutex<HashSet<String>>,
}

#[derive(Clone, Debug, Default)]
struct QueueWakes {
    relay: Arc<RelayWake>,
    fetch: Arc<Notify>,
    audit: Arc<Notify>,
}

impl Wakes {
    fn queue(&self, queue: &str) -> QueueWakes {
        let mut all = lock(&self.shared.by_queue);
        match all.get(queue) {
            Some(wakes) => wakes.clone(),
            None => all.entry(queue.to_owned()).or_default().clone(),
        }
    }

    /// Wakes the relay of a queue.
    pub(super) fn relay(&self, queue: &str) -> Arc<RelayWake> {
        self.queue(queue).relay
    }

    /// Wakes whoever takes pointers of a queue.
    pub(super) fn fetch(&self, queue: &str) -> Arc<Notify> {
        self.queue(queue).fetch
    }

    /// Wakes the audit of a queue.
    pub(super) fn audit(&self, queue: &str) -> Arc<Notify> {
        self.queue(queue).audit
    }

    /// Wakes the loop that applies `queue_controls`.
    pub(super) fn control(&self) -> &Notify {
        &self.shared.control
    }

    /// Notes that due rows wait for room in the transport.
    pub(super) fn starve(&self, queue: &str) {
        lock(&self.shared.starved).insert(queue.to_owned());
    }

    /// Wakes the relay when it waits for room.
    pub(super) fn feed(&self, queue: &str) {
        if lock(&self.shared.starved).remove(queue) {
            self.relay(queue).look();
        }
    }

    /// Signals were missed: everybody looks for themselves.
    fn everybody(&self) {
        for wakes in lock(&self.shared.by_queue).values() {
            wakes.relay.look();
            wakes.fetch.notify_one();
            wakes.audit.notify_one();
        }
        self.shared.control.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands the transport's signals to whom they concern, until stopped.
pub(super) async fn listen(core: Core, stop: CancellationToken) {
    let mut signals = core.transport.signals();
    loop {
        let signal = tokio::select! {
            () = stop.cancelled() => return,
            signal = signals.recv() => signal,
        };
        match signal {
            Ok(signal) => hear(&core, &signal),
            Err(RecvError::Lagged(_)) => core.wakes.everybody(),
            Err(RecvError::Closed) => return,
        }
    }
}

fn hear(core: &Core, signal: &Signal) {
    match signal {
        Signal::Work(queue) => core.wakes.fetch(queue).notify_one(),
        Signal::Reconnected => core.wakes.everybody(),
        Signal::Message { topic, payload } => match topic.as_str() {
            NUDGE_TOPIC => core.wakes.relay(payload).look(),
            HINT_TOPIC => {
                if let Ok(hint) = serde_json::from_str::<Hint>(payload)
                    && *hint.from != *core.node
                {
                    core.wakes.relay(&hint.queue).due(hint.pointer());
                }
            }
            CONTROL_TOPIC => core.wakes.control().notify_one(),
            CANCEL_TOPIC => {
                if let Ok(job) = payload.parse::<JobId>() {
                    for lease in core.live.of(job) {
                        lease.stop(StopReason::Cancelled);
                    }
                }
            }
            _ => core.notices.heard(signal),
        },
    }
}
