//! Processor time and monotonic time, as the kernel tells them.

use std::{collections::HashMap, fs};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock, which every process of the machine shares.
pub(super) fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// The fields of a process after its name: state, parent, … .
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

fn ticks(fields: &[String]) -> u64 {
    // utime, stime, and those of children that ended.
    (11..15)
        .filter_map(|at| fields.get(at)?.parse::<u64>().ok())
        .sum()
}

/// Seconds of processor time that these processes and all their descendants have used so far.
pub(super) fn cpu_seconds(roots: &[u32]) -> f64 {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut used: HashMap<u32, u64> = HashMap::new();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in pids {
        let Some(pid) = entry.file_name().to_str().and_then(|pid| pid.parse().ok()) else {
            continue;
        };
        let Some(fields) = fields(pid) else { continue };
        if let Some(parent) = fields.get(1).and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
        used.insert(pid, ticks(&fields));
    }
    let mut waiting = roots.to_vec();
    let mut seen = Vec::new();
    while let Some(pid) = waiting.pop() {
        if seen.contains(&pid) {
            continue;
        }
        seen.push(pid);
        waiting.extend(children.get(&pid).into_iter().flatten());
    }
    let ticks: u64 = seen.iter().filter_map(|pid| used.get(pid)).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}
