//! What stays of everybody together when somebody has left: no row of theirs, no name, and no count of few.

use std::collections::{BTreeMap, BTreeSet};

use clipqueue::domain::{
    erasure::{self, OWNED},
    retention::{self, FEW},
};
use clipqueue_entities::retention_day;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ConnectionTrait as _, EntityTrait as _, Statement,
};

use super::{CAPTION, CREATOR, counts};
use crate::support::{
    app::{Stack, TestApp},
    flows::DAY,
};

crate::on_both_stacks_by_hand!(only_counts_of_many_stay_and_they_name_nobody);

/// Tables in which rows may be left when everybody has left, and what they are.
const REMAINING: &[(&str, &str)] = &[
    ("audit_head", "where the chain of operators' acts stands"),
    ("audit_log", "operators' acts, without names"),
    ("billing_events", "keyed hashes of events, for 90 days"),
    (
        "billing_records",
        "for accounting, sealed, as the receipt says",
    ),
    ("budget_marks", "caps of the app"),
    ("canaries", "whether queues run"),
    ("cron_slots", "when the product's own jobs run"),
    ("deletion_requests", "that there was one, for 30 days"),
    ("drift_reports", "counts of what was mended, for 30 days"),
    ("erasure_steps", "with the receipt"),
    ("erasures", "the receipt"),
    ("job_attempts", "of the product's own jobs"),
    ("jobs", "the product's own"),
    ("master_keys", "names of keys"),
    (
        "operator_sign_ins",
        "operators who are at the provider, for ten minutes",
    ),
    ("queue_controls", "which queues are paused"),
    ("receipt_keys", "public keys"),
    (
        "retention_days",
        "AGGREGATE: how much a rule removed on a day",
    ),
    ("retention_walks", "where walks over the store stand"),
    ("seaql_migrations", "the schema's history"),
    ("tombstones", "keyed hashes, as the receipt says"),
];

/// The columns of each table.
async fn columns(t: &TestApp) -> BTreeMap<String, BTreeSet<String>> {
    let sql = match t.app.db.backend() {
        sea_orm::DatabaseBackend::Postgres => {
            "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns \
             WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT m.name AS t, p.name AS c FROM sqlite_master m JOIN pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        }
    };
    let statement = Statement::from_string(t.app.db.backend(), sql);
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in t.app.db.read().query_all_raw(statement).await.unwrap() {
        let text = |name: &str| -> String { row.try_get("", name).unwrap() };
        tables.entry(text("t")).or_default().insert(text("c"));
    }
    tables
}

async fn rows(t: &TestApp, table: &str) -> i64 {
    let sql = format!("SELECT count(*) AS n FROM {table}");
    let statement = Statement::from_string(t.app.db.backend(), sql);
    let row = t.app.db.read().query_one_raw(statement).await.unwrap();
    row.unwrap().try_get("", "n").unwrap()
}

async fn only_counts_of_many_stay_and_they_name_nobody(stack: Stack) {
    let mut t = TestApp::start(stack).await;
    let own = t.connect(CREATOR).await;
    t.busy_account(&own).await;
    let day = |ago: u32| {
        let at = (t.clock.now() - DAY * ago).as_millis();
        clipqueue_entities::Timestamp::from_millis(at - at.rem_euclid(86_400_000))
    };
    // One file of one creator, and events of thousands.
    for (ago, rule, removed) in [(1, "media", 1), (2, "media", FEW), (3, "events", 5_000)] {
        retention_day::ActiveModel {
            day: Set(day(ago)),
            rule: Set(rule.to_owned()),
            removed: Set(removed),
        }
        .insert(t.app.db.write())
        .await
        .unwrap();
    }
    let names = t.known_by(t.actor.user_id, None, &[CAPTION, CREATOR]).await;
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    t.assert_gone(&names, &status).await;

    // Nothing of the only user is left, and of every other table it is said here what it is.
    let tables = columns(&t).await;
    let owned: BTreeSet<&str> = OWNED.iter().map(|owned| owned.table).collect();
    for table in tables.keys() {
        if owned.contains(table.as_str()) {
            assert_eq!(rows(&t, table).await, 0, "{table}");
        } else {
            assert!(
                REMAINING.iter().any(|(name, _)| name == table),
                "say what stays in {table} when everybody has left"
            );
        }
    }
    // The counts have a day, a rule and a number, and none is of few.
    let aggregates: Vec<&str> = REMAINING
        .iter()
        .filter(|(_, what)| what.starts_with("AGGREGATE"))
        .map(|(table, _)| *table)
        .collect();
    assert_eq!(aggregates, ["retention_days"]);
    let known = ["day", "removed", "rule"].map(str::to_owned);
    assert_eq!(tables["retention_days"], BTreeSet::from(known));
    let left = retention_day::Entity::find()
        .all(t.app.db.read())
        .await
        .unwrap();
    let rules: BTreeSet<&str> = retention::RULES.iter().map(|rule| rule.name).collect();
    assert!(left.iter().all(|row| rules.contains(row.rule.as_str())));
    let mut numbers: Vec<i64> = left.iter().map(|row| row.removed).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [FEW, 5_000]);
    assert_eq!(counts(&status, "delete_rows")["small_counts"], 1);
}
