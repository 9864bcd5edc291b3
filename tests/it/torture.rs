//! Short seeded tortures on both stacks, by the command that its users run.
//!
//! Each seed is a round: three posts, two faults, everybody healed, the simulator's ledger asked. A
//! round that fails prints its plan and where everything is kept; its seed makes the same plan again.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use tokio::time::Instant;

/// Rounds of one process; its daemons and servers live through all of them.
const ROUNDS: u64 = 26;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_rounds_lose_nothing_and_post_nothing_twice() {
    let servers = [
        "--db",
        "postgres",
        "--transport",
        "redis",
        "--processes",
        "2",
    ];
    let embedded: [&str; 0] = [];
    // Most of a round is waiting, so four processes do not take much longer than one.
    tokio::join!(
        torture(1, &embedded),
        torture(101, &embedded),
        torture(201, &servers),
        torture(301, &servers),
    );
}

async fn torture(seed: u64, stack: &[&str]) {
    let started = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clipqueue"));
    command
        .args(["torture", "--json", "--seed", &seed.to_string()])
        .args(["--runs", &ROUNDS.to_string()])
        .args(stack)
        .env_clear()
        .stdin(Stdio::null());
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let says = String::from_utf8_lossy(&output.stderr);
    let result = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{result}\n{says}");
    let tally: serde_json::Value = serde_json::from_str(result.trim()).unwrap();
    println!(
        "{stack:?}, {} s: {}",
        started.elapsed().as_secs(),
        result.trim()
    );
    // A torture that does nothing proves nothing.
    assert_eq!(tally["rounds"], ROUNDS, "{tally}");
    assert_eq!(tally["accepted"], ROUNDS * 3, "{tally}");
    let faults = tally["faults"].as_object().unwrap().values();
    let faults: u64 = faults.map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(faults, ROUNDS * 2, "{tally}");
    assert_eq!(tally["reread"], ROUNDS * 3, "{tally}");
    for nothing in [
        "lost",
        "twice",
        "early",
        "unexplained",
        "rules",
        "refused",
        "needless",
        "unsettled",
    ] {
        assert_eq!(tally[nothing], 0, "{tally}");
    }
    everything_went_wrong(stack, &tally);
    let reached = |state: &str| tally["ended"][state].as_u64().unwrap_or_default();
    let good = reached("PUBLISHED") + reached("IN_INBOX");
    assert!(good >= ROUNDS * 2, "hardly a post went well: {tally}");
}

/// Every kind of fault that the stack has occurred. A disk that is full needs one that we may mount.
fn everything_went_wrong(stack: &[&str], tally: &serde_json::Value) {
    let occurred: BTreeSet<&str> = tally["faults"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let left_out: BTreeSet<&str> = tally["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let of_servers = ["RedisRestart", "Flushall", "Maxmemory", "DbRestart"];
    let everywhere = [
        "Kill",
        "Stop",
        "Cut",
        "Delay",
        "HalfOpen",
        "Clock",
        "Pause",
        "Sim",
        "SimConfig",
    ];
    let expected: BTreeSet<&str> = if stack.is_empty() {
        everywhere.into()
    } else {
        everywhere.into_iter().chain(of_servers).collect()
    };
    println!("left out: {left_out:?}");
    let certain: BTreeSet<&str> = occurred
        .iter()
        .copied()
        .filter(|kind| *kind != "DiskFull")
        .collect();
    assert_eq!(certain, expected, "{tally}");
    assert_ne!(
        occurred.contains("DiskFull"),
        left_out.contains("DiskFull"),
        "a full disk is neither made nor named as left out: {tally}"
    );
}
