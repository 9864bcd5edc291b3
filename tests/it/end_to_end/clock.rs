//! The clock that the daemons of a run share, and the simulator's with it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::world::World;

/// How much faster than real time everybody's time passes: a lease of 15 s is over in 2.
const RATE: u32 = 8;

/// Steers the clocks.
pub(super) struct Steering {
    pub(super) file: PathBuf,
    rate: u32,
    epoch: u128,
    ahead: Duration,
}

impl Steering {
    /// The machine's time, until [`Self::hurry`].
    pub(super) fn new(directory: &Path) -> Self {
        let steering = Self {
            file: directory.join("clock"),
            rate: 1,
            epoch: now_ms(),
            ahead: Duration::ZERO,
        };
        steering.write();
        steering
    }

    /// From now on everybody's time passes faster. The clocks begin together: what TikTok posts is
    /// known by its time as well.
    pub(super) async fn hurry(&mut self, world: &World) {
        world.sim.set_rate(RATE).await;
        self.rate = RATE;
        self.epoch = now_ms();
        self.write();
    }

    fn write(&self) {
        let text = format!("{} {} {}", self.rate, self.epoch, self.ahead.as_millis());
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }

    /// Sets all clocks forward.
    pub(super) async fn advance(&mut self, world: &World, by: Duration) {
        world.sim.advance(by).await;
        self.ahead += by;
        self.write();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clocks begin with the machine's"
)]
fn now_ms() -> u128 {
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis()
}
