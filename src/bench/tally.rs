//! Who started when: the count that proves exactly-once, and the source of every figure.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::processes::monotonic;

/// How often a waiter looks.
const LOOK: Duration = Duration::from_millis(2);

/// Starts of toys `0..count`, in this process; and in a file that other processes share, when one is
/// named.
#[derive(Debug)]
pub(super) struct Tally {
    starts: Vec<Start>,
    seen: AtomicU64,
    alien: AtomicU64,
    log: Option<Mutex<File>>,
}

#[derive(Debug, Default)]
struct Start {
    at: AtomicU64,
    times: AtomicU32,
}

impl Tally {
    pub(super) fn new(count: u64) -> Self {
        Self {
            starts: (0..count).map(|_| Start::default()).collect(),
            seen: AtomicU64::new(0),
            alien: AtomicU64::new(0),
            log: None,
        }
    }

    /// One that only appends to a file.
    pub(super) fn log(path: &Path) -> anyhow::Result<Self> {
        let mut tally = Self::new(0);
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        tally.log = Some(Mutex::new(file));
        Ok(tally)
    }

    pub(super) fn started(&self, id: u64) {
        let now = monotonic();
        self.append('S', id, now);
        let place = usize::try_from(id).ok().and_then(|at| self.starts.get(at));
        let Some(start) = place else {
            self.alien.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if start.times.fetch_add(1, Ordering::AcqRel) == 0 {
            start.at.store(now, Ordering::Release);
            self.seen.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn ended(&self, id: u64) {
        self.append('E', id, monotonic());
    }

    /// Notes that an enqueue call for `id` begins.
    pub(super) fn asked(&self, id: u64) {
        self.append('Q', id, monotonic());
    }

    fn append(&self, tag: char, id: u64, at: u64) {
        let Some(log) = &self.log else { return };
        let line = format!("{tag} {id} {at}\n");
        let mut file = log.lock().unwrap_or_else(PoisonError::into_inner);
        // A line that is missing shows as a lost job, so that nothing is hidden.
        let _ = file.write_all(line.as_bytes());
    }

    /// How many different toys have started.
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Waits until `count` different toys have started. Fails when nothing moves for `patience`.
    pub(super) async fn wait(&self, count: u64, patience: Duration) -> anyhow::Result<()> {
        let (mut before, mut moved) = (self.seen(), Instant::now());
        loop {
            let seen = self.seen();
            if seen >= count {
                return Ok(());
            }
            if seen > before {
                (before, moved) = (seen, Instant::now());
            }
            anyhow::ensure!(
                moved.elapsed() < patience,
                "stuck: {seen} of {count} jobs have started"
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// When toy `id` first started; zero when it did not.
    pub(super) fn at(&self, id: u64) -> u64 {
        let start = usize::try_from(id).ok().and_then(|at| self.starts.get(at));
        start.map_or(0, |start| start.at.load(Ordering::Acquire))
    }

    /// The starts in order of time.
    pub(super) fn times(&self) -> Vec<u64> {
        let mut times: Vec<u64> = self
            .starts
            .iter()
            .map(|start| start.at.load(Ordering::Acquire))
            .filter(|at| *at > 0)
            .collect();
        times.sort_unstable();
        times
    }

    /// Proves that every toy started once and nothing else did.
    pub(super) fn exact(&self) -> anyhow::Result<Value> {
        let of = |times: u32| {
            let starts = self.starts.iter();
            starts
                .filter(|start| start.times.load(Ordering::Acquire) == times)
                .count()
        };
        let (all, lost, once) = (self.starts.len(), of(0), of(1));
        let alien = self.alien.load(Ordering::Acquire);
        let twice = all - lost - once;
        anyhow::ensure!(
            lost == 0 && twice == 0 && alien == 0,
            "not exactly once: of {all} jobs {lost} did not run, {twice} ran more than once, {alien} \
             were not ours"
        );
        Ok(json!({ "jobs": all, "ran_once": once, "lost": lost, "ran_twice": twice }))
    }

    /// Proves that nothing started twice; gives the number of those that started.
    pub(super) fn at_most_once(&self) -> anyhow::Result<u64> {
        let twice = self
            .starts
            .iter()
            .filter(|start| start.times.load(Ordering::Acquire) > 1)
            .count();
        anyhow::ensure!(twice == 0, "{twice} jobs ran more than once");
        Ok(self.seen())
    }
}

/// The starts in a log that processes share: toy → times of its starts.
pub(super) fn read_starts(path: &Path) -> anyhow::Result<HashMap<u64, Vec<u64>>> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut starts: HashMap<u64, Vec<u64>> = HashMap::new();
    // A last line without its end is still being written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        let mut words = line.split(' ');
        if words.next() == Some("S") {
            let id = words.next().context("a line without a number")?.parse()?;
            let at = words.next().context("a line without a time")?.parse()?;
            starts.entry(id).or_default().push(at);
        }
    }
    Ok(starts)
}

/// The value below which a share `q` of `sorted` lies.
pub(super) fn percentile(sorted: &[f64], q: f64) -> f64 {
    let at = (q * sorted.len() as f64).ceil() as usize;
    let at = at.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_tells_lost_double_and_foreign_starts() {
        let tally = Tally::new(2);
        tally.started(0);
        assert!(
            tally
                .exact()
                .unwrap_err()
                .to_string()
                .contains("1 did not run")
        );
        tally.started(1);
        assert_eq!(tally.exact().unwrap()["ran_once"], 2);
        tally.started(1);
        assert!(
            tally
                .exact()
                .unwrap_err()
                .to_string()
                .contains("1 ran more than once")
        );
        assert!(tally.at_most_once().is_err());
        let tally = Tally::new(0);
        tally.started(7);
        assert!(
            tally
                .exact()
                .unwrap_err()
                .to_string()
                .contains("1 were not ours")
        );
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(percentile(&sorted, 0.5), 2.0);
        assert_eq!(percentile(&sorted, 0.99), 4.0);
        assert_eq!(percentile(&sorted, 0.0), 1.0);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
