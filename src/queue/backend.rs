//! The seam to apalis: our own backend, one worker per queue, one monitor.
//!
//! apalis drives the workers and their graceful end. What it is given are tickets, claimed already;
//! what it sees is always success, since every end of a handler is settled by us. Nothing outside
//! this file names apalis.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use apalis::prelude::{Monitor, ParallelizeExt, WorkerBuilder};
use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    monitor::context::MonitorContext,
    task::{Task, builder::TaskBuilder, task_id::RandomId},
    worker::context::WorkerContext,
};
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tower_layer::Identity;

use super::execute::Ticket;

/// A ticket and the slot that it occupies.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) ticket: Ticket,
    pub(super) slot: OwnedSemaphorePermit,
}

/// Runs a seated ticket; its future ends when the attempt's end was handed to the settler.
pub(super) type Handle = Arc<dyn Fn(Seated) -> BoxFuture<'static, ()> + Send + Sync>;

/// One queue's tickets, as a backend. Clones read the same tickets, so that a worker that apalis
/// makes anew goes on with them.
#[derive(Clone, Debug)]
struct Tickets {
    inbox: Arc<Mutex<mpsc::Receiver<Seated>>>,
}

impl Backend for Tickets {
    type Task = Task<Seated>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox
            .poll_recv(cx)
            .map(|seated| seated.map(|seated| Ok(TaskBuilder::new(seated).build())))
    }

    fn poll_close(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Tickets {
    type Args = Seated;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}

/// The workers of this process.
pub(super) struct Workers {
    monitor: Monitor,
}

impl Workers {
    pub(super) fn new() -> Self {
        Self {
            // The backend and the handler cannot fail, so that only a fault of the machinery ends a
            // worker; it is made anew.
            monitor: Monitor::new().should_restart(|worker, error| {
                tracing::error!(worker = worker.name(), %error, "a worker ended and is restarted");
                true
            }),
        }
    }

    /// Adds the worker of a queue, and gives the door for its tickets. Each attempt runs on a task
    /// of its own; how many there are is for the slots of the tickets to say.
    pub(super) fn add(
        self,
        name: String,
        slots: usize,
        handle: Handle,
    ) -> (Self, mpsc::Sender<Seated>) {
        let (door, inbox) = mpsc::channel(slots.max(1));
        let tickets = Tickets {
            inbox: Arc::new(Mutex::new(inbox)),
        };
        let monitor = self.monitor.register(move |_| {
            let handle = Arc::clone(&handle);
            WorkerBuilder::new(name.as_str())
                .backend(tickets.clone())
                .parallelize(tokio::spawn)
                .build(move |seated: Seated| handle(seated))
        });
        (Self { monitor }, door)
    }

    /// Starts the workers. They go on until [`Started::stop`] is called after their doors were
    /// dropped.
    pub(super) fn start(self) -> Started {
        let context = self.monitor.context();
        let task = tokio::spawn(async move {
            if let Err(error) = self.monitor.run().await {
                tracing::error!(%error, "workers ended with an error");
            }
        });
        Started { context, task }
    }
}

/// Workers that run.
pub(super) struct Started {
    context: MonitorContext,
    task: tokio::task::JoinHandle<()>,
}

impl Started {
    /// Ends the workers. Every slot must be free by now.
    pub(super) async fn stop(self) {
        if let Err(error) = self.context.shutdown() {
            tracing::error!(%error, "workers could not be told to end");
            self.task.abort();
        }
        // A panic in a worker was reported by apalis; there is nothing left to do for it.
        let _ = self.task.await;
    }
}
