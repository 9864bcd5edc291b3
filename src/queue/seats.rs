//! The slots of a queue's worker in this process, and the door through which tickets get to it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    backend::Seated,
    core::Core,
    execute::{FetchError, Ticket},
    policy::{Catalogue, QueueSpec},
    settle::Settler,
    shortcut::{self, Told},
    transport::{MAX_BATCH, Pointer},
};

/// The slots of one queue.
#[derive(Clone)]
pub(super) struct Seats {
    pub(super) catalogue: Arc<dyn Catalogue>,
    pub(super) spec: Arc<QueueSpec>,
    pub(super) free: Arc<Semaphore>,
    pub(super) door: mpsc::Sender<Seated>,
    pub(super) settler: Settler,
}

impl Seats {
    /// At least one slot, and as many as are free up to a batch; none when there will never be any.
    pub(super) async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let mut slots = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let more = self.free().min(MAX_BATCH - 1);
        let free = Arc::clone(&self.free);
        if let Ok(more) = free.try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
            slots.merge(more);
        }
        Some(slots)
    }

    /// How many slots are free.
    pub(super) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Runs due rows at once, by the short way; gives how many were started. Rows that may not start
    /// yet stay as they are.
    pub(super) async fn start(&self, core: &Core, rows: &[Pointer]) -> Result<usize, FetchError> {
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let Ok(mut slots) = Arc::clone(&self.free).try_acquire_many_owned(count) else {
            return Ok(0);
        };
        let tickets = shortcut::claim(core, self.catalogue.as_ref(), &self.spec, rows).await?;
        let started = tickets.len();
        self.seat(tickets, &mut slots).await;
        Ok(started)
    }

    /// Runs a due row that this process was told of, if it may start at once; whether it does. None when
    /// it was claimed in vain.
    pub(super) async fn start_told(
        &self,
        core: &Core,
        row: &Pointer,
    ) -> Result<Option<bool>, FetchError> {
        let Ok(mut slot) = Arc::clone(&self.free).try_acquire_owned() else {
            return Ok(Some(false));
        };
        let told = shortcut::claim_told(core, self.catalogue.as_ref(), &self.spec, row).await?;
        match told {
            Told::Starts(ticket) => {
                self.seat(vec![ticket], &mut slot).await;
                Ok(Some(true))
            }
            Told::Waits(ended) => {
                if self.settler.send(ended).await.is_err() {
                    tracing::error!("the settler is gone; a lease will run out");
                }
                Ok(None)
            }
            Told::Gone => Ok(Some(false)),
        }
    }

    /// Hands tickets to the worker, a slot each.
    pub(super) async fn seat(&self, tickets: Vec<Ticket>, slots: &mut OwnedSemaphorePermit) {
        for ticket in tickets {
            let Some(slot) = slots.split(1) else {
                tracing::error!("more jobs than slots were taken; a lease will run out");
                return;
            };
            if self.door.send(Seated { ticket, slot }).await.is_err() {
                tracing::error!("a worker is gone; a lease will run out");
            }
        }
    }
}
