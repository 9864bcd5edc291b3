//! `clipqueue bench`: figures with counts, on servers of its own.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn bench(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_clipqueue"))
        .args(["bench", "queue", "--json", "--exit-on-error"])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn report(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

const SMALL: [&str; 10] = [
    "--jobs",
    "120",
    "--concurrency",
    "50",
    "--pickups",
    "3",
    "--due",
    "40",
    "--backlog",
    "900",
];

fn check_cycle(report: &Value) {
    let measures = &report["measures"];
    for name in ["enqueue_1", "enqueue_16", "enqueue_bulk", "drain"] {
        assert!(measures[name]["per_s"].as_f64().unwrap() > 0.0, "{report}");
    }
    assert_eq!(measures["enqueue_bulk"]["rows"], 300);
    assert_eq!(measures["drain"]["exact"]["ran_once"], 300);
    assert_eq!(measures["drain"]["rows_completed"], 300);
    assert_eq!(report["errors"].as_array().unwrap().len(), 0);
}

#[test]
fn the_embedded_stack_is_measured_with_counts() {
    let only = ["--only", "cycle,pickup,due,bytes,backlog"];
    let report = report(&bench(&[&SMALL[..], &only[..]].concat()));
    check_cycle(&report);
    let measures = &report["measures"];
    assert_eq!(measures["pickup"]["jobs"], 3);
    assert_eq!(measures["due"]["exact"]["ran_once"], 40);
    assert!(measures["due"]["p99_ms"].as_f64().unwrap() > -2.0);
    assert!(measures["backlog"]["ratio"].as_f64().unwrap() > 0.0);
    assert!(measures.get("redis_bytes").is_none());
}

#[test]
fn servers_are_started_for_the_measure_and_redis_keeps_nothing_of_what_is_finished() {
    let servers = ["--db", "postgres", "--transport", "redis"];
    let only = ["--only", "cycle,bytes"];
    let report = report(&bench(&[&SMALL[..], &servers[..], &only[..]].concat()));
    check_cycle(&report);
    let bytes = &report["measures"]["redis_bytes"];
    assert!(
        bytes["per_pending_job"].as_f64().unwrap() <= 250.0,
        "{bytes}"
    );
    assert_eq!(bytes["exact"]["ran_once"], bytes["jobs"]);
    // The server's own buffers move a little; a job that left a trace would cost a hundred bytes.
    assert!(
        bytes["per_finished_job"].as_f64().unwrap() < 15.0,
        "{bytes}"
    );
}

#[test]
fn a_measure_that_cannot_be_made_fails_the_command_when_asked() {
    let closed = ["--transport", "redis", "--redis-url", "not an address"];
    let output = bench(&[&closed[..], &["--only", "pickup"]].concat());
    assert!(!output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["errors"].as_array().unwrap().len(), 1);
}

fn counters(db: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_clipqueue"))
        .args(["bench", "metrics", "--json", "--accounts", "3"])
        .args(["--videos", "25", "--db", db])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = report(&output);
    let read = &report["read"];
    // Two pages of each account, and each video once.
    assert_eq!(read["calls"], 6);
    assert_eq!(read["videos"], 75);
    assert_eq!(read["samples"], 75);
    assert!(read["bytes"].as_i64().unwrap() > 0, "{report}");
    let rows: Vec<i64> = report["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|size| size["rows"].as_i64().unwrap())
        .collect();
    assert_eq!(rows, [75, 750, 2250]);
}

#[test]
fn reading_counters_is_measured_with_counts_on_sqlite() {
    counters("sqlite");
}

#[test]
fn reading_counters_is_measured_with_counts_on_postgresql() {
    counters("postgres");
}
