//! The only source of time in the product.
//!
//! Everything that asks for the time or waits for it is given a [`Clock`], so that a test can move
//! time by hand. Clippy refuses the direct calls elsewhere (`clippy.toml`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
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
    /// The machine's clock as a file bends it.
    Steered(SteeredClock),
}

impl Clock {
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Manual(clock) => clock.now(),
            Self::Steered(clock) => clock.now(),
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
            Self::Steered(clock) => clock.wait_until(instant).await,
        }
    }

    /// Waits for `duration` by this clock.
    pub async fn sleep(&self, duration: Duration) {
        match self {
            // A relative wait follows the monotonic clock: a step of the wall clock cannot stretch it.
            Self::System => tokio::time::sleep(duration).await,
            Self::Manual(clock) => clock.wait_until(clock.now() + duration).await,
            Self::Steered(clock) => tokio::time::sleep(duration.div_f64(clock.rate())).await,
        }
    }

    /// The instant by which uses of a budget are counted when the machine's clock is not the one to
    /// ask; it knows nothing of steps.
    pub fn counted(&self) -> Option<Timestamp> {
        match self {
            Self::System => None,
            Self::Manual(clock) => Some(clock.now()),
            Self::Steered(clock) => Some(clock.unstepped()),
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
    /// The instants that somebody waits for, and how many wait for each.
    awaited: Arc<Mutex<BTreeMap<Timestamp, usize>>>,
}

/// Somebody who waits for an instant.
struct Waiting<'a> {
    clock: &'a ManualClock,
    instant: Timestamp,
}

impl<'a> Waiting<'a> {
    fn new(clock: &'a ManualClock, instant: Timestamp) -> Self {
        *clock.awaited().entry(instant).or_default() += 1;
        Self { clock, instant }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut awaited = self.clock.awaited();
        match awaited.get_mut(&self.instant) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                awaited.remove(&self.instant);
            }
        }
    }
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: Arc::new(watch::Sender::new(start)),
            awaited: Arc::default(),
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

    /// The first instant that somebody waits for.
    pub fn awaits(&self) -> Option<Timestamp> {
        self.awaited().keys().next().copied()
    }

    fn awaited(&self) -> MutexGuard<'_, BTreeMap<Timestamp, usize>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_until(&self, instant: Timestamp) {
        let _waiting = Waiting::new(self, instant);
        let mut changes = self.now.subscribe();
        // The sender lives in `self`, so waiting can only end by the time coming.
        let _ = changes.wait_for(|now| *now >= instant).await;
    }
}

/// How long what the file of a [`SteeredClock`] says is believed.
const LOOK: Duration = Duration::from_millis(50);

/// The machine's clock, faster and set forward or back as a file says: for tests that run whole
/// processes. Clones share what they have read.
#[derive(Clone, Debug)]
pub struct SteeredClock {
    file: Arc<PathBuf>,
    read: Arc<Mutex<(Instant, Steering)>>,
}

/// What the file says: `rate epoch offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Steering {
    /// How many seconds pass in one of the machine's.
    rate: f64,
    /// The instant at which the two clocks were the same, in milliseconds.
    epoch: i64,
    /// Milliseconds by which it was set forward.
    offset: i64,
}

impl Steering {
    fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut words = text.split_ascii_whitespace();
        let steering = Self {
            rate: words.next()?.parse().ok()?,
            epoch: words.next()?.parse().ok()?,
            offset: words.next()?.parse().ok()?,
        };
        (steering.rate >= 1.0 && steering.rate.is_finite()).then_some(steering)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "milliseconds of a test fit"
    )]
    fn unstepped(self) -> i64 {
        let passed = system_now().as_millis() - self.epoch;
        self.epoch + (passed as f64 * self.rate) as i64
    }
}

impl SteeredClock {
    /// A clock that follows `file`, which must be readable.
    pub fn open(file: PathBuf) -> std::io::Result<Self> {
        let steering = Steering::read(&file)
            .ok_or_else(|| std::io::Error::other("it does not say: rate epoch offset"))?;
        Ok(Self {
            file: Arc::new(file),
            read: Arc::new(Mutex::new((Instant::now(), steering))),
        })
    }

    fn steering(&self) -> Steering {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.0.elapsed() >= LOOK {
            // A file that is just being written says what it said before.
            let steering = Steering::read(&self.file).unwrap_or(read.1);
            *read = (Instant::now(), steering);
        }
        read.1
    }

    fn rate(&self) -> f64 {
        self.steering().rate
    }

    fn now(&self) -> Timestamp {
        let steering = self.steering();
        Timestamp::from_millis(steering.unstepped() + steering.offset)
    }

    fn unstepped(&self) -> Timestamp {
        Timestamp::from_millis(self.steering().unstepped())
    }

    async fn wait_until(&self, instant: Timestamp) {
        loop {
            let left = instant.since(self.now());
            if left.is_zero() {
                return;
            }
            let wait = left.div_f64(self.rate()).min(LOOK);
            tokio::time::sleep(wait).await;
        }
    }
}
