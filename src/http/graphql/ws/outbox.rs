//! What waits to be written to one socket.
//!
//! Results of operations are bounded: whoever has one more waits for room, and gives up after a while.
//! Other messages (ends of operations, pongs) are bounded by their cause: when many wait, the
//! connection stops reading until the client has read.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message};
use tokio::sync::Notify;

use super::protocol::Close;

/// Messages other than results that may wait before the connection stops reading.
const MAX_CONTROL: usize = 64;

/// The client did not make room in time.
#[derive(Debug)]
pub(super) struct TooSlow;

/// The queue of one socket. Operations push, the writer pops.
pub(super) struct Outbox {
    state: Mutex<State>,
    capacity: usize,
    readable: Notify,
    writable: Notify,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    results: usize,
    close: Option<Close>,
    closed: bool,
}

struct Queued {
    message: Message,
    /// The operation whose result this is; none for any other message.
    result_of: Option<u64>,
}

impl Outbox {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            capacity: capacity.max(1),
            readable: Notify::new(),
            writable: Notify::new(),
        }
    }

    /// Queues a result of operation `number`, waiting at most `patience` for room.
    pub(super) async fn result(
        &self,
        number: u64,
        text: String,
        patience: Duration,
    ) -> Result<(), TooSlow> {
        let mut message = Some(Message::Text(text.into()));
        let pushed = self.until(|state| {
            let room = state.closed || state.results < self.capacity;
            if room && let Some(message) = message.take() {
                state.push(message, Some(number));
            }
            room
        });
        tokio::time::timeout(patience, pushed)
            .await
            .map_err(|_| TooSlow)?;
        self.readable.notify_one();
        Ok(())
    }

    /// Queues a message that is not a result.
    pub(super) fn control(&self, text: String) {
        self.push_control(Message::Text(text.into()));
    }

    /// Queues a ping of the WebSocket itself, which every client answers by itself.
    pub(super) fn ping(&self) {
        self.push_control(Message::Ping(Bytes::new()));
    }

    /// Forgets the waiting results of an operation.
    pub(super) fn discard(&self, number: u64) {
        let mut state = self.lock();
        let before = state.queue.len();
        state
            .queue
            .retain(|queued| queued.result_of != Some(number));
        state.results -= before - state.queue.len();
        drop(state);
        self.writable.notify_waiters();
    }

    /// Completes when few enough messages wait that the client may ask for more.
    pub(super) async fn has_room(&self) {
        self.until(|state| state.closed || state.queue.len() - state.results < MAX_CONTROL)
            .await;
    }

    /// Queues the close frame; nothing after it is sent.
    pub(super) fn close(&self, close: Close) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.closed = true;
        state.close = Some(close);
        drop(state);
        self.readable.notify_one();
        self.writable.notify_waiters();
    }

    /// The next message to write; none after the close frame.
    pub(super) async fn next(&self) -> Option<Message> {
        loop {
            {
                let mut state = self.lock();
                if let Some(queued) = state.queue.pop_front() {
                    if queued.result_of.is_some() {
                        state.results -= 1;
                    }
                    drop(state);
                    self.writable.notify_waiters();
                    return Some(queued.message);
                }
                if let Some(close) = state.close.take() {
                    return Some(Message::Close(Some(CloseFrame {
                        code: close.code,
                        reason: close.reason.as_ref().into(),
                    })));
                }
                if state.closed {
                    return None;
                }
            }
            self.readable.notified().await;
        }
    }

    /// Whether nothing waits now, so that what is written should be flushed.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    fn push_control(&self, message: Message) {
        self.lock().push(message, None);
        self.readable.notify_one();
    }

    /// Tries now and after each message that left, until `attempt` succeeds.
    async fn until(&self, mut attempt: impl FnMut(&mut State) -> bool) {
        loop {
            let mut changed = pin!(self.writable.notified());
            changed.as_mut().enable();
            if attempt(&mut self.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; a poisoned queue is still a whole queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, message: Message, result_of: Option<u64>) {
        if self.closed {
            return;
        }
        self.results += usize::from(result_of.is_some());
        self.queue.push_back(Queued { message, result_of });
    }
}
