//! The toy jobs: one queue, one kind, arguments of a chosen length, and a handler that notes that it
//! started.

use std::{sync::Arc, time::Duration};

use clipqueue_entities::Timestamp;
use serde_json::{Value, json};

use super::tally::Tally;
use crate::queue::{
    Backoff, Catalogue, CronSpec, DEFAULT_LEASE, Failure, NewJob, Outcome, Policy, QueueSpec,
    Runner,
};

/// The queue of the toys.
pub(super) const QUEUE: &str = "bench";
const KIND: &str = "toy";
const ATTEMPTS: i32 = 3;

/// The catalogue.
pub(super) struct Toys {
    queues: [QueueSpec; 1],
}

impl Toys {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            queues: [QueueSpec {
                name: QUEUE.to_owned(),
                concurrency,
                lane_limit: 0,
            }],
        }
    }
}

impl Catalogue for Toys {
    fn queues(&self) -> &[QueueSpec] {
        &self.queues
    }

    fn policy(&self, kind: &str) -> Option<Policy> {
        (kind == KIND).then(|| Policy {
            queue: QUEUE.to_owned(),
            max_attempts: ATTEMPTS,
            backoff: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(60),
                jitter_percent: 10,
            },
            timeout: Duration::from_secs(300),
            lease: DEFAULT_LEASE,
        })
    }

    fn reads(&self, kind: &str, args: &serde_json::Value) -> bool {
        kind == KIND && args["id"].is_u64()
    }

    fn crons(&self) -> &[CronSpec] {
        &[]
    }
}

/// How toys look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Bytes of the arguments as compact JSON.
    pub(super) payload: usize,
    /// For how long the handler sleeps.
    pub(super) sleep_ms: u64,
}

/// Toy number `id`, due at `run_at`.
pub(super) fn toy(id: u64, run_at: Timestamp, shape: Shape) -> NewJob {
    let mut args = json!({
        "id": id,
        "sleep_ms": shape.sleep_ms,
        "kind": "send_email",
        "to": format!("user-{id:08}@example.test"),
        "pad": "",
    });
    let missing = shape.payload.saturating_sub(args.to_string().len());
    args["pad"] = Value::String("x".repeat(missing));
    NewJob {
        queue: QUEUE.to_owned(),
        kind: KIND.to_owned(),
        args,
        lane: String::new(),
        priority: 0,
        run_at,
        max_attempts: ATTEMPTS,
        unique_key: None,
    }
}

/// The handler: notes its start, and sleeps when its arguments say so.
pub(super) fn runner(tally: Arc<Tally>) -> Runner {
    Arc::new(move |run| {
        let tally = Arc::clone(&tally);
        Box::pin(async move {
            let Some(id) = run.job.args["id"].as_u64() else {
                let error = anyhow::anyhow!("a toy without a number");
                return Err(Failure::Unreadable { error });
            };
            tally.started(id);
            let sleep = run.job.args["sleep_ms"].as_u64().unwrap_or(0);
            if sleep > 0 {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(sleep)) => tally.ended(id),
                    () = run.lease.cancelled() => {
                        return Err(Failure::retry(anyhow::anyhow!("interrupted")));
                    }
                }
            }
            Ok(Outcome::Done)
        })
    })
}
