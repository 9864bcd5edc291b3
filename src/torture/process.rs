//! A process of the torture: its log in a file, signals by its pid, and an end that is certain.
//!
//! A shell stands by for the case that the torture itself is killed: when its pipe closes without a
//! word, it kills the process.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::soak::Memory;

/// Waits for a word; kills the process when the pipe ends without one.
const GUARD: &str = r#"read -r _ || kill -s KILL "$1""#;

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    guard: Child,
    started: Instant,
}

impl Process {
    /// Starts `command`; what it prints goes to the end of `log`.
    pub(super) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let child = command
            .spawn()
            .with_context(|| format!("starting {:?}", command.get_program()))?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &child.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .context("starting a shell")?;
        Ok(Self {
            child,
            guard,
            started: Instant::now(),
        })
    }

    pub(super) fn signal(&self, signal: Signal) {
        // One that has ended meanwhile needs none.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// What it has of the machine's memory, if it lives.
    pub(super) fn memory(&self) -> Option<Memory> {
        let pid = self.child.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(Memory {
            pid,
            age: self.started.elapsed(),
            bytes: kilobytes * 1_024,
        })
    }

    /// Its end, if it has come.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal that ends it, and waits for that.
    pub(super) fn end(&mut self, signal: Signal) {
        self.signal(signal);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(mut pipe) = self.guard.stdin.take() {
            let _ = pipe.write_all(b"over\n");
        }
        let _ = self.guard.wait();
    }
}
