//! The only source of time in the product.
//!
//! Everything that asks for the time or waits for it is given a [`Clock`], so that a test can move
//! time by hand. Clippy refuses the direct calls elsewhere (`clippy.toml`).

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clipqueue_entities::Timestamp;
use tokio::sync::watch;

/// A source of time: the machine's, or a test's.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is moved.
    Manual(ManualClock),
}

impl Clock {
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Waits until `instant` has come by this clock.
    pub async fn sleep_until(&self, instant: Timestamp) {
        match self {
            Self::System => loop {
                let left = instant.since(system_now());
                if left.is_zero() {
                    return;
                }
                // A long sleep is cut, so that a step of the machine's clock is noticed.
                tokio::time::sleep(left.min(MAX_SLEEP)).await;
            },
            Self::Manual(clock) => clock.wait_until(instant).await,
        }
    }

    /// Waits for `duration` by this clock.
    pub async fn sleep(&self, duration: Duration) {
        match self {
            // A relative wait follows the monotonic clock: a step of the wall clock cannot stretch it.
            Self::System => tokio::time::sleep(duration).await,
            Self::Manual(clock) => clock.wait_until(clock.now() + duration).await,
        }
    }
}

/// The longest uninterrupted sleep towards an instant.
const MAX_SLEEP: Duration = Duration::from_secs(30);

#[expect(
    clippy::disallowed_methods,
    reason = "the clock is where the machine's time enters"
)]
fn system_now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A clock for tests. Clones share the same time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<watch::Sender<Timestamp>>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: Arc::new(watch::Sender::new(start)),
        }
    }

    /// The instant at which it stands.
    pub fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    /// Moves it forward and wakes everybody whose instant has come.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now = *now + by);
    }

    async fn wait_until(&self, instant: Timestamp) {
        let mut changes = self.now.subscribe();
        // The sender lives in `self`, so waiting can only end by the time coming.
        let _ = changes.wait_for(|now| *now >= instant).await;
    }
}
