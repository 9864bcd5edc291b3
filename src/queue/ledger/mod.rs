//! The ledger: what operators and the API may ask about jobs, and what operators may do to them.
//!
//! Every question is answered from an index in bounded work, however many rows there are: lists are
//! keyset pages, counts stop at a cap.

mod acts;
mod crons;
mod erase;
mod keys;
mod list;
mod matching;
mod prune;
mod release;
mod stats;
mod stuck;

pub use acts::{
    CancelOutcome, Hastened, ReleaseOutcome, RetryOutcome, cancel_in, cancel_lane, hasten_in,
    held_lanes, hold_lane, release_held, release_in, retry_in,
};
pub use crons::{CronStatus, Slot};
pub use erase::{Erased, delete_lane, running_in_lane};
pub use keys::live;
pub use list::{JobFilter, JobPage, PageRequest};
pub use matching::{Matching, count, pick};
pub use stats::{Count, QueueStats};
pub use stuck::Stuck;

pub(super) use crons::crons;
pub(super) use list::{attempts, get, list, queues};
pub(super) use prune::{prunable, prune};
pub(super) use release::{release_known_kinds, release_readable};
pub(super) use stats::stats;
pub(super) use stuck::stuck;

pub(super) use acts::announce_cancel;
