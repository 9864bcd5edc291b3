//! The transport for one process: pointers in memory. Nothing is lost with it, since the rows are
//! the truth; a new process starts with a new epoch and the relay delivers again.

mod budgets;
mod lanes;
mod windows;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use clipqueue_entities::{JobId, Timestamp};
use tokio::sync::broadcast;

use self::{
    lanes::{Held, Lanes, Place},
    windows::Windows,
};
use super::{
    Channel, Delivery, Depth, FIRST, MAX_BATCH, Pointer, RedisReport, SIGNAL_BUFFER, See, Signal,
    Taken, Transport, TransportError, Unknown,
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
    windows: Windows,
    notes: HashMap<String, (String, Timestamp)>,
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

    fn is_shared(&self) -> bool {
        false
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

    async fn admit(
        &self,
        channel: Channel<'_>,
        batch: &[Pointer],
        lease: Duration,
    ) -> Result<Vec<Delivery>, TransportError> {
        let until = self.clock.now() + lease;
        Ok(self.with(channel.queue, |lanes| {
            if lanes.paused || !lanes.ring.is_empty() {
                return Vec::new();
            }
            let admitted = batch
                .iter()
                .filter(|pointer| lanes.admit(pointer, channel.lane_limit, until));
            admitted.map(Delivery::from).collect()
        }))
    }

    async fn adopt(
        &self,
        queue: &str,
        pointer: &Delivery,
    ) -> Result<Option<Delivery>, TransportError> {
        Ok(
            self.with(queue, |lanes| match lanes.pointers.get_mut(&pointer.job) {
                Some(held)
                    if held.nonce == pointer.nonce && matches!(held.place, Place::Running(_)) =>
                {
                    held.nonce += 1;
                    Some(pointer.adopted())
                }
                _ => None,
            }),
        )
    }

    async fn extend(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
        lease: Duration,
        unknown: Unknown,
    ) -> Result<(), TransportError> {
        let until = self.clock.now() + lease;
        self.with(channel.queue, |lanes| {
            for delivery in batch {
                if unknown == Unknown::Restore {
                    lanes.restore(delivery, until);
                }
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

    async fn finish(&self, channel: Channel<'_>, batch: &[Delivery]) -> Result<(), TransportError> {
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

    async fn scan(
        &self,
        queue: &str,
        _cursor: u64,
    ) -> Result<(u64, Vec<(JobId, i64)>), TransportError> {
        // The relay keeps their number bounded, so that one page holds all.
        Ok(self.with(queue, |lanes| {
            let pointers = lanes.pointers.iter();
            (0, pointers.map(|(job, held)| (*job, held.nonce)).collect())
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

    async fn survey(&self, see: &See<'_>) -> Result<(), TransportError> {
        let state = self.state();
        for (queue, lanes) in &state.queues {
            lanes.show(queue, see);
        }
        for key in state.windows.keys() {
            see("budget", key.as_bytes());
        }
        for (name, (text, _)) in &state.notes {
            see("note", name.as_bytes());
            see("note", text.as_bytes());
        }
        Ok(())
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

    async fn probe(&self) -> Result<(), TransportError> {
        Ok(())
    }

    async fn inspect(&self, _now: Timestamp) -> Result<Option<RedisReport>, TransportError> {
        Ok(None)
    }
}
