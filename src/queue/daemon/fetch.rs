//! The fetch loop of a queue: free slots in, seated tickets out.

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::{LOOK, patience::Patience};
use crate::queue::{control::Paused, core::Core, execute, seats::Seats};

/// Takes pointers while slots are free.
pub(super) struct Fetch {
    pub(super) core: Core,
    pub(super) seats: Seats,
    pub(super) paused: Paused,
}

impl Fetch {
    pub(super) async fn run(self, stop: CancellationToken) {
        let wake = self.core.wakes.fetch(&self.seats.spec.name);
        let mut patience = Patience::new();
        loop {
            let slots = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                slots = self.seats.wait() => slots,
            };
            let Some(slots) = slots else { return };
            let mut idle = true;
            if !self.paused.contains(&self.seats.spec.name) {
                // Not raced against the stop: what was taken and claimed must not be forgotten.
                match self.take(slots).await {
                    Ok(all) => {
                        patience.calm();
                        idle = !all;
                    }
                    Err(error) => {
                        tokio::select! {
                            () = stop.cancelled() => return,
                            () = patience.wait("fetch", &error) => {}
                        }
                        continue;
                    }
                }
            } else {
                drop(slots);
            }
            if idle {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = wake.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// Fills the slots; whether there was enough for all of them.
    async fn take(&self, mut slots: OwnedSemaphorePermit) -> Result<bool, execute::FetchError> {
        let want = slots.num_permits();
        let Seats {
            catalogue, spec, ..
        } = &self.seats;
        let fetched = execute::fetch(&self.core, catalogue.as_ref(), spec, want).await?;
        self.seats.seat(fetched.tickets, &mut slots).await;
        Ok(fetched.taken == want)
    }
}
