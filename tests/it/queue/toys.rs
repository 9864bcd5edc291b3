//! Toy jobs and their catalogue.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use clipqueue::queue::{Backoff, Catalogue, CronSpec, NewJob, Policy, QueueSpec, Ran, Run, Runner};
use clipqueue_entities::{JobId, Timestamp};
use futures::future::BoxFuture;
use serde_json::json;

/// A job of the queue `toys`.
pub fn toy(kind: &str, run_at: Timestamp) -> NewJob {
    NewJob {
        queue: "toys".into(),
        kind: kind.into(),
        args: json!({}),
        lane: String::new(),
        priority: 0,
        run_at,
        max_attempts: 3,
        unique_key: None,
    }
}

type Handler = Arc<dyn Fn(Run) -> BoxFuture<'static, Ran> + Send + Sync>;

/// A catalogue of toy jobs with their handlers. Kinds without a handler are unknown.
#[derive(Clone)]
pub struct Toys {
    pub queues: Vec<QueueSpec>,
    pub crons: Vec<CronSpec>,
    pub policy: Policy,
    /// Whether arguments of a kind can be read, as the catalogue tells.
    pub reads: fn(&str, &serde_json::Value) -> bool,
    handlers: HashMap<String, Handler>,
    /// Every run that was started, as `(job, fence)`.
    pub runs: Arc<Mutex<Vec<(JobId, i64)>>>,
}

impl Default for Toys {
    fn default() -> Self {
        Self {
            queues: vec![QueueSpec {
                name: "toys".into(),
                concurrency: 20,
                lane_limit: 0,
            }],
            crons: Vec::new(),
            policy: Policy {
                queue: "toys".into(),
                max_attempts: 3,
                backoff: Backoff {
                    base: Duration::from_secs(10),
                    cap: Duration::from_secs(600),
                    jitter_percent: 0,
                },
                timeout: Duration::from_secs(60),
                lease: clipqueue::queue::DEFAULT_LEASE,
            },
            reads: |_, _| false,
            handlers: HashMap::new(),
            runs: Arc::default(),
        }
    }
}

impl Toys {
    /// A kind and its handler.
    pub fn with<F: Future<Output = Ran> + Send + 'static>(
        mut self,
        kind: &str,
        handler: impl Fn(Run) -> F + Send + Sync + 'static,
    ) -> Self {
        let handler: Handler = Arc::new(move |run| Box::pin(handler(run)));
        self.handlers.insert(kind.into(), handler);
        self
    }

    /// As many attempts at a time, and as many of one lane.
    pub fn limits(mut self, concurrency: usize, lane_limit: u32) -> Self {
        self.queues[0].concurrency = concurrency;
        self.queues[0].lane_limit = lane_limit;
        self
    }

    pub fn runner(&self) -> Runner {
        let toys = self.clone();
        Arc::new(move |run| {
            toys.runs.lock().unwrap().push((run.job.id, run.job.fence));
            (toys.handlers[&run.job.kind])(run)
        })
    }

    /// How often a job was started.
    pub fn runs_of(&self, id: JobId) -> usize {
        let runs = self.runs.lock().unwrap();
        runs.iter().filter(|(job, _)| *job == id).count()
    }
}

impl Catalogue for Toys {
    fn queues(&self) -> &[QueueSpec] {
        &self.queues
    }

    fn policy(&self, kind: &str) -> Option<Policy> {
        self.handlers
            .contains_key(kind)
            .then(|| self.policy.clone())
    }

    fn reads(&self, kind: &str, args: &serde_json::Value) -> bool {
        (self.reads)(kind, args)
    }

    fn crons(&self) -> &[CronSpec] {
        &self.crons
    }
}
