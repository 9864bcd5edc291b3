//! The commands about what is kept: the plan of what would go, and the record of operators' acts.

use clipqueue::domain::retention;

use super::Installation;

#[tokio::test]
async fn the_plan_and_the_record_of_acts_are_told_by_commands() {
    let home = Installation::new();
    home.run(&["key", "create", "--user", "ada"]).await.good();
    let plan = home.run(&["retention", "plan", "--objects"]).await.good();
    for rule in [
        "finished_jobs",
        "media",
        "stray_objects",
        "lost_files",
        "exports",
    ] {
        let line = plan
            .lines()
            .find(|line| line.starts_with(&format!("{rule} ")));
        let line = line.unwrap_or_else(|| panic!("{rule} is missing in {plan}"));
        assert_eq!(line.split_whitespace().nth(1), Some("0"), "{line}");
    }
    assert!(plan.contains("plans.*.media_retention"), "{plan}");

    let pruned = home.run(&["retention", "prune"]).await.good();
    for due in retention::RULES {
        let line = pruned.lines().find(|line| line.starts_with(due.name));
        assert!(line.is_some(), "{} is missing in {pruned}", due.name);
    }

    let verified = home.run(&["audit", "verify"]).await.good();
    assert!(verified.contains("0 entries"), "{verified}");
    let file = home.path("audit.jsonl").display().to_string();
    let head = home.run(&["audit", "export", &file]).await.good();
    assert!(head.starts_with("0:0000"), "{head}");
    let head = head.trim();
    home.run(&["audit", "verify", "--head", head]).await.good();
    home.run(&["audit", "verify", "--export", &file, "--head", head])
        .await
        .good();
    // An act that was exported elsewhere and is not here.
    let known = format!("7:{}", "a".repeat(64));
    let answer = home.run(&["audit", "verify", "--head", &known]).await;
    assert!(!answer.status.success());
    assert!(answer.out.contains("is there no more"), "{}", answer.out);
}
