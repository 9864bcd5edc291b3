//! One sender per upload. The lock lives in this process; between processes the conditional update
//! of the offset decides, and the loser gets a conflict.
//!
//! A connection can die without a sign. So a holder that has been silent for a while is told to stop
//! when somebody else wants the upload, and one whose body has ended is waited for.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use clipqueue_entities::{MediaId, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// How long one waits for a holder that was told to stop: it has a segment to write out.
const RELEASE_WAIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Locks {
    held: Mutex<HashMap<MediaId, Arc<Held>>>,
    clock: Clock,
    takeover_after: Duration,
    draining: CancellationToken,
}

#[derive(Debug)]
struct Held {
    touched: AtomicI64,
    closing: AtomicBool,
    stop: CancellationToken,
    gone: CancellationToken,
}

/// The right to send to one upload. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Guard {
    locks: Arc<Locks>,
    id: MediaId,
    held: Arc<Held>,
}

impl Locks {
    pub(super) fn new(clock: Clock, takeover_after: Duration) -> Self {
        Self {
            held: Mutex::default(),
            clock,
            takeover_after,
            draining: CancellationToken::new(),
        }
    }

    /// Takes the lock, from a silent or closing holder if need be. `None` when the holder is alive.
    pub(super) async fn acquire(self: &Arc<Self>, id: MediaId) -> Option<Guard> {
        loop {
            let holder = match self.try_take(id) {
                Ok(guard) => return Some(guard),
                Err(holder) => holder,
            };
            if !self.gives_way(&holder) {
                return None;
            }
            holder.stop.cancel();
            if !released(&holder).await {
                return None;
            }
        }
    }

    /// Takes the lock from whoever has it. `None` when the holder does not end in time.
    pub(super) async fn seize(self: &Arc<Self>, id: MediaId) -> Option<Guard> {
        loop {
            match self.try_take(id) {
                Ok(guard) => return Some(guard),
                Err(holder) => {
                    holder.stop.cancel();
                    if !released(&holder).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Waits for a holder that is about to end, so that the offset one reads next is the last word.
    pub(super) async fn settle(&self, id: MediaId) {
        let holder = self.map().get(&id).cloned();
        if let Some(holder) = holder.filter(|holder| self.gives_way(holder)) {
            holder.stop.cancel();
            released(&holder).await;
        }
    }

    /// Tells every holder to stop, lets no new one in, and waits until all are gone.
    pub(super) async fn drain(&self) {
        self.draining.cancel();
        let holders: Vec<_> = self.map().values().cloned().collect();
        for holder in holders {
            holder.stop.cancel();
            released(&holder).await;
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    fn gives_way(&self, holder: &Held) -> bool {
        let touched = Timestamp::from_millis(holder.touched.load(Ordering::Relaxed));
        holder.closing.load(Ordering::Relaxed)
            || self.clock.now().since(touched) >= self.takeover_after
    }

    fn try_take(self: &Arc<Self>, id: MediaId) -> Result<Guard, Arc<Held>> {
        let mut map = self.map();
        if let Some(holder) = map.get(&id) {
            return Err(Arc::clone(holder));
        }
        let held = Arc::new(Held {
            touched: AtomicI64::new(self.clock.now().as_millis()),
            closing: AtomicBool::new(false),
            stop: self.draining.child_token(),
            gone: CancellationToken::new(),
        });
        map.insert(id, Arc::clone(&held));
        Ok(Guard {
            locks: Arc::clone(self),
            id,
            held,
        })
    }

    fn map(&self) -> MutexGuard<'_, HashMap<MediaId, Arc<Held>>> {
        // A map of locks is never left half-changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn released(holder: &Held) -> bool {
    tokio::time::timeout(RELEASE_WAIT, holder.gone.cancelled())
        .await
        .is_ok()
}

impl Guard {
    /// Notes that bytes came.
    pub(super) fn touch(&self) {
        let now = self.locks.clock.now().as_millis();
        self.held.touched.store(now, Ordering::Relaxed);
    }

    /// Notes that no more bytes will come.
    pub(super) fn closing(&self) {
        self.held.closing.store(true, Ordering::Relaxed);
    }

    /// Resolves when somebody else wants the upload, or the process stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + '_ {
        self.held.stop.cancelled()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.locks.map().remove(&self.id);
        self.held.gone.cancel();
    }
}
