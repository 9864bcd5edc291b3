//! What wakes a relay: that it should look, or a due row by name.
//!
//! Whoever commits a lone job that is due knows everything that its start needs. Told of it, an idle
//! relay starts the job without reading the table first. A hint promises nothing: the row is claimed
//! like any other, and when that is not possible at once, the relay looks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use clipqueue_entities::JobId;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::transport::Pointer;

/// Hints that are kept for a relay that is busy; it looks when there are more.
const MAX_HINTS: usize = 64;

/// A due row that nothing points to, as processes tell each other of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hint {
    /// Its queue.
    pub(super) queue: String,
    /// The process that tells, which knows already. Older versions do not say.
    #[serde(default)]
    pub(super) from: String,
    job: JobId,
    nonce: i64,
    lane: String,
    rank: i64,
}

impl Hint {
    pub(super) fn new(from: &str, queue: &str, pointer: Pointer) -> Self {
        Self {
            queue: queue.to_owned(),
            from: from.to_owned(),
            job: pointer.job,
            nonce: pointer.nonce,
            lane: pointer.lane,
            rank: pointer.rank,
        }
    }

    pub(super) fn pointer(self) -> Pointer {
        Pointer {
            job: self.job,
            nonce: self.nonce,
            lane: self.lane,
            rank: self.rank,
        }
    }
}

/// What a relay was told since it last listened.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Something may be due that is not named here.
    pub(super) look: bool,
    /// Due rows.
    pub(super) due: Vec<Pointer>,
}

/// Wakes the relay of one queue. What comes while nobody listens is kept.
#[derive(Debug, Default)]
pub(super) struct RelayWake {
    heard: Mutex<Heard>,
    bell: Notify,
}

impl RelayWake {
    /// The relay should look.
    pub(super) fn look(&self) {
        self.lock().look = true;
        self.bell.notify_one();
    }

    /// This row is due and has no pointer.
    pub(super) fn due(&self, pointer: Pointer) {
        {
            let mut heard = self.lock();
            if heard.due.len() < MAX_HINTS {
                heard.due.push(pointer);
            } else {
                heard.look = true;
            }
        }
        self.bell.notify_one();
    }

    /// Waits until there is something, and takes it.
    pub(super) async fn heard(&self) -> Heard {
        loop {
            let heard = self.take();
            if heard.look || !heard.due.is_empty() {
                return heard;
            }
            self.bell.notified().await;
        }
    }

    /// Takes what there is, without waiting.
    pub(super) fn take(&self) -> Heard {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(nonce: i64) -> Pointer {
        Pointer {
            job: JobId::new(),
            nonce,
            lane: "a lane".to_owned(),
            rank: 5,
        }
    }

    #[test]
    fn a_hint_is_told_as_it_was() {
        let pointer = pointer(3);
        let told = serde_json::to_string(&Hint::new("here", "uploads", pointer.clone())).unwrap();
        let hint: Hint = serde_json::from_str(&told).unwrap();
        assert_eq!((&*hint.queue, &*hint.from), ("uploads", "here"));
        assert_eq!(hint.pointer(), pointer);
    }

    #[tokio::test]
    async fn what_comes_while_nobody_listens_is_kept() {
        let wake = RelayWake::default();
        wake.due(pointer(1));
        wake.due(pointer(2));
        wake.look();
        let heard = wake.heard().await;
        assert_eq!((heard.due.len(), heard.look), (2, true));
        assert!(futures::FutureExt::now_or_never(wake.heard()).is_none());
    }

    #[tokio::test]
    async fn a_relay_that_is_told_too_much_looks() {
        let wake = RelayWake::default();
        for nonce in 0..1000 {
            wake.due(pointer(nonce));
        }
        let heard = wake.heard().await;
        assert_eq!((heard.due.len(), heard.look), (MAX_HINTS, true));
    }
}
