//! `clipqueue torture`: breaks everything it can, by a seed, and lets the simulator judge.
//!
//! It starts daemons, the simulator, and where asked for Redis and PostgreSQL, each a process of its
//! own, with a proxy in front of every server. A round asks for posts over GraphQL while faults are
//! carried out, heals everything, waits as long as is promised, and compares what was accepted with
//! what the simulator saw. A round that fails prints its plan and keeps its directory; its seed makes
//! the same plan again. Everybody's time passes faster than real time.

mod api;
mod choose;
mod doubt;
mod inflict;
mod judge;
mod media;
mod plan;
mod process;
mod proxy;
mod report;
mod rng;
mod round;
mod servers;
mod sim;
mod soak;
mod world;

use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use judge::Ended;
pub use plan::Kind;
use plan::{Link, Plan, Shape};
use report::Tally;
use soak::Soak;
use world::World;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The posts of one world: their films fit on its disk.
const POSTS_OF_A_WORLD: usize = 2_000;

/// The database to torture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Db {
    /// A file.
    Sqlite,
    /// A server of the torture's own.
    Postgres,
}

/// The transport to torture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// One process does everything.
    Memory,
    /// A server of the torture's own.
    Redis,
}

/// Options of `clipqueue torture`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The seed of the first round; each further round takes the next number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds to play.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Go on with rounds for so many minutes, whatever --runs says.
    #[arg(long)]
    minutes: Option<u64>,
    /// What may go wrong, separated by commas; everything that the stack has, by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    faults: Vec<Kind>,
    /// The database.
    #[arg(long, value_enum, default_value = "sqlite")]
    db: Db,
    /// The transport.
    #[arg(long, value_enum, default_value = "memory")]
    transport: Transport,
    /// Daemons; one with the memory transport, three otherwise.
    #[arg(long)]
    processes: Option<usize>,
    /// The program of another version, which is every second daemon, and the next life of each: a rolling
    /// upgrade that does not end. It must know the crash points of this one.
    #[arg(long)]
    beside: Option<PathBuf>,
    /// Posts of a round.
    #[arg(long, default_value_t = 3)]
    posts: usize,
    /// Faults of a round.
    #[arg(long, default_value_t = 2)]
    faults_per_run: usize,
    /// How many seconds pass in a real one, for the daemons and for TikTok.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=50))]
    rate: u64,
    /// Go on after a round that failed, with everybody started anew.
    #[arg(long)]
    keep_going: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Fail when the memory of a daemon, or that of Redis beyond its live jobs, grew by more than so
    /// many percent between the second tenth of the time and the last. Everybody lives until the end.
    #[arg(long, requires = "minutes")]
    flat: Option<f64>,
    /// Where to keep the logs and databases of rounds that failed; a new directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
}

impl Options {
    fn processes(&self) -> usize {
        match self.transport {
            Transport::Memory => 1,
            Transport::Redis => self.processes.unwrap_or(3).max(1),
        }
    }

    fn wants_full_disk(&self) -> bool {
        self.faults.is_empty() || self.faults.contains(&Kind::DiskFull)
    }

    /// What a round is made of in `world`. What it cannot be made of goes into `tally`.
    fn shape(&self, world: &World, tally: &mut Tally) -> anyhow::Result<Shape> {
        let possible = |kind: &Kind| match kind {
            Kind::RedisRestart | Kind::Flushall | Kind::Maxmemory => world.redis.is_some(),
            Kind::DbRestart => world.postgres.is_some(),
            Kind::DiskFull => world.media.is_small,
            Kind::Kill
            | Kind::Stop
            | Kind::Cut
            | Kind::Delay
            | Kind::HalfOpen
            | Kind::Clock
            | Kind::Pause
            | Kind::Sim
            | Kind::SimConfig => true,
        };
        let wanted = match &*self.faults {
            [] => Kind::value_variants(),
            some => some,
        };
        let (kinds, left_out): (Vec<Kind>, Vec<Kind>) =
            wanted.iter().partition(|kind| possible(kind));
        let names = left_out.iter().map(|kind| format!("{kind:?}"));
        tally.left_out.extend(names);
        anyhow::ensure!(!kinds.is_empty(), "none of these faults is possible here");
        let links: Vec<Link> = world.links.iter().map(|(link, _)| *link).collect();
        Ok(Shape {
            kinds,
            links,
            processes: self.processes(),
            posts: self.posts,
            faults: self.faults_per_run,
            rate: self.rate,
        })
    }
}

/// Tortures; fails when a round did. A signal lets the round come to its end and everybody be judged;
/// a second one ends the process at once.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let stopped = CancellationToken::new();
    let stop = crate::service::stop_signal();
    let told = stopped.clone();
    tokio::spawn(async move {
        stop.await;
        told.cancel();
    });
    Box::pin(torture(options, stopped)).await
}

async fn torture(options: Options, stopped: CancellationToken) -> anyhow::Result<()> {
    let began = Instant::now();
    let end = options
        .minutes
        .map(|minutes| began + Duration::from_secs(minutes * 60));
    let mut tally = Tally::default();
    let mut soak = Soak::new();
    let mut seed = options.seed;
    let goes_on = |seed: u64| {
        !stopped.is_cancelled()
            && match end {
                Some(end) => Instant::now() < end,
                None => seed < options.seed + options.runs,
            }
    };
    while goes_on(seed) {
        let failed = act(&options, &mut seed, &goes_on, &mut tally, &mut soak).await?;
        if failed && !options.keep_going {
            break;
        }
    }
    if options.minutes.is_some() {
        tally.soak = soak.changes();
    }
    tally.real_s = began.elapsed().as_secs();
    if options.json {
        println!("{}", serde_json::to_string(&tally)?);
    } else {
        println!("{tally}");
    }
    anyhow::ensure!(
        tally.failed_seeds.is_empty(),
        "the rounds of these seeds failed: {:?}",
        tally.failed_seeds
    );
    if let Some(percent) = options.flat {
        anyhow::ensure!(
            !tally.soak.is_empty(),
            "nothing of the memory can be compared"
        );
        let grew: Vec<_> = tally
            .soak
            .iter()
            .filter(|change| change.is_over(percent))
            .collect();
        anyhow::ensure!(grew.is_empty(), "memory grew: {grew:?}");
    }
    Ok(())
}

/// Plays rounds in one world until one fails, or until its disk and its ledger have enough. Says
/// whether one did.
async fn act(
    options: &Options,
    seed: &mut u64,
    goes_on: &impl Fn(u64) -> bool,
    tally: &mut Tally,
    soak: &mut Soak,
) -> anyhow::Result<bool> {
    let root = match &options.directory {
        Some(directory) => directory.clone(),
        None => std::env::temp_dir(),
    };
    let directory = root.join(format!("clipqueue-torture-{}-{seed}", std::process::id()));
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("making {}", directory.display()))?;
    let world = World::start(options, &directory)
        .await
        .with_context(|| format!("starting; the logs are in {}", directory.display()))?;
    let watching = async {
        while options.minutes.is_some() {
            soak.look(&world).await;
            tokio::time::sleep(soak::EVERY).await;
        }
        std::future::pending().await
    };
    let failed = tokio::select! {
        failed = Box::pin(rounds(options, &world, &directory, seed, goes_on, tally)) => failed?,
        () = watching => true,
    };
    let deaths = &world.daemons.deaths;
    let at_points = deaths.at_points.load(Ordering::Relaxed);
    tally.crash_points += at_points;
    tally.restarts += deaths.by_themselves.load(Ordering::Relaxed) - at_points;
    drop(world);
    if !failed {
        std::fs::remove_dir_all(&directory)
            .with_context(|| format!("removing {}", directory.display()))?;
    }
    Ok(failed)
}

/// Plays the rounds of one world, and judges them all once more at the end.
async fn rounds(
    options: &Options,
    world: &World,
    directory: &Path,
    seed: &mut u64,
    goes_on: &impl Fn(u64) -> bool,
    tally: &mut Tally,
) -> anyhow::Result<bool> {
    let shape = options.shape(world, tally)?;
    let mut failed = false;
    let mut ended = Vec::new();
    let mut history = Vec::new();
    let mut left = if options.flat.is_some() {
        usize::MAX
    } else {
        POSTS_OF_A_WORLD
    };
    while goes_on(*seed) && !failed && left > 0 {
        let plan = Plan::new(*seed, &shape);
        *seed += 1;
        left = left.saturating_sub(options.posts.max(1));
        tally.rounds += 1;
        let wrong = match round::play(world, &plan, options.rate).await {
            Ok(played) => {
                history.extend_from_slice(&played.windows);
                let (all, rate) = (&history, options.rate);
                let wrong = judge::judge(world, &plan, &played, all, rate, tally).await?;
                if wrong.is_empty() {
                    ended.extend(Ended::all(plan.seed, &played));
                } else {
                    keep(world, directory, &played).await?;
                }
                wrong
            }
            Err(error) => vec![format!("the round could not be played: {error:#}")],
        };
        if !wrong.is_empty() {
            failed = true;
            tally.failed_seeds.push(plan.seed);
            eprintln!(
                "a round failed:\n  {}\n{plan}everything is in {}; again with --seed {} --runs 1 and the other options as they are",
                wrong.join("\n  "),
                directory.display(),
                plan.seed
            );
        }
    }
    match judge::last_word(world, &ended, &history, options.rate, tally).await {
        Ok(wrong) => {
            for (seed, text) in wrong {
                failed = true;
                tally.failed_seeds.push(seed);
                eprintln!(
                    "the round of seed {seed} failed at the end of all: {text}; everything is in {}",
                    directory.display()
                );
            }
        }
        Err(error) if failed => eprintln!("the end of all could not be judged: {error:#}"),
        Err(error) => return Err(error.context("judging the end of all")),
    }
    Ok(failed)
}

/// Writes down what the simulator saw of a failed round.
async fn keep(world: &World, directory: &Path, played: &round::Played) -> anyhow::Result<()> {
    let calls = world.sim.calls_after(played.since_call).await?;
    let inits = world.sim.inits().await?;
    let published = world.sim.published(played.began_ms).await?;
    let all = serde_json::json!({ "calls": calls, "inits": inits, "published": published });
    std::fs::write(
        directory.join("ledger.json"),
        serde_json::to_vec_pretty(&all)?,
    )?;
    Ok(())
}

/// Waits until `condition` gives something.
async fn until<T>(
    limit: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let looking = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(limit, looking)
        .await
        .with_context(|| format!("waited {limit:?} in vain until {what}"))
}
