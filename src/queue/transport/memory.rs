//! The transport for one process: pointers in memory. Nothing is lost with it, since the rows are
//! the truth; a new process starts with a new epoch and the relay delivers again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use clipqueue_entities::{JobId, Timestamp};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::{
    Acquired, Budget, Channel, Delivery, Depth, FIRST, MAX_BATCH, MAX_EXPIRED, Pointer,
    RedisReport, SIGNAL_BUFFER, Signal, Taken, Transport, TransportError,
};
use crate::clock::Clock;

/// Pointers in memory.
#[derive(Debug)]
pub struct MemoryTransport {
    clock: Clock,
    state: Mutex<State>,
    signals: broadcast::Sender<Signal>,
}

#[derive(Debug, Default)]
struct State {
    queues: HashMap<String, Lanes>,
    budgets: HashMap<String, VecDeque<Timestamp>>,
}

#[derive(Debug)]
struct Lanes {
    epoch: String,
    paused: bool,
    pointers: HashMap<JobId, Held>,
    waiting: BTreeMap<String, BTreeSet<(i64, JobId)>>,
    /// Lanes that may be served, in turn. A lane is in it at most once: `ringed` says which.
    ring: VecDeque<String>,
    ringed: BTreeSet<String>,
    running: BTreeSet<(Timestamp, JobId)>,
    busy: HashMap<String, u32>,
}

#[derive(Debug)]
struct Held {
    nonce: i64,
    lane: String,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Waiting(i64),
    Running(Timestamp),
}

impl Lanes {
    fn new() -> Self {
        Self {
            epoch: Uuid::new_v4().simple().to_string(),
            paused: false,
            pointers: HashMap::new(),
            waiting: BTreeMap::new(),
            ring: VecDeque::new(),
            ringed: BTreeSet::new(),
            running: BTreeSet::new(),
            busy: HashMap::new(),
        }
    }

    fn flying(&self, lane: &str) -> u32 {
        self.busy.get(lane).copied().unwrap_or(0)
    }

    /// Puts the lane into the ring when something waits in it and its limit allows.
    fn open(&mut self, lane: &str, limit: u32) -> bool {
        let open = (limit == 0 || self.flying(lane) < limit)
            && self.waiting.contains_key(lane)
            && !self.ringed.contains(lane);
        if open {
            self.ringed.insert(lane.to_owned());
            self.ring.push_back(lane.to_owned());
        }
        open
    }

    fn wait(&mut self, job: JobId, rank: i64) {
        if let Some(held) = self.pointers.get_mut(&job) {
            held.place = Place::Waiting(rank);
            self.waiting
                .entry(held.lane.clone())
                .or_default()
                .insert((rank, job));
        }
    }

    /// Takes the pointer from wherever it is, and gives its lane.
    fn lift(&mut self, job: JobId) -> Option<String> {
        let held = self.pointers.get(&job)?;
        let lane = held.lane.clone();
        match held.place {
            Place::Waiting(rank) => {
                if let Some(set) = self.waiting.get_mut(&lane) {
                    set.remove(&(rank, job));
                    if set.is_empty() {
                        self.waiting.remove(&lane);
                    }
                }
            }
            Place::Running(until) => {
                self.running.remove(&(until, job));
                if let Some(count) = self.busy.get_mut(&lane) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.busy.remove(&lane);
                    }
                }
            }
        }
        Some(lane)
    }

    fn put_back_expired(&mut self, now: Timestamp, limit: u32) {
        for _ in 0..MAX_EXPIRED {
            match self.running.first() {
                Some((until, job)) if *until <= now => {
                    let job = *job;
                    if let Some(lane) = self.lift(job) {
                        self.wait(job, FIRST);
                        self.open(&lane, limit);
                    }
                }
                _ => return,
            }
        }
    }

    fn take(&mut self, want: usize, limit: u32, until: Timestamp) -> Vec<Delivery> {
        let mut out = Vec::new();
        while out.len() < want {
            let Some(lane) = self.ring.pop_front() else {
                break;
            };
            self.ringed.remove(&lane);
            let mut share = ((want - out.len()) / (self.ring.len() + 1)).max(1);
            if limit > 0 {
                share = share.min(limit.saturating_sub(self.flying(&lane)) as usize);
            }
            for _ in 0..share {
                let next = self.waiting.get(&lane).and_then(|set| set.first().copied());
                let Some((_, job)) = next else { break };
                self.lift(job);
                if let Some(held) = self.pointers.get_mut(&job) {
                    held.place = Place::Running(until);
                    self.running.insert((until, job));
                    *self.busy.entry(lane.clone()).or_default() += 1;
                    out.push(Delivery {
                        job,
                        nonce: held.nonce,
                        lane: lane.clone(),
                    });
                }
            }
            self.open(&lane, limit);
        }
        out
    }
}

impl MemoryTransport {
    /// An empty transport that reads time from `clock`.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::new(State::default()),
            signals: broadcast::Sender::new(SIGNAL_BUFFER),
        }
    }

    /// Forgets everything, as a new process would.
    pub fn forget(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave a half-made change worth refusing: at worst a pointer is missing,
        // and the relay's audit finds those.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, queue: &str, change: impl FnOnce(&mut Lanes) -> T) -> T {
        let mut state = self.state();
        if !state.queues.contains_key(queue) {
            state.queues.insert(queue.to_owned(), Lanes::new());
        }
        let lanes = state.queues.get_mut(queue);
        change(lanes.expect("it was inserted above"))
    }

    fn signal(&self, signal: Signal) {
        // Without a listener there is nobody to wake.
        let _ = self.signals.send(signal);
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn deliver(
        &self,
        channel: Channel<'_>,
        batch: &[Pointer],
    ) -> Result<u64, TransportError> {
        let added = self.with(channel.queue, |lanes| {
            let mut added = 0;
            for pointer in batch {
                if lanes
                    .pointers
                    .get(&pointer.job)
                    .is_some_and(|held| held.nonce >= pointer.nonce)
                {
                    continue;
                }
                lanes.lift(pointer.job);
                lanes.pointers.insert(
                    pointer.job,
                    Held {
                        nonce: pointer.nonce,
                        lane: pointer.lane.clone(),
                        place: Place::Waiting(pointer.rank),
                    },
                );
                lanes.wait(pointer.job, pointer.rank);
                lanes.open(&pointer.lane, channel.lane_limit);
                added += 1;
            }
            added
        });
        if added > 0 {
            self.signal(Signal::Work(channel.queue.to_owned()));
        }
        Ok(added)
    }

    async fn take(
        &self,
        channel: Channel<'_>,
        limit: usize,
        lease: Duration,
    ) -> Result<Taken, TransportError> {
        let now = self.clock.now();
        Ok(self.with(channel.queue, |lanes| {
            lanes.put_back_expired(now, channel.lane_limit);
            let deliveries = if lanes.paused {
                Vec::new()
            } else {
                lanes.take(limit.min(MAX_BATCH), channel.lane_limit, now + lease)
            };
            Taken {
                deliveries,
                waiting: (lanes.pointers.len() - lanes.running.len()) as u64,
            }
        }))
    }

    async fn extend(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
        lease: Duration,
    ) -> Result<(), TransportError> {
        let until = self.clock.now() + lease;
        self.with(channel.queue, |lanes| {
            for delivery in batch {
                if let Some(held) = lanes.pointers.get_mut(&delivery.job)
                    && held.nonce == delivery.nonce
                    && let Place::Running(old) = held.place
                {
                    held.place = Place::Running(until);
                    lanes.running.remove(&(old, delivery.job));
                    lanes.running.insert((until, delivery.job));
                }
            }
        });
        Ok(())
    }

    async fn finish(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
    ) -> Result<(), TransportError> {
        let opened = self.with(channel.queue, |lanes| {
            let mut opened = false;
            for delivery in batch {
                let current = lanes.pointers.get(&delivery.job);
                if current.is_some_and(|held| held.nonce == delivery.nonce) {
                    lanes.lift(delivery.job);
                    lanes.pointers.remove(&delivery.job);
                    opened |= lanes.open(&delivery.lane, channel.lane_limit);
                }
            }
            opened
        });
        if opened {
            self.signal(Signal::Work(channel.queue.to_owned()));
        }
        Ok(())
    }

    async fn give_back(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
    ) -> Result<(), TransportError> {
        self.with(channel.queue, |lanes| {
            for delivery in batch {
                let current = lanes.pointers.get(&delivery.job);
                if current.is_some_and(|held| {
                    held.nonce == delivery.nonce && matches!(held.place, Place::Running(_))
                }) {
                    lanes.lift(delivery.job);
                    lanes.wait(delivery.job, FIRST);
                    lanes.open(&delivery.lane, channel.lane_limit);
                }
            }
        });
        self.signal(Signal::Work(channel.queue.to_owned()));
        Ok(())
    }

    async fn missing(&self, queue: &str, jobs: &[JobId]) -> Result<Vec<JobId>, TransportError> {
        Ok(self.with(queue, |lanes| {
            jobs.iter()
                .filter(|job| !lanes.pointers.contains_key(job))
                .copied()
                .collect()
        }))
    }

    async fn depth(&self, queue: &str, asked: &[String]) -> Result<Depth, TransportError> {
        Ok(self.with(queue, |lanes| Depth {
            waiting: (lanes.pointers.len() - lanes.running.len()) as u64,
            in_flight: lanes.running.len() as u64,
            open_lanes: lanes.ring.len() as u64,
            lanes: asked
                .iter()
                .map(|lane| lanes.waiting.get(lane).map_or(0, BTreeSet::len) as u64)
                .collect(),
        }))
    }

    async fn set_paused(&self, queue: &str, paused: bool) -> Result<(), TransportError> {
        self.with(queue, |lanes| lanes.paused = paused);
        if !paused {
            self.signal(Signal::Work(queue.to_owned()));
        }
        Ok(())
    }

    async fn epoch(&self, queue: &str) -> Result<String, TransportError> {
        Ok(self.with(queue, |lanes| lanes.epoch.clone()))
    }

    async fn acquire(
        &self,
        budgets: &[Budget],
        now: Option<Timestamp>,
    ) -> Result<Acquired, TransportError> {
        let now = now.unwrap_or_else(|| self.clock.now());
        let mut state = self.state();
        let mut wait = Duration::ZERO;
        for budget in budgets {
            let uses = state.budgets.entry(budget.key.clone()).or_default();
            while uses.front().is_some_and(|at| *at <= now - budget.window) {
                uses.pop_front();
            }
            let limit = budget.limit as usize;
            if limit == 0 {
                wait = wait.max(budget.window);
            } else if uses.len() >= limit {
                let free = uses[uses.len() - limit] + budget.window;
                wait = wait.max(free.since(now)).max(Duration::from_millis(1));
            }
        }
        if !wait.is_zero() {
            return Ok(Acquired::Wait(wait));
        }
        for budget in budgets {
            if let Some(uses) = state.budgets.get_mut(&budget.key) {
                uses.push_back(now);
            }
        }
        Ok(Acquired::Granted)
    }

    async fn publish(&self, topic: &str, payload: &str) -> Result<(), TransportError> {
        self.signal(Signal::Message {
            topic: topic.to_owned(),
            payload: payload.to_owned(),
        });
        Ok(())
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    async fn inspect(&self, _now: Timestamp) -> Result<Option<RedisReport>, TransportError> {
        Ok(None)
    }
}
