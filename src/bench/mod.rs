//! `clipqueue bench`: how fast the queue is, measured on the production queue with toy jobs; and how fast
//! counters are read (`counters`), measured with the product's own jobs.
//!
//! Each figure comes with a count: rows in the database and starts in the handlers, job by job. A
//! figure whose count does not show every job run exactly once is not given. Servers that are not
//! named are started here, privately, and end with the command.
//!
//! Nothing of the product imports this module, and but for `counters` it knows no job of the product.

mod adapter;
mod bytes;
mod counters;
mod cycle;
mod latency;
mod processes;
mod report;
mod rescue;
mod servers;
mod stack;
mod tally;
mod toys;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use self::stack::{Setup, Stack};

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure the queue with toy jobs.
    Queue(Box<Options>),
    /// Measure how counters are read and shown, against the simulator.
    Metrics(counters::Options),
    /// Enqueue or work for a harness that compares queues; told by BENCH_ variables.
    #[command(hide = true)]
    Adapter(Box<adapter::Options>),
}

/// Which database holds the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// What carries pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Carrier {
    /// This process alone.
    Memory,
    /// A server.
    Redis,
}

/// One of the things that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// Enqueuing one by one and in bulk, then draining all of it.
    Cycle,
    /// From the call to the handler, when nothing else runs.
    Pickup,
    /// Many jobs due at the same instant.
    Due,
    /// Redis memory of pending and of finished jobs.
    Bytes,
    /// Jobs of a killed process.
    Rescue,
    /// Draining in front of a long backlog and of a short one.
    Backlog,
}

/// Options of `clipqueue bench queue`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Jobs that 1 producer and 16 producers enqueue each; half as many go in bulk.
    #[arg(long, default_value_t = 20_000)]
    jobs: u64,
    /// The database.
    #[arg(long, value_enum, default_value = "sqlite")]
    db: Database,
    /// The transport.
    #[arg(long, value_enum, default_value = "memory")]
    transport: Carrier,
    /// Handlers that run at a time.
    #[arg(long, default_value_t = 500)]
    concurrency: usize,
    /// Bytes of a job's arguments as JSON.
    #[arg(long, default_value_t = 300)]
    payload: usize,
    /// What to measure, separated by commas; everything by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Measure>,
    /// Jobs of the latency measure.
    #[arg(long, default_value_t = 300)]
    pickups: u64,
    /// Jobs that fall due at the same instant.
    #[arg(long, default_value_t = 2000)]
    due: u64,
    /// The long backlog.
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Seconds for which jobs sleep whose process is killed.
    #[arg(long, default_value_t = 30)]
    rescue_sleep: u64,
    /// An empty database to use instead of a private one. Give it to nothing else.
    #[arg(long, hide_env_values = true)]
    database_url: Option<String>,
    /// A Redis to use instead of a private one. Give it to nothing else.
    #[arg(long, hide_env_values = true)]
    redis_url: Option<String>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Fail when a measure could not be made or its count is not exact.
    #[arg(long)]
    exit_on_error: bool,
}

/// Runs the command.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Queue(options) => queue(&options).await,
        Command::Metrics(options) => Box::pin(counters::run(&options)).await,
        Command::Adapter(options) => adapter::run(&options).await,
    }
}

impl Options {
    fn setup(&self) -> Setup {
        Setup {
            db: self.db,
            transport: self.transport,
            database_url: self.database_url.clone(),
            redis_url: self.redis_url.clone(),
        }
    }

    fn wants(&self, measure: Measure) -> bool {
        self.only.is_empty() || self.only.contains(&measure)
    }
}

async fn queue(options: &Options) -> anyhow::Result<()> {
    let mut measures = Map::new();
    let mut errors = Vec::new();
    for measure in Measure::value_variants() {
        if !options.wants(*measure) {
            continue;
        }
        match one(*measure, options).await {
            Ok(figures) => measures.extend(figures),
            Err(error) => errors.push(format!("{}: {error:#}", name(*measure))),
        }
    }
    let report = json!({
        "db": name(options.db),
        "transport": name(options.transport),
        "jobs": options.jobs,
        "concurrency": options.concurrency,
        "payload_bytes": options.payload,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "version": env!("CARGO_PKG_VERSION"),
        "measures": measures,
        "errors": errors,
    });
    if options.json {
        println!("{report}");
    } else {
        print!("{}", report::table(&report));
    }
    if options.exit_on_error && !errors.is_empty() {
        anyhow::bail!("{}", errors.join("; "));
    }
    Ok(())
}

async fn one(measure: Measure, options: &Options) -> anyhow::Result<Map<String, Value>> {
    // A stack for each measure, so that none of them sees what another left behind.
    let stack = Stack::build(&options.setup()).await?;
    let figures = match measure {
        Measure::Cycle => Box::pin(cycle::measure(&stack, options)).await,
        Measure::Pickup => Box::pin(latency::pickup(&stack, options)).await,
        Measure::Due => Box::pin(latency::due(&stack, options)).await,
        Measure::Bytes => Box::pin(bytes::measure(&stack, options)).await,
        Measure::Rescue => Box::pin(rescue::measure(&stack, options)).await,
        Measure::Backlog => Box::pin(cycle::backlog(&stack, options)).await,
    };
    stack.end().await;
    figures
}

fn name(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

/// How long a measure waits for jobs that do not come.
const PATIENCE: Duration = Duration::from_secs(60);
