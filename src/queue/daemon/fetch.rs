//! The fetch loop of a queue: free slots in, seated tickets out.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{LOOK, patience::Patience};
use crate::queue::{
    backend::Seated,
    control::Paused,
    core::Core,
    execute::{self, Ticket},
    policy::{Catalogue, QueueSpec},
    transport::MAX_BATCH,
};

/// Takes pointers while slots are free.
pub(super) struct Fetch {
    pub(super) core: Core,
    pub(super) catalogue: Arc<dyn Catalogue>,
    pub(super) spec: Arc<QueueSpec>,
    pub(super) free: Arc<Semaphore>,
    pub(super) paused: Paused,
    pub(super) door: mpsc::Sender<Seated>,
}

impl Fetch {
    pub(super) async fn run(self, stop: CancellationToken) {
        let wake = self.core.wakes.fetch(&self.spec.name);
        let mut patience = Patience::new();
        loop {
            let slots = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                slots = free_slots(&self.free) => slots,
            };
            let Some(slots) = slots else { return };
            let mut idle = true;
            if !self.paused.contains(&self.spec.name) {
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
        let fetched = execute::fetch(&self.core, self.catalogue.as_ref(), &self.spec, want).await?;
        for ticket in fetched.tickets {
            self.seat(ticket, &mut slots).await;
        }
        Ok(fetched.taken == want)
    }

    async fn seat(&self, ticket: Ticket, slots: &mut OwnedSemaphorePermit) {
        let Some(slot) = slots.split(1) else {
            tracing::error!("more jobs than slots were taken; a lease will run out");
            return;
        };
        if self.door.send(Seated { ticket, slot }).await.is_err() {
            tracing::error!("a worker is gone; a lease will run out");
        }
    }
}

/// At least one slot, and as many as are free up to a batch; none when there will never be any.
async fn free_slots(free: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let mut slots = Arc::clone(free).acquire_owned().await.ok()?;
    let more = free.available_permits().min(MAX_BATCH - 1);
    if let Ok(more) = Arc::clone(free).try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
        slots.merge(more);
    }
    Some(slots)
}
