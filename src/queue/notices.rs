//! Who wants to know that jobs changed: listeners in this process hear each change, other processes
//! are told which jobs or queues to look at again.
//!
//! A notice is a hint. It may be lost with the transport, so a listener that must not miss anything
//! reads the table.

use std::{collections::HashMap, sync::Arc};

use clipqueue_entities::{JobId, job::JobState};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};

use super::transport::{Signal, Transport};

/// How many notices a slow listener may be behind before it is told that it missed some.
const BUFFER: usize = 4096;

/// Changes of one queue that are told one by one to other processes; more are told as one.
const TOLD_SINGLY: usize = 64;

/// The transport's topic of changes.
const TOPIC: &str = "jobs";

/// A job that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobChange {
    /// The job; none means that many jobs of the queue changed.
    pub id: Option<JobId>,
    /// Its queue.
    pub queue: String,
    /// Its new state; none when only its progress changed, or when many jobs did.
    pub state: Option<JobState>,
}

/// What other processes are told.
#[derive(Serialize, Deserialize)]
struct Told {
    from: String,
    queue: String,
    jobs: Vec<(JobId, Option<String>)>,
}

/// Changes of one queue on their way to other processes.
type Telling = (String, Vec<(JobId, JobState)>);

/// Batches that may wait to be told. Beyond it they are forgotten: a notice is a hint.
const TELLING: usize = 256;

/// Sends and hands out notices. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Notices {
    changes: broadcast::Sender<JobChange>,
    /// None when no other process can hear.
    tell: Option<mpsc::Sender<Telling>>,
    node: Arc<str>,
}

impl Notices {
    /// Spawns a task that tells other processes, and ends with the last clone.
    pub(super) fn new(transport: Arc<dyn Transport>, node: Arc<str>) -> Self {
        let tell = transport.is_shared().then(|| {
            let (tell, inbox) = mpsc::channel(TELLING);
            tokio::spawn(tell_others(transport, Arc::clone(&node), inbox));
            tell
        });
        Self {
            changes: broadcast::Sender::new(BUFFER),
            tell,
            node,
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<JobChange> {
        self.changes.subscribe()
    }

    fn here(&self, id: Option<JobId>, queue: &str, state: Option<JobState>) {
        if self.changes.receiver_count() > 0 {
            // The last listener may be gone by now.
            let _ = self.changes.send(JobChange {
                id,
                queue: queue.to_owned(),
                state,
            });
        }
    }

    /// Progress is told in this process alone; others see it when they look.
    pub(super) fn progressed(&self, id: JobId, queue: &str) {
        self.here(Some(id), queue, None);
    }

    /// Tells that jobs of `queue` are in a new state. It never waits.
    pub(super) fn changed(&self, queue: &str, changes: Vec<(JobId, JobState)>) {
        if changes.is_empty() {
            return;
        }
        for (id, state) in &changes {
            self.here(Some(*id), queue, Some(*state));
        }
        if let Some(tell) = &self.tell {
            let _ = tell.try_send((queue.to_owned(), changes));
        }
    }

    /// Hands a signal of another process to listeners here.
    pub(super) fn heard(&self, signal: &Signal) {
        let Signal::Message { topic, payload } = signal else {
            return;
        };
        if topic != TOPIC {
            return;
        }
        let Ok(told) = serde_json::from_str::<Told>(payload) else {
            return;
        };
        if *told.from == *self.node {
            return;
        }
        if told.jobs.is_empty() {
            self.here(None, &told.queue, None);
        }
        for (id, state) in told.jobs {
            self.here(Some(id), &told.queue, state.and_then(|word| parse(&word)));
        }
    }
}

fn parse(word: &str) -> Option<JobState> {
    use sea_orm::ActiveEnum;
    JobState::try_from_value(&word.to_owned()).ok()
}

/// Publishes what has come up since the last message, one message per queue.
async fn tell_others(
    transport: Arc<dyn Transport>,
    node: Arc<str>,
    mut inbox: mpsc::Receiver<Telling>,
) {
    let mut batch = Vec::new();
    while inbox.recv_many(&mut batch, TELLING).await > 0 {
        let mut by_queue: HashMap<String, Vec<(JobId, JobState)>> = HashMap::new();
        for (queue, changes) in batch.drain(..) {
            by_queue.entry(queue).or_default().extend(changes);
        }
        for (queue, changes) in by_queue {
            let jobs = if changes.len() > TOLD_SINGLY {
                Vec::new()
            } else {
                changes
                    .into_iter()
                    .map(|(id, state)| (id, Some(state.as_str().to_owned())))
                    .collect()
            };
            let told = Told {
                from: node.to_string(),
                queue,
                jobs,
            };
            if let Ok(payload) = serde_json::to_string(&told)
                && let Err(error) = transport.publish(TOPIC, &payload).await
            {
                tracing::debug!(%error, "a change of jobs was not told");
            }
        }
    }
}
