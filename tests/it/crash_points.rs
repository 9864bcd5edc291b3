//! Each call to TikTok and each commit on the way of a post is a point at which a test lets the process
//! die; what is no such point is listed with the reason.

mod below;

use std::collections::BTreeSet;

use crate::architecture::{none, sources};

/// Files of the domain and the workers that write for something other than a post, a poll or a token,
/// each with what that is.
const OTHER_WRITES: &[(&str, &str)] = &[
    ("src/domain/api_keys.rs", "keys and users"),
    ("src/domain/audit.rs", "acts that were refused"),
    (
        "src/domain/audit/chain.rs",
        "entries that the next start takes into the chain",
    ),
    (
        "src/domain/billing/clock.rs",
        "letters, one a cause; the next sweep repeats it",
    ),
    (
        "src/domain/billing/link.rs",
        "a code, which a person asks for again",
    ),
    (
        "src/domain/billing/mod.rs",
        "an event of PayPal's, which is repeated until it is answered, and counts once",
    ),
    (
        "src/domain/bulk/ended.rs",
        "acts whose job is over; the next sweep repeats it",
    ),
    (
        "src/domain/bulk/mod.rs",
        "operators' acts, which a person repeats",
    ),
    (
        "src/domain/bulk/run.rs",
        "batches with their own place; repeated from there",
    ),
    (
        "src/domain/canaries.rs",
        "a reading, which the next replaces",
    ),
    (
        "src/domain/connect/account.rs",
        "the creator's consent, which a person repeats",
    ),
    (
        "src/domain/connect/pending.rs",
        "a consent under way, which a person begins again",
    ),
    (
        "src/domain/counters/plans.rs",
        "times that the next plan writes anew",
    ),
    (
        "src/domain/counters/reading.rs",
        "readings with their own place; repeated from there",
    ),
    (
        "src/domain/counters/roll_up.rs",
        "batches that the next run repeats",
    ),
    (
        "src/domain/deletions/clock.rs",
        "reminders and ends with their letters, together; the next sweep repeats them",
    ),
    (
        "src/domain/deletions/look.rs",
        "when a profile was looked at",
    ),
    (
        "src/domain/deletions/mod.rs",
        "a request, which a person repeats under the same key",
    ),
    (
        "src/domain/drift/mod.rs",
        "a report, which the next run repeats",
    ),
    (
        "src/domain/console_sessions.rs",
        "operators' sessions, which a person repeats",
    ),
    (
        "src/domain/single_sign_on/identity.rs",
        "operators who sign in at a provider, which a person repeats",
    ),
    (
        "src/domain/single_sign_on/pending.rs",
        "a sign-in under way, which a person begins again",
    ),
    (
        "src/domain/roles/mod.rs",
        "operators' roles, which a person gives again",
    ),
    (
        "src/domain/user_sessions.rs",
        "users' sessions, which a person repeats",
    ),
    (
        "src/domain/exports/mod.rs",
        "exports, which are begun anew; until the end is on record nothing counts",
    ),
    ("src/domain/imports/sweep.rs", "what the next sweep repeats"),
    ("src/domain/key_canary.rs", "the first start"),
    (
        "src/domain/key_rotation.rs",
        "a key, which a person asks for again",
    ),
    (
        "src/domain/library/folders.rs",
        "folders, which a person moves again",
    ),
    (
        "src/domain/library/mod.rs",
        "what is kept about a file, which a person changes again",
    ),
    (
        "src/domain/library/texts.rs",
        "texts, which a person saves again",
    ),
    (
        "src/domain/plans/mod.rs",
        "a plan, which a person gives again",
    ),
    (
        "src/domain/plans/reached.rs",
        "that a limit was reached; the next refusal tells it",
    ),
    (
        "src/domain/mails/mod.rs",
        "how a try to send ended; one that was not written down is made again under the same name",
    ),
    (
        "src/domain/operators.rs",
        "operators' acts, which a person repeats",
    ),
    (
        "src/domain/retention/evidence.rs",
        "emptying what is old; the next run goes on",
    ),
    (
        "src/domain/retention/media.rs",
        "ending a file; the sweep removes its bytes",
    ),
    (
        "src/domain/retention/rows.rs",
        "deleting what is old; the next run goes on",
    ),
    ("src/domain/retention/tally.rs", "counts of what went"),
    (
        "src/domain/sources/check.rs",
        "a look for a proof, which the next repeats",
    ),
    (
        "src/domain/sources/mod.rs",
        "sources, which a person names again",
    ),
    ("src/domain/uploads.rs", "announcing a file"),
    (
        "src/domain/webhooks/deliver.rs",
        "a try to deliver; one that was not written down is made again under the same id",
    ),
    (
        "src/domain/webhooks/follow.rs",
        "deliveries with the cursor that they move; repeated from there",
    ),
    (
        "src/domain/webhooks/mod.rs",
        "endpoints, which a person changes again",
    ),
    (
        "src/domain/webhooks/replay.rs",
        "deliveries that a person asks for again",
    ),
    (
        "src/domain/webhooks/sweep.rs",
        "what the next sweep repeats",
    ),
];

#[test]
fn every_commit_on_the_way_of_a_post_has_its_crash_points() {
    let mut broken = Vec::new();
    let mut excused = BTreeSet::new();
    for source in sources(&["src/domain", "src/workers"]) {
        let code = source.code();
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let bare_commit = line.contains(".commit()");
            // A statement without a transaction is a commit: it is handed to `crash::write`, here or
            // within the statements that follow it.
            let bare_write = line.contains(".write()")
                && !lines[at..lines.len().min(at + 8)]
                    .iter()
                    .any(|line| line.contains("crash::write("));
            if !bare_commit && !bare_write {
                continue;
            }
            if OTHER_WRITES.iter().any(|(path, _)| *path == source.path) {
                excused.insert(source.path.clone());
                continue;
            }
            broken.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
        }
    }
    none(
        "a commit has no crash points: name it in crash::Commit, go through crash::commit or \
         crash::write, and say in tests/it/end_to_end/crashes which run meets it",
        &broken,
    );
    let listed: BTreeSet<String> = OTHER_WRITES.iter().map(|(p, _)| (*p).to_owned()).collect();
    assert_eq!(
        excused, listed,
        "OTHER_WRITES names a file that needs no excuse"
    );
}

#[test]
fn every_call_to_tiktok_has_its_crash_points() {
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        let code = source.code();
        if code.contains("tiktok::Client") && source.path != "src/remote.rs" {
            broken.push(format!("{} names tiktok::Client", source.path));
        }
    }
    none("calls to TikTok go through crate::remote", &broken);
    // Within it, each method that waits for the client goes between two points.
    let remote = sources(&["src/remote.rs"]).remove(0).code();
    let calls = remote.matches("self.client.").count();
    let points = remote.matches("around(Step::Call(").count();
    // The address of the consent page is no call.
    assert_eq!(calls, points + 1, "a call in src/remote.rs has no points");
}

/// Workers that ask for something elsewhere by other means than an import's, each with why a crash there needs no
/// point.
const OTHER_FETCHES: &[(&str, &str)] = &[
    (
        "src/workers/check_source.rs",
        "a look for a proof, which the next repeats",
    ),
    (
        "src/workers/deliver_webhook.rs",
        "a try to deliver; one that was not written down is made again under the same id",
    ),
];

#[test]
fn every_file_that_is_fetched_has_its_crash_points() {
    let mut broken = Vec::new();
    for source in sources(&["src/domain", "src/workers"]) {
        let code: String = source.code().split_whitespace().collect();
        let ways = ["fetch.get(", "fetch.get_small(", "fetch.post("];
        let fetches: usize = ways.iter().map(|way| code.matches(way).count()).sum();
        let points = code.matches("around(crash::Step::Fetch").count();
        let excused = OTHER_FETCHES.iter().any(|(path, _)| *path == source.path);
        if fetches != points && !excused {
            broken.push(format!(
                "{}: {fetches} fetches, {points} with points",
                source.path
            ));
        }
    }
    none("a file is fetched without crash points", &broken);
}
