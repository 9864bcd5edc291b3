//! A tenant's events by cursor: those that are there, then those that come.
//!
//! A signal only wakes; what is given is always what a scan behind the cursor finds. So a signal that
//! is lost, doubled or early costs time at most, and a periodic scan bounds that.

use std::time::Duration;

use clipqueue_entities::{PostId, UserId, event};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    app::App,
    domain::{error::Result, events},
    queue::transport::Signal,
};

/// Scans are at most this far apart.
const NET: Duration = Duration::from_secs(15);
/// Events read in one scan.
const BATCH: u64 = 100;

/// A place in a tenant's events, moving forward.
pub(crate) struct Feed {
    app: App,
    user: UserId,
    post: Option<PostId>,
    cursor: i64,
    signals: Receiver<Signal>,
    topic: String,
}

impl Feed {
    /// Events of `user` behind `cursor`; behind the newest, when absent. Of one post, when given.
    pub(crate) async fn open(
        app: App,
        user: UserId,
        post: Option<PostId>,
        cursor: Option<i64>,
    ) -> Result<Self> {
        // Listening comes before the first look, so that nothing falls in between.
        let signals = app.queue.signals();
        let cursor = match cursor {
            Some(cursor) => cursor,
            None => events::newest(app.db.read(), user).await?,
        };
        Ok(Self {
            topic: events::topic(user),
            app,
            user,
            post,
            cursor,
            signals,
        })
    }

    /// The application.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Whose events they are.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// Behind which event it stands.
    pub(crate) fn cursor(&self) -> i64 {
        self.cursor
    }

    /// The next events, oldest first; waits until there is one.
    pub(crate) async fn next(&mut self) -> Result<Vec<event::Model>> {
        loop {
            let db = self.app.db.read();
            let found = events::after(db, self.user, self.post, self.cursor, BATCH).await?;
            if let Some(last) = found.last() {
                self.cursor = last.seq;
                return Ok(found);
            }
            self.woken().await;
        }
    }

    /// Waits for a reason to look again.
    async fn woken(&mut self) {
        let net = self.app.clock.sleep(NET);
        tokio::pin!(net);
        loop {
            let signal = tokio::select! {
                () = &mut net => return,
                signal = self.signals.recv() => signal,
            };
            match signal {
                Ok(Signal::Message { topic, .. }) if topic != self.topic => {}
                Ok(Signal::Work(_)) => {}
                Ok(Signal::Message { .. } | Signal::Reconnected) | Err(RecvError::Lagged(_)) => {
                    return;
                }
                // The queue is gone; the net alone is left.
                Err(RecvError::Closed) => return net.await,
            }
        }
    }
}
