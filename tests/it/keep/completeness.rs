//! No table with somebody's rows is forgotten by the export: each is in it, or it is said why it is not.
//! And no sealed bytes are.

use std::collections::{BTreeMap, BTreeSet};

use clipqueue::domain::{
    erasure::OWNED,
    exports::parts::{OTHERWISE, PARTS},
};
use sea_orm::{ConnectionTrait as _, Statement};

use crate::support::app::{Stack, TestApp};

/// Columns that lead to somebody.
const LEADING: &[&str] = &[
    "user_id",
    "account_id",
    "post_id",
    "media_id",
    "lane",
    "job_id",
    "subscription_id",
];

/// Every table with its columns and their types.
async fn tables(t: &TestApp) -> BTreeMap<String, BTreeMap<String, String>> {
    let sql = "SELECT m.name AS t, p.name AS c, p.type AS k FROM sqlite_master m \
               JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let statement = Statement::from_string(t.app.db.backend(), sql);
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in t.app.db.read().query_all_raw(statement).await.unwrap() {
        let text = |name: &str| -> String { row.try_get("", name).unwrap() };
        tables
            .entry(text("t"))
            .or_default()
            .insert(text("c"), text("k"));
    }
    tables
}

#[tokio::test]
async fn every_table_with_somebodys_rows_is_exported_or_said_not_to_be() {
    let t = TestApp::start(Stack::Embedded).await;
    let tables = tables(&t).await;
    let held: BTreeSet<&str> = PARTS.iter().map(|part| part.table).collect();
    let otherwise: BTreeSet<&str> = OTHERWISE.iter().map(|(table, _)| *table).collect();
    assert!(held.is_disjoint(&otherwise), "a table is in both lists");
    let owned = OWNED.iter().map(|owned| owned.table.to_owned());
    let leading = tables
        .iter()
        .filter(|(_, columns)| LEADING.iter().any(|name| columns.contains_key(*name)))
        .map(|(table, _)| table.clone());
    let theirs: BTreeSet<String> = owned.chain(leading).collect();
    assert!(theirs.len() > 20);
    for table in &theirs {
        assert!(
            held.contains(table.as_str()) || otherwise.contains(table.as_str()),
            "{table} holds rows of somebody: give it a line in PARTS of src/domain/exports/parts.rs, or say \
             in OTHERWISE why it is not exported"
        );
    }
    for (table, reason) in OTHERWISE {
        assert!(tables.contains_key(*table), "{table} is no table");
        assert!(reason.len() > 20, "{table} has no reason");
    }
    for part in PARTS {
        let columns = &tables[part.table];
        for omitted in part.omit {
            assert!(columns.contains_key(*omitted), "{}.{omitted}", part.table);
        }
        // Bytes are sealed values and keyed hashes.
        for (column, kind) in columns {
            let is_bytes = kind.to_lowercase().contains("blob");
            assert!(
                !is_bytes || part.omit.contains(&column.as_str()),
                "{}.{column} would leave",
                part.table
            );
        }
    }
}
