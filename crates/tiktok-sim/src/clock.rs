//! The simulator's time: the machine's clock plus an offset that tests and operators move.
//!
//! It knows nothing of what is due. Whoever waits for a moment subscribes, and looks again when woken.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Real time plus an offset, in milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Clock {
    offset_ms: AtomicI64,
    wake: watch::Sender<()>,
}

impl Clock {
    /// The current simulated moment in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        real_now_ms() + self.offset_ms.load(Ordering::SeqCst)
    }

    /// Moves time forward; everything that becomes due happens at once, in order.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.offset_ms.fetch_add(ms, Ordering::SeqCst);
        self.wake();
    }

    /// Sets the simulated moment, in Unix milliseconds. Time runs on from there.
    pub fn set_ms(&self, now_ms: i64) {
        self.offset_ms
            .store(now_ms - real_now_ms(), Ordering::SeqCst);
        self.wake();
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
