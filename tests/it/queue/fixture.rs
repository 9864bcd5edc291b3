//! A queue of toy jobs on either stack.

use std::{sync::Arc, time::Duration};

use clipqueue::{
    clock::{Clock, ManualClock},
    db::Db,
    queue::{
        Drained, Enqueued, LoopEnded, NewJob, Queue, Running, StartOptions, enqueue,
        steps::Steps,
        transport::{
            Transport,
            memory::MemoryTransport,
            redis::{RedisTransport, TIMEOUT},
        },
    },
};
use clipqueue_entities::{JobId, job, job::JobState};
use clipqueue_migration::{Migrator, MigratorTrait};
use sea_orm::{Database, DatabaseConnection};
use sea_orm_migration::MigrationTrait;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub use super::toys::{Toys, toy};
use crate::support::servers::{self, RedisServer};

/// The queue's own tables, so that these tests depend on nothing else.
struct QueueTables;

#[async_trait::async_trait]
impl MigratorTrait for QueueTables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Migrator::migrations()
            .into_iter()
            .filter(|migration| migration.name().contains("queue"))
            .collect()
    }
}

/// How long a call to Redis may take where no outage is played: a machine that stalls is none.
pub const LONG: Duration = Duration::from_secs(60);

/// Which pair of database and transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SQLite and memory.
    Embedded,
    /// PostgreSQL and Redis.
    Servers,
}

/// Where a stack's Redis runs.
enum Redis {
    Shared(&'static RedisServer),
    Own(RedisServer),
}

/// One queue of toy jobs.
pub struct Stack {
    pub db: Db,
    pub time: ManualClock,
    pub clock: Clock,
    pub transport: Arc<dyn Transport>,
    pub queue: Queue,
    url: String,
    memory: Option<Arc<MemoryTransport>>,
    redis: Option<Redis>,
    prefix: String,
    _dir: Option<TempDir>,
}

/// Runs a test on both stacks, one after the other. Time stands still unless the test moves it.
pub async fn for_each_stack<F: Future<Output = ()>>(test: impl Fn(Stack) -> F) {
    for kind in [Kind::Embedded, Kind::Servers] {
        eprintln!("on {kind:?}");
        test(Stack::new(kind).await).await;
    }
}

/// As [`for_each_stack`], with the machine's clock.
pub async fn for_each_live_stack<F: Future<Output = ()>>(test: impl Fn(Stack) -> F) {
    for kind in [Kind::Embedded, Kind::Servers] {
        eprintln!("on {kind:?}");
        test(Stack::live(kind).await).await;
    }
}

impl Stack {
    /// A stack with a clock that stands still.
    pub async fn new(kind: Kind) -> Self {
        Self::build(kind, false, false).await
    }

    /// A stack with the machine's clock.
    pub async fn live(kind: Kind) -> Self {
        Self::build(kind, true, false).await
    }

    /// As [`Stack::live`], with a Redis that no other test uses.
    pub async fn live_with_own_redis() -> Self {
        Self::build(Kind::Servers, true, true).await
    }

    async fn build(kind: Kind, live: bool, own: bool) -> Self {
        let time = ManualClock::new(Clock::System.now());
        let clock = if live {
            Clock::System
        } else {
            Clock::Manual(time.clone())
        };
        let prefix = servers::redis_prefix();
        let (mut memory, mut redis, mut dir) = (None, None, None);
        let (db, url, transport): (Db, String, Arc<dyn Transport>) = match kind {
            Kind::Embedded => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}/queue.db", folder.path().display());
                dir = Some(folder);
                let transport = Arc::new(MemoryTransport::new(clock.clone()));
                memory = Some(Arc::clone(&transport));
                (Db::connect(&url, 1).await.unwrap(), url, transport)
            }
            Kind::Servers => {
                let url = servers::postgres().await.new_database().await;
                let server = if own {
                    Redis::Own(RedisServer::start().await)
                } else {
                    Redis::Shared(servers::redis().await)
                };
                let address = match &server {
                    Redis::Shared(server) => server.url(),
                    Redis::Own(server) => server.url(),
                };
                redis = Some(server);
                let timeout = if own { TIMEOUT } else { LONG };
                let transport = RedisTransport::open(&address, &prefix, timeout).unwrap();
                (
                    Db::connect(&url, 10).await.unwrap(),
                    url,
                    Arc::new(transport) as Arc<dyn Transport>,
                )
            }
        };
        QueueTables::up(db.write(), None).await.unwrap();
        let queue = Queue::new(db.clone(), clock.clone(), Arc::clone(&transport));
        Self {
            db,
            time,
            clock,
            transport,
            queue,
            url,
            memory,
            redis,
            prefix,
            _dir: dir,
        }
    }

    /// A second process on the same rows and, with Redis, on the same pointers.
    pub fn other_process(&self) -> Queue {
        self.process_on(self.db.clone())
    }

    /// As [`Stack::other_process`], with connections that belong to the runtime that calls it.
    pub async fn separate_process(&self) -> Queue {
        self.process_on(Db::connect(&self.url, 5).await.unwrap())
    }

    /// A connection of somebody else, on the runtime that calls it.
    pub async fn stranger(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }

    fn process_on(&self, db: Db) -> Queue {
        let transport: Arc<dyn Transport> = match &self.redis {
            Some(Redis::Shared(server)) => {
                Arc::new(RedisTransport::open(&server.url(), &self.prefix, LONG).unwrap())
            }
            Some(Redis::Own(server)) => {
                Arc::new(RedisTransport::open(&server.url(), &self.prefix, TIMEOUT).unwrap())
            }
            None => Arc::clone(&self.transport),
        };
        Queue::new(db, self.clock.clone(), transport)
    }

    /// The Redis server that only this stack uses.
    pub fn own_redis(&mut self) -> &mut RedisServer {
        match &mut self.redis {
            Some(Redis::Own(server)) => server,
            _ => panic!("this stack has no Redis of its own"),
        }
    }

    /// Makes the transport forget everything that belongs to this stack.
    pub async fn lose_pointers(&self) {
        if let Some(memory) = &self.memory {
            memory.forget();
            return;
        }
        match &self.redis {
            Some(Redis::Own(server)) => {
                server.command(&["FLUSHALL"]).await.unwrap();
            }
            Some(Redis::Shared(server)) => {
                let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
                              redis.call('DEL', key) end";
                server
                    .command(&["EVAL", script, "0", &format!("{}:*", self.prefix)])
                    .await
                    .unwrap();
            }
            None => unreachable!("a stack has memory or Redis"),
        }
    }

    /// Enqueues a job that is due now.
    pub async fn add(&self, kind: &str) -> JobId {
        self.insert(self.toy(kind)).await.id()
    }

    /// Enqueues.
    pub async fn insert(&self, job: NewJob) -> Enqueued {
        let now = self.clock.now();
        let enqueued = enqueue(self.db.write(), now, job).await.unwrap();
        self.queue.nudge("toys");
        enqueued
    }

    /// A job of the queue `toys` that is due now.
    pub fn toy(&self, kind: &str) -> NewJob {
        toy(kind, self.clock.now())
    }

    /// The row of a job.
    pub async fn row(&self, id: JobId) -> job::Model {
        self.queue.job(id).await.unwrap().unwrap()
    }

    /// The state of a job.
    pub async fn state(&self, id: JobId) -> JobState {
        self.row(id).await.state
    }

    /// Runs what is due.
    pub async fn drain(&self, toys: &Toys) -> Drained {
        self.queue.drain(toys, &toys.runner()).await.unwrap()
    }

    /// A process that is moved by hand.
    pub fn steps(&self, toys: &Toys) -> Steps {
        Steps::new(&self.queue, Arc::new(toys.clone()))
    }

    /// Starts the loops of this process.
    pub async fn start(&self, toys: &Toys) -> Process {
        Process::start(&self.queue, toys, Duration::from_secs(10)).await
    }
}

/// The loops of a process.
pub struct Process {
    stop: CancellationToken,
    running: Running,
}

impl Process {
    pub async fn start(queue: &Queue, toys: &Toys, grace: Duration) -> Self {
        let stop = CancellationToken::new();
        let options = StartOptions {
            runner: toys.runner(),
            catalogue: Arc::new(toys.clone()),
            queues: Vec::new(),
            grace,
        };
        let running = queue.start(options, stop.clone()).await.unwrap();
        Self { stop, running }
    }

    /// Stops it gracefully.
    pub async fn stop(self) {
        self.stop.cancel();
        self.running.stopped().await.unwrap();
    }

    /// Waits for an end that nobody asked for. Gives why, and whether the stop was told to all.
    pub async fn ended(self) -> (Result<(), LoopEnded>, bool) {
        let ended = self.running.stopped().await;
        (ended, self.stop.is_cancelled())
    }
}
