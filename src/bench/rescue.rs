//! Jobs whose process is killed: a worker of its own runs them, is killed with -9, and another one is
//! started.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    Options,
    cycle::{Order, one_by_one},
    processes::monotonic,
    servers::Scratch,
    stack::Stack,
    tally::read_starts,
    toys::{QUEUE, Shape},
};
use crate::clock::Clock;

const JOBS: u64 = 20;
/// How long the jobs may take to start for the first time.
const START: Duration = Duration::from_secs(60);
/// After this the measure is given up.
const CAP: Duration = Duration::from_secs(120);
/// How soon a supervisor starts a new process.
const SUPERVISOR: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// A worker that is killed with this value.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kills a process that runs twenty jobs.
pub(super) async fn measure(
    stack: &Stack,
    options: &Options,
) -> anyhow::Result<Map<String, Value>> {
    let dir = Scratch::new("rescue")?;
    let log = dir.path().join("starts");
    let shape = Shape {
        payload: options.payload,
        sleep_ms: options.rescue_sleep * 1000,
    };
    let order = Order {
        first: 0,
        count: JOBS,
        producers: 1,
        shape,
        due: None,
    };
    one_by_one(&stack.queue, || Clock::System.now(), order).await?;
    let worker = spawn(stack, &log)?;
    let since = Instant::now();
    while read_starts(&log)?.len() < JOBS as usize {
        anyhow::ensure!(since.elapsed() < START, "not every job has started");
        tokio::time::sleep(LOOK).await;
    }
    // So that the handlers are well within their work.
    tokio::time::sleep(SUPERVISOR).await;
    let running = stack.rows("running").await?;
    anyhow::ensure!(
        running == JOBS,
        "{running} of {JOBS} jobs were running at the kill"
    );
    let killed = monotonic();
    drop(worker);
    tokio::time::sleep(SUPERVISOR).await;
    let second = spawn(stack, &log)?;
    let mut again: Vec<f64>;
    let since = Instant::now();
    loop {
        let starts = read_starts(&log)?;
        again = starts
            .values()
            .filter_map(|at| at.iter().find(|at| **at > killed))
            .map(|at| (*at - killed) as f64 / 1e9)
            .collect();
        if again.len() == JOBS as usize {
            let times = starts.values().map(Vec::len);
            anyhow::ensure!(times.max() == Some(2), "a job started more than twice");
            break;
        }
        anyhow::ensure!(
            since.elapsed() < CAP,
            "{} of {JOBS} jobs run again after {CAP:?}",
            again.len()
        );
        tokio::time::sleep(LOOK).await;
    }
    let counted = counted(stack).await?;
    drop(second);
    anyhow::ensure!(
        counted == JOBS,
        "{counted} of {JOBS} rows count the lost attempt"
    );
    again.sort_by(f64::total_cmp);
    let second = |at: Option<&f64>| at.map(|at| (at * 100.0).round() / 100.0);
    let mut figures = Map::new();
    figures.insert(
        "rescue".to_owned(),
        json!({
            "jobs": JOBS,
            "run_again": again.len(),
            "first_s": second(again.first()),
            "last_s": second(again.last()),
            "attempts_counted": counted,
        }),
    );
    Ok(figures)
}

/// Rows that run their second attempt and know of one crash.
async fn counted(stack: &Stack) -> anyhow::Result<u64> {
    let sql = format!(
        "SELECT count(*) AS rows FROM jobs JOIN job_attempts ON job_attempts.job_id = jobs.id \
         WHERE queue = '{QUEUE}' AND jobs.attempt = 2 AND crashes = 1 AND outcome = 'crashed'"
    );
    let statement = Statement::from_string(stack.db.backend(), sql);
    let row = stack.db.read().query_one_raw(statement).await?;
    let rows: i64 = row.map_or(Ok(0), |row| row.try_get("", "rows"))?;
    Ok(u64::try_from(rows)?)
}

fn spawn(stack: &Stack, log: &Path) -> anyhow::Result<Worker> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["bench", "adapter", "--action", "work", "--prefix"])
        .arg(&stack.prefix)
        .arg("--log")
        .arg(log)
        .args(["--concurrency", &JOBS.to_string()])
        .env("CLIPQUEUE_BENCH_DATABASE", &stack.database_url)
        .env_remove("BENCH_REDIS_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some(redis) = &stack.redis_url {
        command.env("BENCH_REDIS_URL", redis);
    }
    Ok(Worker(command.spawn()?))
}
