//! The binary, as an operator runs it: commands that answer, and processes that stay.

mod bench;
mod commands;
mod deletion;
mod keep;
mod logs;
mod migrations;
mod refusals;
mod stopping;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::eventually;

/// How long a process may take for anything that is not waited for on purpose.
const PATIENCE: Duration = Duration::from_secs(60);

/// An installation of its own: a directory, settings, and the binary.
struct Installation {
    dir: TempDir,
    settings: Vec<(String, String)>,
}

impl Installation {
    /// On SQLite and memory, with free ports.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let settings = [
            (
                "database.url",
                format!("sqlite:{}", path("data/clipqueue.sqlite")),
            ),
            ("media.url", path("media")),
            ("media.min_free_bytes", "0".to_owned()),
            ("http.listen", "127.0.0.1:0".to_owned()),
            ("log.format", "json".to_owned()),
        ];
        let settings = settings
            .map(|(key, value)| (key.to_owned(), value))
            .to_vec();
        Self { dir, settings }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.settings.push((key.to_owned(), value.into()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of this installation and gives its path.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clipqueue"));
        command.args(args).current_dir(self.dir.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CLIPQUEUE") {
                command.env_remove(name);
            }
        }
        for (key, value) in &self.settings {
            let name = format!("CLIPQUEUE__{}", key.replace('.', "__").to_uppercase());
            command.env(name, value);
        }
        command
    }

    /// Runs a command that ends.
    async fn run(&self, args: &[&str]) -> Answer {
        let mut command = self.command(args);
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = tokio::time::timeout(PATIENCE, output).await;
        Answer::from(output.expect("the command ends").unwrap().unwrap())
    }

    /// Starts a command that stays.
    fn start(&self, args: &[&str]) -> Process {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Process::new(command.spawn().unwrap())
    }

    /// Starts `serve` and waits until it answers.
    async fn serve(&self) -> Process {
        let process = self.start(&["serve"]);
        process.address("serving HTTP").await;
        process
    }
}

/// What a command left.
struct Answer {
    status: ExitStatus,
    out: String,
    err: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            status: output.status,
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Answer {
    /// Standard output of a command that went well.
    fn good(self) -> String {
        assert!(self.status.success(), "{}\n{}", self.out, self.err);
        self.out
    }

    /// Standard error of a command that failed in an orderly way and said each of `words`.
    fn refused(self, words: &[&str]) -> String {
        assert_eq!(self.status.code(), Some(1), "{}\n{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in:\n{}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

/// A process that stays until it is told to go; killed when this is dropped.
struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn new(mut child: Child) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let out: ChildStdout = child.stdout.take().unwrap();
        let err = child.stderr.take().unwrap();
        let sink = Arc::clone(&lines);
        std::thread::spawn(move || collect(BufReader::new(out), &sink));
        let sink = Arc::clone(&lines);
        std::thread::spawn(move || collect(BufReader::new(err), &sink));
        Self { child, lines }
    }

    /// Everything that it wrote so far.
    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The address in the log line with this message.
    async fn address(&self, message: &str) -> SocketAddr {
        let lines = Arc::clone(&self.lines);
        eventually(PATIENCE, message, async || {
            lines.lock().unwrap().iter().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                (line["message"] == message).then(|| line["address"].as_str()?.parse().ok())?
            })
        })
        .await
    }

    async fn public(&self) -> SocketAddr {
        self.address("serving HTTP").await
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end and gives the exit code.
    async fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        eventually(PATIENCE, "the process has ended", async || {
            child.try_wait().unwrap()
        })
        .await
        .code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl BufRead, into: &Mutex<Vec<String>>) {
    for line in from.lines().map_while(Result::ok) {
        into.lock().unwrap().push(line);
    }
}

fn client() -> reqwest::Client {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Asks with GET; gives status and body. None when nobody answers.
async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let answer = client()
        .get(format!("http://{address}{path}"))
        .send()
        .await
        .ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}
