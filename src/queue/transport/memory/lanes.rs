//! One queue's pointers: where each is, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque, hash_map::Entry};

use clipqueue_entities::{JobId, Timestamp};
use uuid::Uuid;

use crate::queue::transport::{Delivery, FIRST, MAX_EXPIRED, Pointer, See};

#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) epoch: String,
    pub(super) paused: bool,
    pub(super) pointers: HashMap<JobId, Held>,
    pub(super) waiting: BTreeMap<String, BTreeSet<(i64, JobId)>>,
    /// Lanes that may be served, in turn. A lane is in it at most once: `ringed` says which.
    pub(super) ring: VecDeque<String>,
    pub(super) ringed: BTreeSet<String>,
    pub(super) running: BTreeSet<(Timestamp, JobId)>,
    pub(super) busy: HashMap<String, u32>,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) nonce: i64,
    pub(super) lane: String,
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Waiting(i64),
    Running(Timestamp),
}

impl Lanes {
    pub(super) fn new() -> Self {
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

    /// Shows the lanes and jobs that are known.
    pub(super) fn show(&self, queue: &str, see: &See<'_>) {
        for (job, held) in &self.pointers {
            see(queue, job.0.as_bytes());
            see(queue, held.lane.as_bytes());
        }
        for lane in self
            .waiting
            .keys()
            .chain(&self.ringed)
            .chain(self.busy.keys())
        {
            see(queue, lane.as_bytes());
        }
    }

    pub(super) fn flying(&self, lane: &str) -> u32 {
        self.busy.get(lane).copied().unwrap_or(0)
    }

    /// Puts the lane into the ring when something waits in it and its limit allows.
    pub(super) fn open(&mut self, lane: &str, limit: u32) -> bool {
        let open = (limit == 0 || self.flying(lane) < limit)
            && self.waiting.contains_key(lane)
            && !self.ringed.contains(lane);
        if open {
            self.ringed.insert(lane.to_owned());
            self.ring.push_back(lane.to_owned());
        }
        open
    }

    pub(super) fn wait(&mut self, job: JobId, rank: i64) {
        if let Some(held) = self.pointers.get_mut(&job) {
            held.place = Place::Waiting(rank);
            self.waiting
                .entry(held.lane.clone())
                .or_default()
                .insert((rank, job));
        }
    }

    /// Takes the pointer from wherever it is, and gives its lane.
    pub(super) fn lift(&mut self, job: JobId) -> Option<String> {
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

    /// Adds a pointer as one that is in flight, if it is new and its lane may be served.
    pub(super) fn admit(&mut self, pointer: &Pointer, limit: u32, until: Timestamp) -> bool {
        let open = limit == 0 || self.flying(&pointer.lane) < limit;
        if !open || self.pointers.contains_key(&pointer.job) {
            return false;
        }
        self.restore(&Delivery::from(pointer), until);
        true
    }

    /// Adds a pointer in flight for a job that has none.
    pub(super) fn restore(&mut self, delivery: &Delivery, until: Timestamp) {
        let Entry::Vacant(vacant) = self.pointers.entry(delivery.job) else {
            return;
        };
        vacant.insert(Held {
            nonce: delivery.nonce,
            lane: delivery.lane.clone(),
            place: Place::Running(until),
        });
        self.running.insert((until, delivery.job));
        *self.busy.entry(delivery.lane.clone()).or_default() += 1;
    }

    pub(super) fn put_back_expired(&mut self, now: Timestamp, limit: u32) {
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

    pub(super) fn take(&mut self, want: usize, limit: u32, until: Timestamp) -> Vec<Delivery> {
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
