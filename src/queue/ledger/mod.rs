//! The ledger: what operators and the API may ask about jobs, and what operators may do to them.
//!
//! Every question is answered from an index in bounded work, however many rows there are: lists are
//! keyset pages, counts stop at a cap.

mod acts;
mod keys;
mod list;
mod prune;
mod stats;

pub use acts::{CancelOutcome, RetryOutcome, cancel_in, cancel_lane, hold_lane, release_held};
pub use keys::live;
pub use list::{JobFilter, JobPage, PageRequest};
pub use stats::{Count, QueueStats};

pub(super) use acts::release_known_kinds;
pub(super) use list::{attempts, get, list, queues};
pub(super) use prune::prune;
pub(super) use stats::stats;

pub(super) use acts::{announce_cancel, retry};
