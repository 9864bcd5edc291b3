//! One process of the program: its log in a file, its end by its pid.
//!
//! A shell stands by for the case that the test process itself is killed: when its pipe closes
//! without a word, it kills the process.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child as Process, Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::support::{eventually, within};

/// What a failed test shows of each log, in lines.
const TAIL: usize = 60;

/// Waits for a word; kills the process when the pipe ends without one.
const GUARD: &str = r#"read -r _ || kill -s KILL "$1""#;

/// A running process of the program.
pub(super) struct Child {
    name: String,
    process: Process,
    guard: Process,
    log: PathBuf,
}

impl Child {
    /// Starts `clipqueue` with `arguments`. Of this process's environment it sees what finding files
    /// needs, so that settings of whoever runs the tests stay out.
    pub(super) fn start(
        name: &str,
        directory: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Self {
        let log = directory.join(format!("{name}.log"));
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut command = program();
        command
            .args(arguments)
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        let process = command.spawn().unwrap();
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &process.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            name: name.to_owned(),
            process,
            guard,
            log,
        }
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends a signal by its name without `SIG`.
    pub(super) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "kill", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success(), "no signal {name} for {}", self.name);
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(limit, &what, async || self.process.try_wait().unwrap()).await
    }

    /// Its end, if it comes within `wait`.
    pub(super) async fn ended_within(&mut self, wait: Duration) -> Option<ExitStatus> {
        within(wait, async || self.process.try_wait().unwrap()).await
    }

    /// Fails with the log when the process has ended.
    pub(super) fn assert_running(&mut self) {
        if let Some(status) = self.process.try_wait().unwrap() {
            panic!("{} ended: {status}", self.name);
        }
    }

    /// The most memory that the process has had resident so far, in bytes.
    pub(super) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        let kilobytes = line.trim().trim_end_matches("kB").trim();
        kilobytes.parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(mut pipe) = self.guard.stdin.take() {
            let _ = pipe.write_all(b"over\n");
        }
        let _ = self.guard.wait();
        if std::thread::panicking() {
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL)..];
            eprintln!("log of {}:\n{}\n", self.name, tail.join("\n"));
        }
    }
}

/// The program, without the settings of whoever runs the tests.
pub(super) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clipqueue"));
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs `clipqueue` with `arguments` to its end; gives what it printed.
pub(super) fn output(arguments: &[&str], environment: &[(String, String)]) -> String {
    let output = program()
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdin(File::open("/dev/null").unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let says = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{arguments:?} failed: {errors}{says}"
    );
    String::from_utf8(output.stdout).unwrap()
}
