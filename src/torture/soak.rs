//! What a long torture costs: the memory of each daemon and of Redis, looked at every ten seconds, and
//! whether it grows.
//!
//! A process that was just started grows until its caches and pools are full, so its first two minutes
//! are left out. What is compared is the second tenth of the run with the last: for a process that
//! lived through both, its own memory; for daemons that were killed, only processes of about the same
//! age. Redis is compared beyond what the jobs that live may cost, which is what it is for.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

use super::world::World;

/// How often it is looked at.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// How old a process is that has what it needs.
const SETTLED: Duration = Duration::from_secs(120);
/// What a job that lives may take of Redis.
const BYTES_PER_JOB: f64 = 250.0;

/// One look.
#[derive(Clone, Debug)]
struct Sample {
    at: Duration,
    daemons: Vec<Memory>,
    redis: Option<u64>,
    jobs: Option<u64>,
}

/// The memory of one process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) pid: u32,
    pub(super) age: Duration,
    pub(super) bytes: u64,
}

/// A figure at two times.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Change {
    what: String,
    /// The median of the second tenth of the run.
    early: f64,
    /// The median of the last tenth.
    late: f64,
    /// What of the difference cannot be explained, in percent of the first.
    percent: f64,
}

/// All looks of a run.
#[derive(Debug)]
pub(super) struct Soak {
    began: Instant,
    samples: Vec<Sample>,
}

impl Soak {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            samples: Vec::new(),
        }
    }

    /// Looks once. Whoever is away or does not answer is left out.
    pub(super) async fn look(&mut self, world: &World) {
        let redis = match &world.redis {
            // A fault that is going on holds it.
            Some(redis) => match redis.try_lock() {
                Ok(redis) => redis.used_memory().await.ok(),
                Err(_) => None,
            },
            None => None,
        };
        self.samples.push(Sample {
            at: self.began.elapsed(),
            daemons: world.daemons.memory(),
            redis,
            jobs: world.daemons.any().live_jobs().await.ok(),
        });
    }

    /// What changed between the second tenth and the last.
    pub(super) fn changes(&self) -> Vec<Change> {
        let total = self.began.elapsed();
        let early = tenth(&self.samples, total, 1);
        let late = tenth(&self.samples, total, 9);
        changes(&early, &late)
    }
}

fn changes(early: &[&Sample], late: &[&Sample]) -> Vec<Change> {
    let mut changes: Vec<Change> = daemons(early, late)
        .into_iter()
        .filter_map(|(what, early, late)| Change::of(what, early, late, 0.0))
        .collect();
    let jobs = |samples: &[&Sample]| figures(samples, |sample| sample.jobs);
    let redis = |samples: &[&Sample]| figures(samples, |sample| sample.redis);
    if let (Some(before), Some(after)) = (median(jobs(early)), median(jobs(late))) {
        let more = (after - before).max(0.0) * BYTES_PER_JOB;
        let what = "bytes of Redis beyond those of live jobs".to_owned();
        changes.extend(Change::of(what, redis(early), redis(late), more));
        // What lives is no fault: it is shown, and nothing is unexplained.
        changes.push(Change {
            what: "live jobs".to_owned(),
            early: before,
            late: after,
            percent: 0.0,
        });
    }
    changes
}

impl Change {
    fn of(what: String, early: Vec<f64>, late: Vec<f64>, explained: f64) -> Option<Self> {
        let (early, late) = (median(early)?, median(late)?);
        Some(Self {
            what,
            early,
            late,
            percent: (late - early - explained) / early.max(1.0) * 100.0,
        })
    }

    /// Whether it grew by more than `percent`.
    pub(super) fn is_over(&self, percent: f64) -> bool {
        self.percent > percent
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            what,
            early,
            late,
            percent,
        } = self;
        write!(f, "{what}: {early:.0}, then {late:.0} ({percent:+.1} %)")
    }
}

fn tenth(samples: &[Sample], total: Duration, number: u32) -> Vec<&Sample> {
    let from = total * number / 10;
    let to = total * (number + 1) / 10;
    samples
        .iter()
        .filter(|sample| (from..=to).contains(&sample.at))
        .collect()
}

/// Figures of each daemon that can be compared: of a process that is the same, else of an age.
fn daemons(early: &[&Sample], late: &[&Sample]) -> Vec<(String, Vec<f64>, Vec<f64>)> {
    let (before, after) = (
        by(early, |one| u64::from(one.pid)),
        by(late, |one| u64::from(one.pid)),
    );
    let same = join("process", before, after);
    if !same.is_empty() {
        return same;
    }
    // Ages whose logarithms are the same: two to four minutes, four to eight, and so on.
    let age = |one: &Memory| u64::from((one.age.as_secs() / 60).max(1).ilog2());
    join(
        "processes of 2 to the power of minutes",
        by(early, age),
        by(late, age),
    )
}

fn by(samples: &[&Sample], key: impl Fn(&Memory) -> u64) -> BTreeMap<u64, Vec<f64>> {
    let mut groups: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let settled = samples
        .iter()
        .flat_map(|sample| &sample.daemons)
        .filter(|one| one.age >= SETTLED);
    for one in settled {
        groups.entry(key(one)).or_default().push(number(one.bytes));
    }
    groups
}

fn join(
    what: &str,
    early: BTreeMap<u64, Vec<f64>>,
    mut late: BTreeMap<u64, Vec<f64>>,
) -> Vec<(String, Vec<f64>, Vec<f64>)> {
    early
        .into_iter()
        .filter_map(|(key, early)| {
            let name = format!("bytes of memory, {what} {key}");
            Some((name, early, late.remove(&key)?))
        })
        .collect()
}

fn figures(samples: &[&Sample], figure: impl Fn(&Sample) -> Option<u64>) -> Vec<f64> {
    samples
        .iter()
        .filter_map(|sample| figure(sample).map(number))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a process fit")]
fn number(value: u64) -> f64 {
    value as f64
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: u64 = 60;

    /// An hour with a look a minute, each showing what `daemon` and `redis` give for its minute.
    fn hour(daemon: impl Fn(u64) -> Memory, redis: impl Fn(u64) -> (u64, u64)) -> Vec<Change> {
        let samples: Vec<Sample> = (0..MINUTES)
            .map(|minute| Sample {
                at: Duration::from_secs(minute * 60),
                daemons: vec![daemon(minute)],
                redis: Some(redis(minute).0),
                jobs: Some(redis(minute).1),
            })
            .collect();
        let early = tenth(&samples, Duration::from_secs(3_600), 1);
        let late = tenth(&samples, Duration::from_secs(3_600), 9);
        assert!(!early.is_empty() && !late.is_empty());
        changes(&early, &late)
    }

    fn memory(pid: u32, minutes: u64, bytes: u64) -> Memory {
        Memory {
            pid,
            age: Duration::from_secs(minutes * 60),
            bytes,
        }
    }

    #[test]
    fn a_process_that_grows_is_found() {
        let grows = |minute| memory(1, minute, 100_000_000 + minute * 1_000_000);
        let stays = |minute| memory(1, minute, 100_000_000);
        let redis = |_| (1_000_000, 10);
        assert!(hour(grows, redis).iter().any(|change| change.is_over(5.0)));
        assert!(!hour(stays, redis).iter().any(|change| change.is_over(5.0)));
    }

    #[test]
    fn a_process_that_is_young_is_compared_with_a_young_one() {
        // A new process every ten minutes, which is bigger the older it is.
        let young = |minute: u64| {
            let age = minute % 10;
            let pid = u32::try_from(minute / 10).unwrap();
            memory(pid, age, 100_000_000 + age * 10_000_000)
        };
        let changes = hour(young, |_| (1_000_000, 10));
        let compared = changes.iter().filter(|one| one.what.contains("power"));
        assert!(compared.count() > 0, "{changes:?}");
        assert!(
            !changes.iter().any(|change| change.is_over(5.0)),
            "{changes:?}"
        );
    }

    #[test]
    fn redis_may_grow_with_the_jobs_that_live_only() {
        let stays = |minute| memory(1, minute, 100_000_000);
        let with_jobs = |minute| (1_000_000 + minute * 200 * 100, minute * 100);
        let with_history = |minute| (1_000_000 + minute * 200 * 100, 100);
        assert!(
            !hour(stays, with_jobs)
                .iter()
                .any(|change| change.is_over(5.0))
        );
        assert!(
            hour(stays, with_history)
                .iter()
                .any(|change| change.is_over(5.0))
        );
    }
}
