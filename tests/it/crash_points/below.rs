//! The same for what the queue and the media store write.

use std::collections::BTreeSet;

use crate::architecture::{none, sources};

/// Transactions of the queue and of the media store whose crash is met by something simpler than a point.
const OTHER_COMMITS: &[(&str, &str)] = &[
    (
        "src/media/create.rs",
        "a reservation, which its client asks for again",
    ),
    (
        "src/media/ingest.rs",
        "bytes that the client sends again from the place it is told",
    ),
    ("src/media/erase.rs", "a mark that the next try repeats"),
    ("src/media/sweep.rs", "a mark that the next sweep repeats"),
    (
        "src/queue/schedule.rs",
        "a slot with its job, together or not at all; the next look fires it",
    ),
];

#[test]
fn every_transaction_below_the_domain_has_its_crash_points() {
    let mut broken = Vec::new();
    let mut excused = BTreeSet::new();
    for source in sources(&["src/queue", "src/media"]) {
        for (at, line) in source.code().lines().enumerate() {
            if !line.contains(".commit()") {
                continue;
            }
            if OTHER_COMMITS.iter().any(|(path, _)| *path == source.path) {
                excused.insert(source.path.clone());
                continue;
            }
            broken.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
        }
    }
    none(
        "a transaction has no crash points: go through crash::commit, or say in OTHER_COMMITS why a \
         crash there needs none",
        &broken,
    );
    let listed: BTreeSet<String> = OTHER_COMMITS
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .collect();
    assert_eq!(
        excused, listed,
        "OTHER_COMMITS names a file that needs no excuse"
    );
}

/// Files of the queue with statements that are commits of their own and no crash points, each with why a crash
/// there needs none.
const OTHER_QUEUE_WRITES: &[(&str, &str)] = &[
    (
        "src/queue/audit.rs",
        "rows that get a pointer again; the next audit repeats it",
    ),
    (
        "src/queue/claim.rs",
        "rows whose pointer was refused; the audit finds them",
    ),
    (
        "src/queue/enqueue.rs",
        "jobs that nobody was told of; their caller asks again",
    ),
    (
        "src/queue/heartbeat.rs",
        "a renewal, which a dead process owes nobody",
    ),
    (
        "src/queue/lease.rs",
        "a renewal or progress; the points of what it stands before are met",
    ),
    (
        "src/queue/ledger/prune.rs",
        "deleting what is old; the next run goes on",
    ),
    (
        "src/queue/ledger/release.rs",
        "held jobs that the next look lets go",
    ),
    (
        "src/queue/mod.rs",
        "operators' acts, which a person repeats",
    ),
    (
        "src/queue/relay.rs",
        "rows that fell due and still are; rows without a pointer, which the audit finds",
    ),
    ("src/queue/schedule.rs", "a slot that is noted anew"),
];

#[test]
fn every_statement_of_the_queue_has_its_crash_points() {
    let mut broken = Vec::new();
    let mut excused = BTreeSet::new();
    for source in sources(&["src/queue"]) {
        let code = source.code();
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let writes = [
                "db.write()",
                "db().write()",
                "write_unsynced(",
                "writer.all(",
                "writer.early(",
            ]
            .iter()
            .any(|call| line.contains(call));
            let near = &lines[at.saturating_sub(3)..lines.len().min(at + 8)];
            if !writes || near.iter().any(|line| line.contains("crash::write(")) {
                continue;
            }
            if OTHER_QUEUE_WRITES
                .iter()
                .any(|(path, _)| *path == source.path)
            {
                excused.insert(source.path.clone());
                continue;
            }
            broken.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
        }
    }
    none(
        "a statement has no crash points: go through crash::write, or say in OTHER_QUEUE_WRITES why a crash \
         there needs none",
        &broken,
    );
    let listed = OTHER_QUEUE_WRITES
        .iter()
        .map(|(path, _)| (*path).to_owned());
    assert_eq!(
        excused,
        listed.collect::<BTreeSet<String>>(),
        "OTHER_QUEUE_WRITES names a file that needs no excuse"
    );
}
