//! Ours for a harness that measures several queues alike: told by environment variables, it enqueues
//! or works, and answers with one line of JSON. `docs/PERFORMANCE.md` has the contract.
//!
//! The rows are in SQLite beside the run log, or in a PostgreSQL that runs in the session of whoever
//! needs it first, so that the harness counts its processor time with the worker's.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use clipqueue_entities::Timestamp;
use secrecy::SecretString;
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::Instant,
};

use super::{
    servers::Postgres,
    stack::{open, work},
    tally::Tally,
    toys::{QUEUE, Shape, toy},
};
use crate::{
    clock::Clock,
    db::Db,
    migrate::{self, Direction},
    queue::{Queue, enqueue_many},
};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Say what this is.
    Info,
    /// Enqueue jobs.
    Enqueue,
    /// Work until told to stop.
    Work,
    /// Keep the private database for those that come, until told to stop; say so in a line.
    Keep,
}

/// Options of `clipqueue bench adapter`. An empty variable counts as none.
#[derive(Clone, Debug, Args)]
pub struct Options {
    #[arg(long, value_enum, env = "BENCH_ACTION", default_value = "info")]
    action: Action,
    #[arg(long, env = "BENCH_REDIS_URL")]
    redis: Option<String>,
    /// `sqlite`, `postgres` (a private one), or an address.
    #[arg(long, env = "CLIPQUEUE_BENCH_DATABASE", default_value = "sqlite")]
    database: String,
    /// Where private databases are kept; beside the log by default.
    #[arg(long, env = "CLIPQUEUE_BENCH_DIR")]
    dir: Option<PathBuf>,
    #[arg(long, default_value = "bench")]
    prefix: String,
    #[arg(long, env = "BENCH_N", default_value_t = 0)]
    n: u64,
    #[arg(long, env = "BENCH_START", default_value_t = 0)]
    start: u64,
    #[arg(long, env = "BENCH_PRODUCERS", default_value_t = 1)]
    producers: u64,
    #[arg(long, env = "BENCH_BULK", default_value_t = 0)]
    bulk: u64,
    #[arg(long, env = "BENCH_PAYLOAD_BYTES", default_value_t = 300)]
    payload: usize,
    #[arg(long, env = "BENCH_GAP_US", default_value_t = 0)]
    gap_us: u64,
    #[arg(long, env = "BENCH_DUE_MS", default_value_t = 0)]
    due_ms: i64,
    #[arg(long, env = "BENCH_SLEEP_MS", default_value_t = 0)]
    sleep_ms: u64,
    /// Jobs at a time; empty means our best.
    #[arg(long, env = "BENCH_CONCURRENCY", default_value = "")]
    concurrency: String,
    #[arg(long, env = "BENCH_LOG")]
    log: Option<PathBuf>,
}

/// Jobs at a time when nobody says a number: one batch of the transport.
const CONCURRENCY: usize = 500;

/// Does what the variables say.
pub(super) async fn run(options: &Options) -> anyhow::Result<()> {
    let log = options.log.as_deref();
    match options.action {
        Action::Info => {
            let database = match options.database.as_str() {
                "sqlite" | "postgres" => options.database.as_str(),
                _ => "a database by address",
            };
            println!(
                "{}",
                json!({
                    "versions": format!("clipqueue {}, {database}", env!("CARGO_PKG_VERSION")),
                    "concurrency": format!("1 process, concurrency {}", concurrency(options)?),
                    "bulk": true,
                    "delay": true,
                })
            );
            Ok(())
        }
        Action::Enqueue => enqueue(options, log.context("BENCH_LOG is missing")?).await,
        Action::Work => {
            let log = log.context("BENCH_LOG is missing")?;
            let rows = Rows::open(options, log).await?;
            let (db, queue) = rows.queue(options).await?;
            let tally = Arc::new(Tally::log(log)?);
            let mut told = signal(SignalKind::terminate())?;
            let working = work(&queue, concurrency(options)?, &tally).await?;
            told.recv().await;
            working.stop().await;
            db.close().await?;
            Ok(())
        }
        Action::Keep => {
            let mut told = signal(SignalKind::terminate())?;
            let rows = Rows::open(options, log.context("BENCH_LOG is missing")?).await?;
            println!("{}", json!({ "ok": true }));
            told.recv().await;
            drop(rows);
            Ok(())
        }
    }
}

fn concurrency(options: &Options) -> anyhow::Result<usize> {
    match options.concurrency.as_str() {
        "" => Ok(CONCURRENCY),
        number => number.parse().context("reading BENCH_CONCURRENCY"),
    }
}

/// The database of one run, and the server that keeps it.
struct Rows {
    url: String,
    _server: Option<Postgres>,
}

impl Rows {
    async fn open(options: &Options, log: &Path) -> anyhow::Result<Self> {
        let place = match &options.dir {
            Some(dir) => {
                let name = log.file_name().context("BENCH_LOG names no file")?;
                dir.join(name).with_extension("rows")
            }
            None => log.with_extension("rows"),
        };
        let (url, server) = match options.database.as_str() {
            "sqlite" => {
                fs::create_dir_all(&place)?;
                (format!("sqlite://{}/queue.db", place.display()), None)
            }
            "postgres" => postgres(&place).await?,
            url => (url.to_owned(), None),
        };
        migrate::run(&SecretString::from(url.clone()), Direction::Up).await?;
        Ok(Self {
            url,
            _server: server,
        })
    }

    async fn queue(&self, options: &Options) -> anyhow::Result<(Db, Queue)> {
        let redis = options.redis.as_deref().filter(|url| !url.is_empty());
        open(&self.url, redis, &options.prefix, &Clock::System).await
    }
}

/// The server on the cluster in `place`: the one that runs, or a new one that ends with us.
async fn postgres(place: &Path) -> anyhow::Result<(String, Option<Postgres>)> {
    fs::create_dir_all(place)?;
    // Producer and worker may come at the same moment: whoever is second waits for the first one's server.
    let lock = fs::File::create(place.join("lock"))?;
    let _lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let address = place.join("address");
    if let Ok(url) = fs::read_to_string(&address)
        && Db::connect(&url, 1).await.is_ok()
    {
        return Ok((url, None));
    }
    let server = Postgres::start(place).await?;
    fs::write(&address, server.url())?;
    Ok((server.url(), Some(server)))
}

async fn enqueue(options: &Options, log: &Path) -> anyhow::Result<()> {
    let rows = Rows::open(options, log).await?;
    let (db, queue) = rows.queue(options).await?;
    let tally = Arc::new(Tally::log(log)?);
    db.ping().await?;
    db.begin().await?.rollback().await?;
    let since = Instant::now();
    let mut producers = JoinSet::new();
    for producer in 0..options.producers.max(1) {
        let (options, db, queue) = (options.clone(), db.clone(), queue.clone());
        let tally = Arc::clone(&tally);
        producers.spawn(async move { produce(&options, &db, &queue, &tally, producer).await });
    }
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    let seconds = since.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({ "ok": true, "enqueued": options.n, "seconds": seconds })
    );
    db.close().await?;
    Ok(())
}

async fn produce(
    options: &Options,
    db: &Db,
    queue: &Queue,
    tally: &Tally,
    producer: u64,
) -> anyhow::Result<()> {
    let clock = Clock::System;
    let shape = Shape {
        payload: options.payload,
        sleep_ms: options.sleep_ms,
    };
    let due = (options.due_ms > 0).then(|| Timestamp::from_millis(options.due_ms));
    let make = |id: u64| toy(id, due.unwrap_or_else(|| clock.now()), shape);
    let step = usize::try_from(options.producers.max(1))?;
    let mut ids = (options.start + producer..options.start + options.n).step_by(step);
    if options.bulk > 0 {
        loop {
            let jobs: Vec<_> = ids
                .by_ref()
                .take(usize::try_from(options.bulk)?)
                .map(make)
                .collect();
            if jobs.is_empty() {
                return Ok(());
            }
            let tx = db.begin().await?;
            enqueue_many(&tx, clock.now(), jobs).await?;
            tx.commit().await?;
            queue.nudge(QUEUE);
        }
    }
    for id in ids {
        let job = make(id);
        if options.gap_us > 0 {
            tally.asked(id);
        }
        queue.enqueue(job).await?;
        if options.gap_us > 0 {
            tokio::time::sleep(jittered(options.gap_us)).await;
        }
    }
    Ok(())
}

/// About `gap` microseconds, half as many to half as many again.
fn jittered(gap: u64) -> Duration {
    let random = u64::from(uuid::Uuid::new_v4().as_fields().0);
    Duration::from_micros(gap / 2 + random % gap.max(1))
}
