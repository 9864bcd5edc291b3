//! Real servers for tests: a Redis and a PostgreSQL of our own, on free loopback ports, with their
//! data in a temporary directory.
//!
//! One of each is started per test process and shared; each test takes its own database and its own
//! prefix. A server runs under a small shell that waits on a pipe from the test process: when the
//! process ends, in whatever way, the pipe closes and the shell ends the server by its pid.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use clipqueue::db::Db;
use sea_orm::ConnectionTrait;
use tokio::sync::OnceCell;

use super::eventually;

/// How long a server may take to answer for the first time.
const START: Duration = Duration::from_secs(60);

/// Runs the command that follows the signal and the directory; ends it and removes the directory
/// when standard input closes.
const KEEPER: &str = r#"
signal=$1; dir=$2; shift 2
"$@" >"$dir/log" 2>&1 </dev/null &
pid=$!
read -r _
kill -s "$signal" "$pid" 2>/dev/null
wait "$pid"
rm -rf "$dir"
"#;

/// A server that ends with this value.
pub(super) struct Kept {
    shell: Child,
}

impl Kept {
    pub(super) fn start(signal: &str, dir: &Path, command: &[String]) -> Self {
        let shell = Command::new("sh")
            .args(["-c", KEEPER, "keeper", signal])
            .arg(dir)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a POSIX shell starts");
        Self { shell }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A port that nobody listens on, below those that outgoing connections and listeners on port 0 get. Everything in
/// a test process asks here: of two that count on their own, one could give what the other has just given. Test processes that
/// run at the same time begin far from each other.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 8_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id() * 101 % COUNT;
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("the loopback has a free port")
}

pub(super) fn directory(what: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("clipqueue-{what}-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).expect("the temporary directory is writable");
    path
}

/// Looks in the directories of PATH, then in `more`.
pub(super) fn find(program: &str, more: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(more.iter().cloned())
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{program} is not installed; `make test` installs it"))
}

/// A Redis server of our own.
pub struct RedisServer {
    port: u16,
    kept: Option<Kept>,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let mut server = Self {
            port: free_port(),
            kept: None,
        };
        server.start_again().await;
        server
    }

    /// Its address, with database 0.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Ends it at once; nothing is saved.
    pub fn kill(&mut self) {
        self.kept = None;
    }

    /// Starts it on the same port, empty.
    pub async fn start_again(&mut self) {
        let program = find("redis-server", &[]);
        let dir = directory("redis");
        let command = [
            program.display().to_string(),
            "--port".into(),
            self.port.to_string(),
            "--bind".into(),
            "127.0.0.1".into(),
            "--save".into(),
            String::new(),
            "--dir".into(),
            dir.display().to_string(),
        ];
        self.kept = Some(Kept::start("KILL", &dir, &command));
        eventually(START, "Redis answers", async || {
            self.command(&["PING"]).await.ok()
        })
        .await;
    }

    /// Sends one command.
    pub async fn command(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(self.url())?;
        // A busy machine may take its time.
        let patient = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&patient)
            .await?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query_async(&mut connection).await
    }
}

/// A PostgreSQL server of our own.
pub struct PostgresServer {
    port: u16,
    _kept: Kept,
}

impl PostgresServer {
    /// Starts one with `settings` beside those of tests.
    pub async fn start(settings: &[&str]) -> Self {
        let directories = postgres_directories();
        let initdb = find("initdb", &directories);
        let postgres = find("postgres", &directories);
        let dir = directory("postgres");
        let data = dir.join("data");
        let prefix = unprivileged(&dir);
        let mut init = prefix.clone();
        init.push(initdb.display().to_string());
        init.extend(
            [
                "--auth=trust",
                "--username=clipqueue",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ]
            .map(str::to_owned),
        );
        init.push(data.display().to_string());
        let output = Command::new(&init[0])
            .args(&init[1..])
            .current_dir(&dir)
            .output()
            .expect("initdb starts");
        assert!(
            output.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let port = free_port();
        let mut run = prefix;
        run.extend([
            postgres.display().to_string(),
            "-D".into(),
            data.display().to_string(),
            "-p".into(),
            port.to_string(),
        ]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=300",
        ]
        .iter()
        .chain(settings)
        {
            run.extend(["-c".to_owned(), (*setting).to_owned()]);
        }
        let server = Self {
            port,
            _kept: Kept::start("QUIT", &dir, &run),
        };
        eventually(START, "PostgreSQL answers", async || {
            Db::connect(&server.url("postgres"), 1).await.ok()
        })
        .await;
        server
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://clipqueue@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and gives its address.
    pub async fn new_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = Db::connect(&self.url("postgres"), 1).await.unwrap();
        admin
            .write()
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        self.url(&name)
    }
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

/// PostgreSQL refuses to run as root. Gives the words that run a command as somebody else, after
/// handing `dir` to them; none when we are not root.
fn unprivileged(dir: &Path) -> Vec<String> {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return Vec::new();
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find(|user| {
            Command::new("id")
                .arg(user)
                .output()
                .is_ok_and(|output| output.status.success())
        })
        .expect("root needs a user `postgres` or `nobody` to run PostgreSQL as");
    let chown = Command::new("chown")
        .arg(user)
        .arg(dir)
        .status()
        .expect("chown runs");
    assert!(chown.success(), "the directory was not handed to {user}");
    ["setpriv", "--reuid", user, "--clear-groups", "--"]
        .map(str::to_owned)
        .into()
}

/// The Redis of this test process. Do not flush it: others use it.
pub async fn redis() -> &'static RedisServer {
    static SERVER: OnceCell<RedisServer> = OnceCell::const_new();
    SERVER.get_or_init(RedisServer::start).await
}

/// A prefix for keys that no other test has.
pub fn redis_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The PostgreSQL of this test process.
pub async fn postgres() -> &'static PostgresServer {
    static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();
    SERVER.get_or_init(|| PostgresServer::start(&[])).await
}
