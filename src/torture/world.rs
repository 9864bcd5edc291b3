//! Everybody who takes part in a torture: servers, simulator, proxies, and the daemons, which are
//! started again whenever they die.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::Signal;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Db, Options, Transport,
    api::{self, Api},
    doubt::Window,
    media::Media,
    plan::Link,
    process::Process,
    proxy::Proxy,
    servers::{Postgres, Redis, database_url, free_port},
    sim::Simulator,
    soak::Memory,
    until,
};
use crate::{clock::Clock, crash::CrashAt};

/// How long a daemon may take to be ready, on a machine that is busy with other things.
const READY: Duration = Duration::from_secs(180);
/// How long somebody who ended stays away.
const AWAY: Duration = Duration::from_millis(200);
/// How long ago somebody may have ended who is found to have, in real milliseconds.
const UNSEEN_MS: i64 = 1_000;

/// This program, without the settings of whoever runs it.
pub(super) fn program() -> anyhow::Result<Command> {
    let own = std::env::current_exe().context("finding this program")?;
    Ok(bare(&own))
}

/// `program`, without the settings of whoever runs this one.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// A daemon, alive or between two lives.
#[derive(Debug)]
struct Daemon {
    port: u16,
    log: PathBuf,
    clock: PathBuf,
    state: Mutex<Life>,
}

#[derive(Debug, Default)]
struct Life {
    process: Option<Process>,
    /// How often it was started.
    starts: usize,
    /// Nobody starts it before its fault is over.
    kept_down: bool,
}

/// Counts of what nobody planned.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    /// Processes that ended without having been killed from outside.
    pub(super) by_themselves: AtomicU64,
    /// Among them at a crash point.
    pub(super) at_points: AtomicU64,
    /// From when to when each was away.
    windows: Mutex<Vec<Window>>,
}

impl Deaths {
    /// When daemons were away of themselves.
    pub(super) fn windows(&self) -> Vec<Window> {
        self.list().clone()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct World {
    // Fields are dropped in this order: the daemons before what they stand on.
    _stop: DropGuard,
    pub(super) daemons: Arc<Daemons>,
    pub(super) sim: Simulator,
    pub(super) links: Vec<(Link, Proxy)>,
    pub(super) redis: Option<tokio::sync::Mutex<Redis>>,
    pub(super) postgres: Option<tokio::sync::Mutex<Postgres>>,
    pub(super) media: Media,
}

#[derive(Debug)]
pub(super) struct Daemons {
    list: Vec<Daemon>,
    /// The program of another version.
    beside: Option<PathBuf>,
    environment: BTreeMap<String, String>,
    http: reqwest::Client,
    key: String,
    rate: u64,
    epoch: i64,
    turn: AtomicUsize,
    pub(super) deaths: Deaths,
}

impl World {
    pub(super) async fn start(options: &Options, directory: &Path) -> anyhow::Result<Self> {
        let sim = Simulator::start(directory, options.rate).await?;
        let mut links = Vec::new();
        let tiktok = Proxy::start(sim.address()).await?;
        let tiktok_base = format!("http://{}", tiktok.address());
        sim.hand_out(&tiktok_base).await?;
        links.push((Link::Tiktok, tiktok));
        let mut settings = vec![
            ("media.min_free_bytes", "0".to_owned()),
            // All posts of all rounds are one user's.
            ("media.user_quota_files", "1000000".to_owned()),
            // Files of posts that are over go soon, so that large ones fit on a small disk.
            ("plans.paid.media_retention", "1h".to_owned()),
            ("tiktok.api_base", tiktok_base),
            ("tiktok.authorize_base", format!("http://{}", sim.address())),
            ("tiktok.audited", "true".to_owned()),
            // Posts are what is tortured: live jobs are counted, and each creator's next look is one.
            ("metrics.calls_per_minute", "0".to_owned()),
            ("tiktok.timeout", "3s".to_owned()),
            ("tiktok.stall_timeout", "3s".to_owned()),
            ("log.format", "json".to_owned()),
        ];
        let media = Media::make(directory, options)?;
        settings.push(("media.url", media.path.display().to_string()));
        let outbox = directory.join("outbox");
        settings.push(("mail.url", outbox.display().to_string()));
        let postgres = match options.db {
            Db::Sqlite => {
                let path = directory.join("sqlite");
                settings.push(("database.url", format!("sqlite:{}", path.display())));
                None
            }
            Db::Postgres => {
                let postgres = Postgres::start(directory).await?;
                postgres.create("torture").await?;
                let proxy = Proxy::start(postgres.address()).await?;
                settings.push(("database.url", database_url(proxy.address(), "torture")));
                settings.push(("database.max_connections", "8".to_owned()));
                links.push((Link::Database, proxy));
                Some(tokio::sync::Mutex::new(postgres))
            }
        };
        let redis = match options.transport {
            Transport::Memory => None,
            Transport::Redis => {
                let redis = Redis::start(directory).await?;
                let proxy = Proxy::start(redis.address()).await?;
                settings.push(("transport.url", format!("redis://{}/0", proxy.address())));
                links.push((Link::Redis, proxy));
                Some(tokio::sync::Mutex::new(redis))
            }
        };
        let environment: BTreeMap<_, _> = settings
            .into_iter()
            .map(|(key, value)| (variable(key), value))
            .collect();
        let key = make_key(&environment)?;
        let processes = options.processes();
        let list = (0..processes)
            .map(|number| Daemon::new(directory, number))
            .collect::<anyhow::Result<_>>()?;
        let daemons = Arc::new(Daemons {
            list,
            beside: options.beside.clone(),
            environment,
            http: api::http()?,
            key,
            rate: options.rate,
            epoch: Clock::System.now().as_millis(),
            turn: AtomicUsize::new(0),
            deaths: Deaths::default(),
        });
        // From here on everybody has the same time.
        sim.set_clock(daemons.now_ms()).await?;
        let webhooks = format!("http://{}/webhooks/tiktok", daemons.list[0].address());
        sim.tell_webhooks(&webhooks).await?;
        for number in 0..processes {
            daemons.set_clock(number, 0)?;
            daemons.start(number, None)?;
        }
        let stop = CancellationToken::new();
        for number in 0..processes {
            let keeping = Arc::clone(&daemons).keep_alive(number);
            tokio::spawn(stop.clone().run_until_cancelled_owned(keeping));
        }
        let world = Self {
            _stop: stop.drop_guard(),
            daemons,
            sim,
            links,
            redis,
            postgres,
            media,
        };
        world.ready().await?;
        Ok(world)
    }

    /// Waits until every daemon is.
    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        for number in 0..self.daemons.list.len() {
            self.daemons.ready(number).await?;
        }
        Ok(())
    }
}

impl Daemons {
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// The time of a daemon whose clock is right.
    pub(super) fn now_ms(&self) -> i64 {
        let real_ms = Clock::System.now().as_millis() - self.epoch;
        self.epoch + real_ms * i64::try_from(self.rate).unwrap_or(1)
    }

    /// The memory of those that live.
    pub(super) fn memory(&self) -> Vec<Memory> {
        let lives = self.list.iter().map(Daemon::life);
        lives
            .filter_map(|life| life.process.as_ref()?.memory())
            .collect()
    }

    /// Waits until one is.
    pub(super) async fn ready(&self, number: usize) -> anyhow::Result<()> {
        let api = self.api(number);
        until(READY, "a daemon is ready", async || {
            api.is_ready().await.then_some(())
        })
        .await
    }

    /// A client of one daemon.
    pub(super) fn api(&self, number: usize) -> Api {
        let base = format!("http://{}", self.list[number].address());
        Api::new(&self.http, base, &self.key)
    }

    /// A client of one daemon after the other.
    pub(super) fn any(&self) -> Api {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.api(turn % self.list.len())
    }

    /// Says how far the clock of a daemon is ahead.
    pub(super) fn set_clock(&self, number: usize, ahead_ms: i64) -> anyhow::Result<()> {
        let file = &self.list[number].clock;
        let new = file.with_extension("new");
        std::fs::write(&new, format!("{} {} {ahead_ms}", self.rate, self.epoch))?;
        std::fs::rename(&new, file)?;
        Ok(())
    }

    pub(super) fn kill(&self, number: usize) {
        let mut life = self.list[number].life();
        life.kept_down = true;
        if let Some(mut process) = life.process.take() {
            process.end(Signal::KILL);
        }
    }

    pub(super) fn signal(&self, number: usize, signal: Signal) {
        if let Some(process) = &self.list[number].life().process {
            process.signal(signal);
        }
    }

    pub(super) fn start(&self, number: usize, at: Option<CrashAt>) -> anyhow::Result<()> {
        let daemon = &self.list[number];
        let mut life = daemon.life();
        // Neighbours and successors are of different versions.
        let mut command = match &self.beside {
            Some(other) if (number + life.starts) % 2 == 1 => bare(other),
            _ => program()?,
        };
        life.starts += 1;
        command.arg("serve").envs(&self.environment);
        let address = daemon.address();
        command.env(variable("http.listen"), address.to_string());
        command.env(variable("http.public_url"), format!("http://{address}"));
        command.env(variable("debug.clock"), &daemon.clock);
        if let Some(at) = at {
            let at = format!("{}:{}", at.point, at.nth);
            command.env(variable("debug.crash_at"), at);
        }
        let process = Process::start(command, &daemon.log)?;
        life.process = Some(process);
        life.kept_down = false;
        Ok(())
    }

    /// Starts a daemon again whenever it has ended, as a service manager does.
    async fn keep_alive(self: Arc<Self>, number: usize) {
        // It may have ended just after it was looked at, and a busy machine looks late.
        let unseen = UNSEEN_MS * i64::try_from(self.rate).unwrap_or(1);
        let mut away_since: Option<usize> = None;
        loop {
            tokio::time::sleep(AWAY).await;
            if let Some(index) = away_since
                && self.api(number).is_ready().await
            {
                self.deaths.list()[index].to_ms = self.now_ms();
                away_since = None;
            }
            let ended = {
                let mut life = self.list[number].life();
                let ended = life.process.as_mut().and_then(Process::ended);
                if life.kept_down { None } else { ended }
            };
            let Some(status) = ended else { continue };
            self.deaths.by_themselves.fetch_add(1, Ordering::Relaxed);
            let now_ms = self.now_ms();
            {
                let mut windows = self.deaths.list();
                away_since = Some(windows.len());
                windows.push(Window {
                    from_ms: now_ms - unseen,
                    to_ms: now_ms + unseen,
                    ahead_ms: 0,
                });
            }
            if status.code().is_none() {
                // Only a crash point ends a process by a signal that we did not send.
                self.deaths.at_points.fetch_add(1, Ordering::Relaxed);
            }
            if let Err(error) = self.start(number, None) {
                eprintln!("a daemon cannot be started: {error:#}");
            }
        }
    }
}

impl Daemon {
    fn new(directory: &Path, number: usize) -> anyhow::Result<Self> {
        Ok(Self {
            port: free_port()?,
            log: directory.join(format!("daemon-{number}.log")),
            clock: directory.join(format!("clock-{number}")),
            state: Mutex::default(),
        })
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The environment variable of a setting.
fn variable(key: &str) -> String {
    format!("CLIPQUEUE__{}", key.to_uppercase().replace('.', "__"))
}

/// Makes the database and an operator's key.
fn make_key(environment: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let mut command = program()?;
    command.args(["key", "create", "--user", "torture", "--operator"]);
    command.envs(environment);
    let output = command.output().context("making a key")?;
    let says = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "no key was made: {says}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
