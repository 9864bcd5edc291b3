//! Servers of our own: a Redis and a PostgreSQL on free loopback ports, with their data in a
//! directory of their own, durable as they come.
//!
//! A server runs under a small shell that waits on a pipe from this process: when the process ends,
//! in whatever way, the pipe closes and the shell ends the server by its pid.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::Instant;

use crate::db::Db;

/// How long a server may take to answer for the first time.
const START: Duration = Duration::from_secs(60);
/// The pause between questions whether it answers.
const ASK: Duration = Duration::from_millis(20);

/// Runs the command that follows the signal and the directory; ends it when standard input closes.
const KEEPER: &str = r#"
signal=$1; dir=$2; shift 2
"$@" >"$dir/log" 2>&1 </dev/null &
pid=$!
read -r _
kill -s "$signal" "$pid" 2>/dev/null
wait "$pid"
"#;

/// A server that ends with this value.
#[derive(Debug)]
struct Kept {
    shell: Child,
}

impl Kept {
    fn start(signal: &str, dir: &Path, command: &[String]) -> anyhow::Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", KEEPER, "keeper", signal])
            .arg(dir)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting a POSIX shell")?;
        Ok(Self { shell })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A directory that is removed with this value.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(super) fn new(what: &str) -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("clipqueue-bench-{what}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("the loopback has no free port")?;
    Ok(listener.local_addr()?.port())
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

/// A private Redis without persistence.
#[derive(Debug)]
pub(super) struct Redis {
    port: u16,
    _kept: Kept,
    _dir: Scratch,
}

impl Redis {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let program = find("redis-server", &[])?;
        let dir = Scratch::new("redis")?;
        let port = free_port()?;
        let command = [
            program.display().to_string(),
            "--port".into(),
            port.to_string(),
            "--bind".into(),
            "127.0.0.1".into(),
            "--save".into(),
            String::new(),
            "--dir".into(),
            dir.path().display().to_string(),
        ];
        let kept = Kept::start("KILL", dir.path(), &command)?;
        let server = Self {
            port,
            _kept: kept,
            _dir: dir,
        };
        let since = Instant::now();
        while info(&server.url()).is_err() {
            anyhow::ensure!(since.elapsed() < START, "redis-server does not answer");
            tokio::time::sleep(ASK).await;
        }
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

/// What `INFO` says, without a client library: the queue's own connection is what is measured.
pub(super) fn info(url: &str) -> anyhow::Result<String> {
    let url = url::Url::parse(url).context("reading the address of Redis")?;
    let host = url.host_str().unwrap_or("127.0.0.1");
    let mut stream = TcpStream::connect((host, url.port().unwrap_or(6379)))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"INFO everything\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.starts_with('$'), "Redis says {}", answer.trim());
    Ok(answer)
}

/// A private PostgreSQL with its defaults, so that what it commits is durable.
#[derive(Debug)]
pub(super) struct Postgres {
    port: u16,
    _kept: Kept,
}

impl Postgres {
    /// Starts a server on the cluster in `dir`, which is made when it is missing.
    pub(super) async fn start(dir: &Path) -> anyhow::Result<Self> {
        let directories = postgres_directories();
        let initdb = find("initdb", &directories)?;
        let postgres = find("postgres", &directories)?;
        let data = dir.join("data");
        fs::create_dir_all(dir)?;
        let prefix = unprivileged(dir)?;
        if !data.join("PG_VERSION").exists() {
            let mut init = prefix.clone();
            init.push(initdb.display().to_string());
            init.extend(
                ["--auth=trust", "--username=clipqueue", "--encoding=UTF8"].map(str::to_owned),
            );
            init.extend(["--locale=C", "-D"].map(str::to_owned));
            init.push(data.display().to_string());
            let output = Command::new(&init[0])
                .args(&init[1..])
                .current_dir(dir)
                .output()
                .context("starting initdb")?;
            anyhow::ensure!(
                output.status.success(),
                "initdb failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let port = free_port()?;
        let mut run = prefix;
        run.extend([
            postgres.display().to_string(),
            "-D".into(),
            data.display().to_string(),
            "-p".into(),
            port.to_string(),
        ]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories="] {
            run.extend(["-c".to_owned(), setting.to_owned()]);
        }
        let kept = Kept::start("INT", dir, &run)?;
        let server = Self { port, _kept: kept };
        let since = Instant::now();
        while Db::connect(&server.url(), 1).await.is_err() {
            anyhow::ensure!(since.elapsed() < START, "PostgreSQL does not answer");
            tokio::time::sleep(ASK).await;
        }
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://clipqueue@127.0.0.1:{}/postgres", self.port)
    }
}

/// Where distributions keep the programs of the server, newest first.
fn postgres_directories() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    found.sort();
    found.reverse();
    found
}

/// PostgreSQL refuses to run as root. Gives the words that run a command as somebody else, after
/// handing `dir` to them; none when we are not root.
fn unprivileged(dir: &Path) -> anyhow::Result<Vec<String>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Vec::new());
    }
    let known = |user: &&str| {
        Command::new("id")
            .arg(user)
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let user = ["postgres", "nobody"]
        .into_iter()
        .find(known)
        .context("root needs a user `postgres` or `nobody` to run PostgreSQL as")?;
    let chown = Command::new("chown").arg(user).arg(dir).status()?;
    anyhow::ensure!(chown.success(), "the directory was not handed to {user}");
    let words = ["setpriv", "--reuid", user, "--clear-groups", "--"];
    Ok(words.map(str::to_owned).into())
}
