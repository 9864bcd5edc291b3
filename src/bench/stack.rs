//! A database, a transport and the production queue on them, with servers of our own where none was
//! named.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use clipqueue_entities::Timestamp;
use sea_orm::{ConnectionTrait as _, Statement};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Carrier, Database, PATIENCE,
    processes::cpu_seconds,
    servers::{self, Postgres, Redis, Scratch},
    tally::Tally,
    toys::{QUEUE, Toys, runner},
};
use crate::{
    clock::Clock,
    db::Db,
    migrate::{self, Direction},
    queue::{
        Queue, Running, StartOptions,
        transport::{
            Transport,
            memory::MemoryTransport,
            redis::{RedisTransport, TIMEOUT},
        },
    },
};

/// Connections to PostgreSQL: the default of the product.
const CONNECTIONS: u32 = 10;
/// How long running toys may finish at a stop.
const GRACE: Duration = Duration::from_secs(5);

/// What to build.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) db: Database,
    pub(super) transport: Carrier,
    pub(super) database_url: Option<String>,
    pub(super) redis_url: Option<String>,
}

/// A stack. Its servers end with it.
pub(super) struct Stack {
    pub(super) db: Db,
    pub(super) queue: Queue,
    pub(super) database_url: String,
    pub(super) redis_url: Option<String>,
    pub(super) prefix: String,
    clock: Clock,
    redis: Option<Redis>,
    postgres: Option<Postgres>,
    _dir: Option<Scratch>,
}

/// The loops of a process that works.
pub(super) struct Work {
    stop: CancellationToken,
    running: Running,
}

impl Work {
    /// Stops as a process does: what runs comes to its end and is settled.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.running.stopped().await {
            tracing::error!(%error, "the process did not work to its end");
        }
    }
}

impl Stack {
    pub(super) async fn build(setup: &Setup) -> anyhow::Result<Self> {
        let (mut redis, mut postgres, mut dir) = (None, None, None);
        let redis_url = match (setup.transport, &setup.redis_url) {
            (Carrier::Memory, _) => None,
            (Carrier::Redis, Some(url)) => Some(url.clone()),
            (Carrier::Redis, None) => {
                let server = Redis::start().await?;
                let url = server.url();
                redis = Some(server);
                Some(url)
            }
        };
        let database_url = match (&setup.database_url, setup.db) {
            (Some(url), _) => url.clone(),
            (None, Database::Sqlite) => {
                let scratch = Scratch::new("sqlite")?;
                let url = format!("sqlite://{}/queue.db", scratch.path().display());
                dir = Some(scratch);
                url
            }
            (None, Database::Postgres) => {
                let scratch = Scratch::new("postgres")?;
                let server = Postgres::start(scratch.path()).await?;
                dir = Some(scratch);
                let url = server.url();
                postgres = Some(server);
                url
            }
        };
        migrate::run(&SecretString::from(database_url.clone()), Direction::Up).await?;
        let prefix = format!("bench-{}", Uuid::new_v4().simple());
        let clock = Clock::System;
        let (db, queue) = open(&database_url, redis_url.as_deref(), &prefix, &clock).await?;
        if setup.database_url.is_some() {
            let sql = format!("DELETE FROM jobs WHERE queue = '{QUEUE}'");
            db.write().execute_unprepared(&sql).await?;
        }
        Ok(Self {
            db,
            queue,
            database_url,
            redis_url,
            prefix,
            clock,
            redis,
            postgres,
            _dir: dir,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The queue as another process would have it; this one's where only one process can be.
    pub(super) async fn other(&self) -> anyhow::Result<Queue> {
        match &self.redis_url {
            None => Ok(self.queue.clone()),
            Some(redis) => {
                let (_, queue) =
                    open(&self.database_url, Some(redis), &self.prefix, &self.clock).await?;
                Ok(queue)
            }
        }
    }

    /// Starts to work.
    pub(super) async fn work(
        &self,
        concurrency: usize,
        tally: &Arc<Tally>,
    ) -> anyhow::Result<Work> {
        work(&self.queue, concurrency, tally).await
    }

    /// Seconds of processor time that this process and the servers it started have used.
    pub(super) fn cpu(&self) -> f64 {
        cpu_seconds(&[std::process::id()])
    }

    /// Whose processor time is counted.
    pub(super) fn counted(&self) -> Vec<&'static str> {
        let mut counted = vec!["clipqueue"];
        counted.extend(self.redis.as_ref().map(|_| "redis-server"));
        counted.extend(self.postgres.as_ref().map(|_| "postgres"));
        counted
    }

    /// Rows of toys in `state`.
    pub(super) async fn rows(&self, state: &str) -> anyhow::Result<u64> {
        let sql = format!(
            "SELECT count(*) AS rows FROM jobs WHERE queue = '{QUEUE}' AND state = '{state}'"
        );
        let statement = Statement::from_string(self.db.backend(), sql);
        let row = self.db.read().query_one_raw(statement).await?;
        let rows: i64 = row.context("a count without a row")?.try_get("", "rows")?;
        Ok(u64::try_from(rows)?)
    }

    /// Waits until `count` rows are completed.
    pub(super) async fn completed(&self, count: u64) -> anyhow::Result<()> {
        let since = tokio::time::Instant::now();
        loop {
            let rows = self.rows("completed").await?;
            if rows == count {
                return Ok(());
            }
            anyhow::ensure!(
                rows < count && since.elapsed() < PATIENCE,
                "{rows} rows are completed; there should be {count}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Bytes of Redis that hold data: without connections, scripts and buffers.
    pub(super) fn redis_bytes(&self) -> anyhow::Result<i64> {
        let url = self.redis_url.as_deref().context("there is no Redis")?;
        let info = servers::info(url)?;
        let field = |name: &str| -> i64 {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .and_then(|value| value.trim().parse().ok())
                .unwrap_or(0)
        };
        let others = [
            "mem_clients_normal",
            "mem_clients_slaves",
            "mem_aof_buffer",
            "used_memory_scripts",
        ];
        Ok(field("used_memory") - others.iter().map(|name| field(name)).sum::<i64>())
    }

    /// Closes the connections; the servers end when the stack is dropped.
    pub(super) async fn end(&self) {
        if let Err(error) = self.db.close().await {
            tracing::debug!(%error, "the database was not closed");
        }
    }
}

/// The production queue on a database and a transport.
pub(super) async fn open(
    database: &str,
    redis: Option<&str>,
    prefix: &str,
    clock: &Clock,
) -> anyhow::Result<(Db, Queue)> {
    let transport: Arc<dyn Transport> = match redis {
        Some(url) => Arc::new(RedisTransport::open(url, prefix, TIMEOUT)?),
        None => Arc::new(MemoryTransport::new(clock.clone())),
    };
    let db = Db::connect(database, CONNECTIONS).await?;
    let queue = Queue::new(db.clone(), clock.clone(), transport);
    Ok((db, queue))
}

/// Starts the production loops with toys.
pub(super) async fn work(
    queue: &Queue,
    concurrency: usize,
    tally: &Arc<Tally>,
) -> anyhow::Result<Work> {
    let stop = CancellationToken::new();
    let options = StartOptions {
        runner: runner(Arc::clone(tally)),
        catalogue: Arc::new(Toys::new(concurrency)),
        queues: Vec::new(),
        grace: GRACE,
    };
    let running = queue.start(options, stop.clone()).await?;
    Ok(Work { stop, running })
}
