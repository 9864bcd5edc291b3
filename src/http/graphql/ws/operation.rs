//! The operations that run on one socket: at most so many at once, each under its own id.
//!
//! An id is free again before the client can learn that its operation ended, so that it may use it at
//! once. An operation that the client has completed sends nothing more, not even what already waited.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream::BoxStream};
use tokio_util::task::AbortOnDropHandle;

use super::super::outcome::Outcome;
use super::outbox::{Outbox, TooSlow};
use super::protocol;
use crate::graphql::error::{ApiError, Code};

/// Why an operation does not start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its id is in use.
    Duplicate,
    /// Too many others run.
    TooMany,
}

/// The running operations of a socket. Dropping it stops them.
pub(super) struct Operations {
    running: Arc<Mutex<Running>>,
    outbox: Arc<Outbox>,
    limit: usize,
    patience: Duration,
}

#[derive(Default)]
struct Running {
    by_id: HashMap<String, Task>,
    /// Numbers tell an operation from a later one with the same id.
    last_number: u64,
}

struct Task {
    number: u64,
    _abort: AbortOnDropHandle<()>,
}

impl Operations {
    pub(super) fn new(outbox: Arc<Outbox>, limit: usize, patience: Duration) -> Self {
        Self {
            running: Arc::default(),
            outbox,
            limit,
            patience,
        }
    }

    /// Whether `id` may start an operation.
    pub(super) fn check(&self, id: &str) -> Result<(), Refused> {
        let running = lock(&self.running);
        if running.by_id.contains_key(id) {
            Err(Refused::Duplicate)
        } else if running.by_id.len() >= self.limit {
            Err(Refused::TooMany)
        } else {
            Ok(())
        }
    }

    /// Runs an operation under an id that [`check`](Self::check) found free.
    ///
    /// `streams` says whether it is a subscription: then an error followed by the end is the failure of
    /// the whole, while for a query it is a result without data.
    pub(super) fn start(&self, id: String, outcomes: BoxStream<'static, Outcome>, streams: bool) {
        let mut running = lock(&self.running);
        running.last_number += 1;
        let number = running.last_number;
        let operation = Operation {
            running: self.running.clone(),
            outbox: self.outbox.clone(),
            id: id.clone(),
            number,
        };
        // The lock is held until the task is listed, so that it cannot end before that.
        let task = tokio::spawn(operation.drive(outcomes, streams, self.patience));
        running.by_id.insert(
            id,
            Task {
                number,
                _abort: AbortOnDropHandle::new(task),
            },
        );
    }

    /// Stops an operation because the client wants no more of it. An unknown id is no mistake: the
    /// operation may have ended while the message was under way.
    pub(super) fn stop(&self, id: &str) {
        let task = lock(&self.running).by_id.remove(id);
        if let Some(task) = task {
            self.outbox.discard(task.number);
        }
    }
}

impl Drop for Operations {
    fn drop(&mut self) {
        // Each task holds the list that holds its own handle; emptying it breaks the circle.
        lock(&self.running).by_id.clear();
    }
}

struct Operation {
    running: Arc<Mutex<Running>>,
    outbox: Arc<Outbox>,
    id: String,
    number: u64,
}

impl Operation {
    async fn drive(
        self,
        mut outcomes: BoxStream<'static, Outcome>,
        streams: bool,
        patience: Duration,
    ) {
        let mut peeked = None;
        loop {
            let outcome = match peeked.take() {
                Some(outcome) => Some(outcome),
                None => outcomes.next().await,
            };
            let last = match outcome {
                None => protocol::complete(&self.id),
                Some(Outcome::Refused(errors)) => protocol::error(&self.id, &errors),
                Some(outcome) => {
                    if streams && outcome.is_failure() {
                        match outcomes.next().now_or_never() {
                            Some(None) => {
                                let errors = outcome.into_errors();
                                return self.finish(protocol::error(&self.id, &errors));
                            }
                            Some(following) => peeked = following,
                            None => {}
                        }
                    }
                    let text = protocol::next(&self.id, &outcome);
                    match self.outbox.result(self.number, text, patience).await {
                        Ok(()) => continue,
                        Err(TooSlow) => {
                            self.outbox.discard(self.number);
                            protocol::error(&self.id, &[too_slow().to_server_error()])
                        }
                    }
                }
            };
            return self.finish(last);
        }
    }

    /// Frees the id and sends the last message, unless the client was first.
    fn finish(&self, last: String) {
        let mut running = lock(&self.running);
        if let Entry::Occupied(entry) = running.by_id.entry(self.id.clone())
            && entry.get().number == self.number
        {
            // Dropping the own handle aborts only at a next await, and there is none.
            entry.remove();
            self.outbox.control(last);
        }
    }
}

fn too_slow() -> ApiError {
    ApiError::new(
        Code::SlowConsumer,
        "Results were read too slowly. Subscribe again after the last cursor seen.",
    )
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    // Nothing panics while it is held.
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
