//! The simulator's time: the machine's clock, as tests and operators set it forward and make it faster.
//!
//! It knows nothing of what is due. Whoever waits for a moment subscribes, and looks again when woken.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Simulated time, in milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Clock {
    course: Mutex<Course>,
    wake: watch::Sender<()>,
}

/// Where the clock stood at a real moment, and how fast it has gone since.
#[derive(Debug, Clone, Copy)]
struct Course {
    real_ms: i64,
    simulated_ms: i64,
    rate: f64,
}

impl Default for Course {
    fn default() -> Self {
        let now = real_now_ms();
        Self {
            real_ms: now,
            simulated_ms: now,
            rate: 1.0,
        }
    }
}

impl Course {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the milliseconds of a run fit"
    )]
    fn at(self, real_ms: i64) -> i64 {
        self.simulated_ms + ((real_ms - self.real_ms) as f64 * self.rate) as i64
    }
}

impl Clock {
    /// The current simulated moment in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.course().at(real_now_ms())
    }

    /// Moves time forward; everything that becomes due happens at once, in order.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.course().simulated_ms += ms;
        self.wake();
    }

    /// Sets the simulated moment, in Unix milliseconds. Time runs on from there.
    pub fn set_ms(&self, now_ms: i64) {
        let mut course = self.course();
        course.real_ms = real_now_ms();
        course.simulated_ms = now_ms;
        drop(course);
        self.wake();
    }

    /// Lets time run `rate` times as fast as real time from now on.
    pub fn set_rate(&self, rate: f64) {
        let mut course = self.course();
        let real_ms = real_now_ms();
        *course = Course {
            real_ms,
            simulated_ms: course.at(real_ms),
            rate,
        };
        drop(course);
        self.wake();
    }

    /// The real time that passes until `ms` of simulated time have.
    pub(crate) fn real(&self, ms: u64) -> Duration {
        Duration::from_millis(ms).div_f64(self.course().rate)
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits: the time, or what is due at which time, has changed.
    pub(crate) fn wake(&self) {
        self.wake.send_replace(());
    }

    /// Sees every wake from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator's clock is where the machine's time enters"
)]
fn real_now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Milliseconds in a second.
pub(crate) const SECOND: i64 = 1_000;
/// Milliseconds in an hour.
pub(crate) const HOUR: i64 = 3_600 * SECOND;
/// Milliseconds in a day; the caps count over this span.
pub(crate) const DAY: i64 = 24 * HOUR;
