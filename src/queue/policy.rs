//! The table that the product hands to the queue: queues, policies of kinds, and crons.

use std::time::Duration;

use clipqueue_entities::{JobId, Timestamp};

use super::{transport::Channel, work::NewJob};

/// How long a process is believed after its last sign of life, unless a policy says otherwise.
/// With a rescue every few seconds, a job of a killed process runs elsewhere within 30 s.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(15);

/// A queue and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its name. Letters, digits, `-` and `_`.
    pub name: String,
    /// Attempts that one process runs at a time.
    pub concurrency: usize,
    /// Attempts of one lane that run at a time in all processes together; zero means any number.
    pub lane_limit: u32,
}

impl QueueSpec {
    pub(super) fn channel(&self) -> Channel<'_> {
        Channel {
            queue: &self.name,
            lane_limit: self.lane_limit,
        }
    }
}

/// How a kind of job is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The queue that runs it.
    pub queue: String,
    /// Attempts that it may use.
    pub max_attempts: i32,
    /// The wait between attempts.
    pub backoff: Backoff,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long a process that runs it is believed after its last sign of life.
    pub lease: Duration,
}

/// An exponential wait with a cap and jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first attempt; it doubles with each further one.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// By how many percent a wait may be shorter or longer, so that jobs that failed together do
    /// not come back together.
    pub jitter_percent: u8,
}

impl Backoff {
    /// The wait after `attempt` (from one) of `job`. The jitter is a function of both, so that a
    /// test can know it.
    pub fn after(self, job: JobId, attempt: i32) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0);
        let factor = 1u32.checked_shl(doublings.min(31)).unwrap_or(u32::MAX);
        let wait = self.base.saturating_mul(factor).min(self.cap);
        let percent = u64::from(self.jitter_percent.min(100));
        if percent == 0 {
            return wait;
        }
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX / 200);
        let low = millis.saturating_mul(100 - percent) / 100;
        let span = millis.saturating_mul(2 * percent) / 100;
        Duration::from_millis(low + scatter(job, attempt) % (span + 1))
    }
}

/// An even spread over u64 from the random bits of a job id and the attempt.
fn scatter(job: JobId, attempt: i32) -> u64 {
    let (_, random) = job.0.as_u64_pair();
    let mut x = random ^ u64::from(attempt.unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // The finalizer of splitmix64: each bit of the input moves half of the output.
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// What to do about slots that passed while nothing ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// Fire the latest of them, once.
    Latest,
    /// Fire none.
    Skip,
}

/// A periodic job.
#[derive(Clone, Debug)]
pub struct CronSpec {
    /// Its name; slots are unique by it.
    pub name: String,
    /// When it fires, in UTC: `sec min hour day month weekday [year]`.
    pub expression: String,
    /// Makes the job of a slot. Its `run_at` is normally the slot.
    pub job: fn(Timestamp) -> NewJob,
    /// What happens to missed slots.
    pub catch_up: CatchUp,
}

/// The product's table. The queue asks it by name and knows nothing else about jobs.
pub trait Catalogue: Send + Sync {
    /// Every queue.
    fn queues(&self) -> &[QueueSpec];

    /// How `kind` is run; none for an unknown kind, which is parked visibly.
    fn policy(&self, kind: &str) -> Option<Policy>;

    /// Whether arguments of `kind` can be read. Jobs that were parked because they could not be are
    /// let go once they can.
    fn reads(&self, kind: &str, args: &serde_json::Value) -> bool;

    /// Every periodic job.
    fn crons(&self) -> &[CronSpec];
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_secs(10),
        cap: Duration::from_secs(3600),
        jitter_percent: 20,
    };

    #[test]
    fn waits_double_up_to_the_cap_within_the_jitter() {
        for attempt in 1..40 {
            let plain = Backoff {
                jitter_percent: 0,
                ..BACKOFF
            }
            .after(JobId::new(), attempt);
            let expected = 10.0 * 2f64.powi(attempt - 1);
            assert_eq!(plain.as_secs_f64(), expected.min(3600.0));
            for _ in 0..50 {
                let wait = BACKOFF.after(JobId::new(), attempt).as_secs_f64();
                let ratio = wait / plain.as_secs_f64();
                assert!((0.8..=1.2001).contains(&ratio), "{attempt}: {ratio}");
            }
        }
    }

    #[test]
    fn jitter_spreads_jobs_that_failed_together() {
        let waits: std::collections::HashSet<_> =
            (0..100).map(|_| BACKOFF.after(JobId::new(), 3)).collect();
        assert!(waits.len() > 50, "{}", waits.len());
    }
}
