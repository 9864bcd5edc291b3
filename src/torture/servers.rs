//! A Redis and a PostgreSQL of the torture's own: installed programs, free ports, no persistence
//! beyond what a crash of the program needs.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{process::Process, until};
use crate::db::Db;

/// How long a server may take to answer for the first time.
const START: Duration = Duration::from_secs(60);
/// How long one command to Redis may take, on a machine that is busy with other things.
const COMMAND: Duration = Duration::from_secs(60);
/// After how long a server that should end is told so again.
const TOLD_AGAIN: Duration = Duration::from_secs(1);

/// A port that nobody listens on, below those that outgoing connections get.
pub(super) fn free_port() -> anyhow::Result<u16> {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 8_000;
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id() * 101 % COUNT;
    (0..COUNT)
        .filter_map(|_| {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            u16::try_from(FIRST + (start + step) % COUNT).ok()
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("the loopback has no free port")
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Looks in the directories of PATH, then in `more`.
fn find(program: &str, more: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(more.iter().cloned())
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("{program} is not installed"))
}

/// Redis.
#[derive(Debug)]
pub(super) struct Redis {
    port: u16,
    log: PathBuf,
    process: Option<Process>,
}

impl Redis {
    pub(super) async fn start(directory: &Path) -> anyhow::Result<Self> {
        let mut redis = Self {
            port: free_port()?,
            log: directory.join("redis.log"),
            process: None,
        };
        redis.start_again().await?;
        Ok(redis)
    }

    pub(super) fn address(&self) -> SocketAddr {
        local(self.port)
    }

    /// Ends it at once; nothing is saved.
    pub(super) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it on the same port, empty.
    pub(super) async fn start_again(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(find("redis-server", &[])?);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port"]);
        command.arg(self.port.to_string());
        self.process = Some(Process::start(command, &self.log)?);
        until(START, "Redis answers", async || {
            self.command("PING").await.ok()
        })
        .await?;
        Ok(())
    }

    /// Sends one command of plain words; gives the first line of the answer.
    pub(super) async fn command(&self, words: &str) -> anyhow::Result<String> {
        let talk = async {
            let mut stream = TcpStream::connect(self.address()).await?;
            stream.write_all(format!("{words}\r\n").as_bytes()).await?;
            let mut answer = vec![0; 256];
            let length = stream.read(&mut answer).await?;
            std::io::Result::Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
        };
        let answer = timeout(COMMAND, talk).await.context("Redis is silent")??;
        anyhow::ensure!(answer.starts_with('+'), "Redis says {answer}");
        Ok(answer)
    }

    /// The bytes that it says to use.
    pub(super) async fn used_memory(&self) -> anyhow::Result<u64> {
        let talk = async {
            let mut stream = TcpStream::connect(self.address()).await?;
            stream.write_all(b"INFO memory\r\nQUIT\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = timeout(COMMAND, talk).await.context("Redis is silent")??;
        let used = answer
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        Ok(used.context("Redis tells no memory")?.trim().parse()?)
    }
}

/// PostgreSQL.
#[derive(Debug)]
pub(super) struct Postgres {
    port: u16,
    data: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Postgres {
    pub(super) async fn start(directory: &Path) -> anyhow::Result<Self> {
        let home = directory.join("postgres");
        std::fs::create_dir_all(&home)?;
        let mut postgres = Self {
            port: free_port()?,
            data: home.join("data"),
            log: directory.join("postgres.log"),
            process: None,
        };
        hand_over(&home)?;
        let mut init = unprivileged(&find("initdb", &postgres_directories())?);
        init.args([
            "--auth=trust",
            "--username=clipqueue",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        init.arg(&postgres.data).current_dir(&home);
        let output = init.output().context("initdb starts")?;
        let says = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "initdb failed: {says}");
        postgres.start_again().await?;
        Ok(postgres)
    }

    pub(super) fn address(&self) -> SocketAddr {
        local(self.port)
    }

    /// Ends it at once, as a crash does: the next start recovers from the log.
    pub(super) async fn crash(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // A server that has only just started may sleep for a minute over the first signal; each wakes it.
        while process.ended().is_none() {
            process.signal(Signal::QUIT);
            let _ = until(TOLD_AGAIN, "PostgreSQL ends", async || process.ended()).await;
        }
    }

    pub(super) async fn start_again(&mut self) -> anyhow::Result<()> {
        let mut command = unprivileged(&find("postgres", &postgres_directories())?);
        command.arg("-D").arg(&self.data);
        command.args(["-p", &self.port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // The machine does not lose its power; the program dies, and the log has everything.
            "fsync=off",
            "full_page_writes=off",
            "max_connections=200",
        ] {
            command.args(["-c", setting]);
        }
        self.process = Some(Process::start(command, &self.log)?);
        let url = database_url(self.address(), "postgres");
        until(START, "PostgreSQL answers", async || {
            Db::connect(&url, 1).await.ok()
        })
        .await?
        .close()
        .await?;
        Ok(())
    }

    /// Makes an empty database.
    pub(super) async fn create(&self, name: &str) -> anyhow::Result<()> {
        use sea_orm::ConnectionTrait as _;
        let admin = Db::connect(&database_url(self.address(), "postgres"), 1).await?;
        let sql = format!("CREATE DATABASE {name}");
        admin.write().execute_unprepared(&sql).await?;
        admin.close().await?;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end(Signal::QUIT);
        }
    }
}

pub(super) fn database_url(address: SocketAddr, database: &str) -> String {
    format!("postgres://clipqueue@{address}/{database}")
}

/// Where distributions keep the programs of the server, newest first.
fn postgres_directories() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    found.sort();
    found.reverse();
    found
}

/// PostgreSQL refuses to run as root: the user that it runs as instead.
fn other_user() -> Option<&'static str> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].into_iter().find(|user| {
        users
            .lines()
            .any(|line| line.starts_with(&format!("{user}:")))
    })
}

fn unprivileged(program: impl AsRef<OsStr>) -> Command {
    let Some(user) = other_user() else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--clear-groups", "--"]);
    command.arg(program);
    command
}

fn hand_over(directory: &Path) -> anyhow::Result<()> {
    if let Some(user) = other_user() {
        let done = Command::new("chown").arg(user).arg(directory).status()?;
        anyhow::ensure!(done.success(), "the directory was not handed to {user}");
    }
    Ok(())
}
