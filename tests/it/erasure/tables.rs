//! No table with somebody's data escapes: each is deleted from, or it is said here why it stays.

use std::collections::BTreeSet;

use clipqueue::domain::erasure::OWNED;
use sea_orm::{ConnectionTrait as _, Statement};

use crate::support::app::{Stack, TestApp};

/// Columns that lead to somebody.
const LEADING: &[&str] = &[
    "user_id",
    "account_id",
    "post_id",
    "media_id",
    "attempt_id",
    "key_id",
    "open_id",
    "lane",
    "subject",
    "job_id",
    "subscription_id",
];

/// Tables with such a column that are not deleted from by it, and what happens instead.
const OTHERWISE: &[(&str, &str)] = &[
    ("jobs", "deleted by their lane, which is the account"),
    ("job_attempts", "deleted with their job"),
    (
        "cron_slots",
        "when the product's own jobs run; about nobody",
    ),
    (
        "budget_marks",
        "deleted by their subject, which is the account",
    ),
    ("audit_log", "acts of operators stay, without the names"),
    ("erasures", "the row forgets whom it was about when it ends"),
];

#[tokio::test]
async fn every_table_that_leads_to_somebody_is_known_to_the_eraser() {
    let t = TestApp::start(Stack::Embedded).await;
    let sql = "SELECT m.name AS t, p.name AS c FROM sqlite_master m JOIN pragma_table_info(m.name) p \
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let statement = Statement::from_string(t.app.db.backend(), sql);
    let rows = t.app.db.read().query_all_raw(statement).await.unwrap();
    assert!(rows.len() > 100);
    let leading: BTreeSet<String> = rows
        .iter()
        .filter(|row| {
            let column: String = row.try_get("", "c").unwrap();
            LEADING.contains(&column.as_str())
        })
        .map(|row| row.try_get("", "t").unwrap())
        .collect();
    let owned: BTreeSet<&str> = OWNED.iter().map(|owned| owned.table).collect();
    for table in &leading {
        let known =
            owned.contains(table.as_str()) || OTHERWISE.iter().any(|(name, _)| name == table);
        assert!(
            known,
            "{table} leads to somebody: give it a line in OWNED of src/domain/erasure/rows.rs, or say \
             here what happens to it instead"
        );
    }
    for (table, _) in OTHERWISE {
        assert!(leading.contains(*table), "{table} needs no excuse");
    }
}
