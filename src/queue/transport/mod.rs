//! What carries pointers to due jobs from the database to workers.
//!
//! A transport is an index that may be lost at any moment: it knows `(job id, nonce)` and the lane,
//! never arguments or history. It hands pointers out fairly over lanes, counts what is in flight
//! per lane, wakes workers by push, and keeps sliding-window budgets. Whatever it forgets, the relay
//! delivers again from the rows; whatever it hands out twice, the claim drops.
//!
//! Two implementations pass one conformance suite: [`redis`] for several processes and [`memory`]
//! for one.

mod budgets;
pub mod memory;
pub mod redis;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use clipqueue_entities::{JobId, Timestamp};
use tokio::sync::broadcast;

pub use self::{
    budgets::{Acquired, Budget, Budgets, Standing, Use, Used},
    redis::RedisReport,
};

/// The most pointers that one call may carry. It bounds every script on the server.
pub const MAX_BATCH: usize = 500;

/// The most lanes about which one call may ask.
pub const MAX_LANES: usize = 256;

/// Pointers whose lease ran out that one `take` puts back.
pub(crate) const MAX_EXPIRED: usize = 100;

/// How many signals a slow listener may be behind before it is told that it missed some.
pub(crate) const SIGNAL_BUFFER: usize = 1024;

/// The range of priorities that keeps its order; wider values are cut to it.
const PRIORITY_RANGE: std::ops::RangeInclusive<i32> = -1000..=1000;

/// 2^42 milliseconds reach to the year 2109: one step of priority outweighs any due time, and the
/// sum stays below 2^53, where a double is exact.
const PRIORITY_STEP: i64 = 1 << 42;

/// The place of pointers that come back: before everything that was never handed out.
pub(crate) const FIRST: i64 = -(1 << 52);

/// A transport that cannot be reached or does not understand. Nothing was decided; try again.
#[derive(Debug, thiserror::Error)]
#[error("the transport failed to {doing}")]
pub struct TransportError {
    doing: &'static str,
    #[source]
    source: anyhow::Error,
}

impl TransportError {
    pub(crate) fn new(doing: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self {
            doing,
            source: source.into(),
        }
    }
}

/// A queue as the transport sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel<'a> {
    /// The queue's name.
    pub queue: &'a str,
    /// How many pointers of one lane may be in flight; zero means any number.
    pub lane_limit: u32,
}

/// A due job on its way to the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The job.
    pub job: JobId,
    /// The fence that its row had when it was dispatched.
    pub nonce: i64,
    /// Whose turn it uses.
    pub lane: String,
    /// Where it stands within its lane; lower comes first.
    pub rank: i64,
}

impl Pointer {
    /// The rank of a job: priority first, then due time.
    pub fn rank(priority: i32, run_at: Timestamp) -> i64 {
        let priority = priority.clamp(*PRIORITY_RANGE.start(), *PRIORITY_RANGE.end());
        i64::from(priority) * PRIORITY_STEP + run_at.as_millis().clamp(0, PRIORITY_STEP - 1)
    }
}

/// A pointer that was handed to this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The job.
    pub job: JobId,
    /// The nonce to claim it with.
    pub nonce: i64,
    /// Whose turn it uses.
    pub lane: String,
}

impl Delivery {
    /// The same pointer once it is adopted.
    fn adopted(&self) -> Self {
        Self {
            nonce: self.nonce + 1,
            ..self.clone()
        }
    }
}

impl From<&Pointer> for Delivery {
    fn from(pointer: &Pointer) -> Self {
        Self {
            job: pointer.job,
            nonce: pointer.nonce,
            lane: pointer.lane.clone(),
        }
    }
}

/// What a `take` brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The pointers.
    pub deliveries: Vec<Delivery>,
    /// Pointers that still wait.
    pub waiting: u64,
}

/// How full a queue is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Pointers that wait.
    pub waiting: u64,
    /// Pointers that were taken and are neither finished nor given back.
    pub in_flight: u64,
    /// Lanes that wait and may be served, being below their limit.
    pub open_lanes: u64,
    /// Waiting pointers of each lane that was asked about, in that order.
    pub lanes: Vec<u64>,
}

/// Is shown what is kept: the name of a place, and what lies there.
pub type See<'a> = dyn Fn(&str, &[u8]) + Send + Sync + 'a;

/// Something that happened, here or in another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Pointers may be waiting in this queue.
    Work(String),
    /// Somebody published on a topic.
    Message {
        /// The topic.
        topic: String,
        /// The payload.
        payload: String,
    },
    /// The connection was made anew: signals were missed and pointers may be gone.
    Reconnected,
}

/// What becomes of a job that runs and has no pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It stays without: it may have ended a moment ago.
    Stay,
    /// It gets one that is in flight, so that its lane counts it.
    Restore,
}

/// A carrier of pointers. Every call takes at most [`MAX_BATCH`] items.
#[async_trait]
pub trait Transport: Budgets + Send + Sync + fmt::Debug {
    /// A name for logs: `redis` or `memory`.
    fn name(&self) -> &'static str;

    /// Whether other processes can share it.
    fn is_shared(&self) -> bool;

    /// Adds pointers. A job that is known with the same or a newer nonce stays as it is; a newer
    /// nonce replaces an older pointer, waiting or in flight. Gives how many were new.
    async fn deliver(&self, channel: Channel<'_>, batch: &[Pointer])
    -> Result<u64, TransportError>;

    /// Takes up to `limit` pointers, lane after lane, for `lease`. Pointers whose lease ran out are
    /// put back first.
    async fn take(
        &self,
        channel: Channel<'_>,
        limit: usize,
        lease: Duration,
    ) -> Result<Taken, TransportError>;

    /// Adds pointers that are handed to this process at once, for `lease`. None is admitted while the
    /// queue is paused or while pointers wait that may be served; a job that is known, or whose lane is
    /// at its limit, is left out. Gives what was admitted.
    async fn admit(
        &self,
        channel: Channel<'_>,
        batch: &[Pointer],
        lease: Duration,
    ) -> Result<Vec<Delivery>, TransportError>;

    /// Takes over a pointer that is in flight: it has the next nonce from now on, so that whoever put it there
    /// cannot finish it any more. None when it is not in flight with this nonce.
    async fn adopt(
        &self,
        queue: &str,
        pointer: &Delivery,
    ) -> Result<Option<Delivery>, TransportError>;

    /// Renews the lease of pointers that are in flight.
    async fn extend(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
        lease: Duration,
        unknown: Unknown,
    ) -> Result<(), TransportError>;

    /// Forgets pointers, unless a newer nonce has replaced them.
    async fn finish(&self, channel: Channel<'_>, batch: &[Delivery]) -> Result<(), TransportError>;

    /// Puts pointers that are in flight back to the front of their lanes.
    async fn give_back(
        &self,
        channel: Channel<'_>,
        batch: &[Delivery],
    ) -> Result<(), TransportError>;

    /// Which of these jobs have no pointer, neither waiting nor in flight.
    async fn missing(&self, queue: &str, jobs: &[JobId]) -> Result<Vec<JobId>, TransportError>;

    /// Some of the pointers, waiting and in flight, with their nonces, and the cursor of the next call;
    /// begin with zero, which also says that there is no more. What comes or goes meanwhile may be
    /// missed or told twice.
    async fn scan(
        &self,
        queue: &str,
        cursor: u64,
    ) -> Result<(u64, Vec<(JobId, i64)>), TransportError>;

    /// How full the queue is, and how many pointers wait in each of `lanes`.
    async fn depth(&self, queue: &str, lanes: &[String]) -> Result<Depth, TransportError>;

    /// Stops or resumes handing pointers of a queue out, in every process.
    async fn set_paused(&self, queue: &str, paused: bool) -> Result<(), TransportError>;

    /// A word that changes when the queue's pointers were lost as a whole.
    async fn epoch(&self, queue: &str) -> Result<String, TransportError>;

    /// Shows everything that is kept, piece by piece: the name of the place, and what lies there. For
    /// searches; what comes or goes meanwhile may be missed.
    async fn survey(&self, see: &See<'_>) -> Result<(), TransportError>;

    /// Sends a message to every process that listens. It may be lost; the receiver must be able to
    /// find out by other means what it said.
    async fn publish(&self, topic: &str, payload: &str) -> Result<(), TransportError>;

    /// Everything that is signalled from now on.
    fn signals(&self) -> broadcast::Receiver<Signal>;

    /// Writes something small that goes by itself: a server that answers may have no room, and then it
    /// takes no pointers.
    async fn probe(&self) -> Result<(), TransportError>;

    /// Facts about the Redis server; none for another transport. `now` is our time.
    async fn inspect(&self, now: Timestamp) -> Result<Option<RedisReport>, TransportError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_outweighs_time_and_stays_exact() {
        let early = Timestamp::from_millis(1);
        let late = Timestamp::from_secs(4_000_000_000);
        assert!(Pointer::rank(-1, late) < Pointer::rank(0, early));
        assert!(Pointer::rank(0, early) < Pointer::rank(0, late));
        assert!(Pointer::rank(i32::MAX, late) < 1 << 53);
        assert!(Pointer::rank(i32::MIN, early) > FIRST);
    }
}
