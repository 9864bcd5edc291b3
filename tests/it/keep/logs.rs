//! Log files: deleted by their day, searched like everything else.

use std::{fs, path::Path};

use chrono::{DateTime, Utc};
use clipqueue::{
    domain::{
        erasure::search::{self, Needle},
        retention::{self, Depth},
    },
    telemetry,
};
use serde_json::json;

use crate::support::{
    app::{Stack, TestApp},
    flows::DAY,
};

crate::on_both_stacks_by_hand!(log_files_go_after_ninety_days_and_are_searched_until_then);

/// The log of the day that is so many days ago.
fn write(t: &TestApp, directory: &Path, days: u32, text: &str) -> String {
    let at = t.clock.now() - DAY * days;
    let day: DateTime<Utc> = DateTime::from_timestamp_millis(at.as_millis()).unwrap();
    let name = format!("clipqueue.{}.log", day.format("%Y-%m-%d"));
    fs::write(directory.join(&name), format!("{text}\n")).unwrap();
    name
}

async fn log_files_go_after_ninety_days_and_are_searched_until_then(stack: Stack) {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("logs");
    let setting = directory.display().to_string();
    let t = TestApp::start_with(stack, &[("log.directory", &setting)]).await;
    // No log was written yet.
    let plan = retention::plan(&t.app, Depth::Rows).await.unwrap();
    let due = |plan: &[retention::Due]| {
        let rule = plan.iter().find(|due| due.rule.name == "technical_logs");
        rule.unwrap().due
    };
    assert_eq!(due(&plan).count, 0);
    fs::create_dir(&directory).unwrap();
    let id = t.actor.user_id.to_string();
    write(&t, &directory, 200, "old");
    write(&t, &directory, 92, "old");
    let last = write(&t, &directory, 89, "the handle zelda.quixote");
    let today = write(&t, &directory, 0, &id);
    fs::write(directory.join("clipqueue.yesterday.log"), "not ours").unwrap();
    assert_eq!(telemetry::files(&directory).unwrap().len(), 4);

    let plan = retention::plan(&t.app, Depth::Rows).await.unwrap();
    assert_eq!(due(&plan).count, 2);
    assert!(due(&plan).oldest.unwrap() <= t.clock.now() - DAY * 200);
    let pruned = retention::prune(&t.app).await.unwrap();
    assert_eq!(pruned.of("technical_logs"), 2);
    let mut left: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let mut kept = vec!["clipqueue.yesterday.log".to_owned(), last.clone(), today];
    kept.sort();
    assert_eq!(left, kept);

    // An id of ours may be in a log, as receipts say; a name may not.
    let needle = Needle::new([id.clone(), "zelda.quixote".to_owned()]).unwrap();
    let found = search::everywhere(&t.app, &needle).await.unwrap();
    let receipt = json!({ "stays": [{ "places": ["log:"] }] });
    let (named, strays) = search::judge(found.findings(), Some(&receipt));
    assert!(
        named
            .iter()
            .any(|found| found.place.starts_with("log:") && found.identifier == id)
    );
    let names: Vec<_> = strays
        .iter()
        .filter(|found| found.place.starts_with("log:"))
        .collect();
    assert_eq!(names.len(), 1, "{strays:?}");
    assert!(names[0].place.ends_with(&last), "{names:?}");
}
