//! The migrations against the entities, and SQLite against PostgreSQL.
//!
//! Two databases are made of each kind: one by the migrations, one by what the entities say. Their
//! catalogues must tell the same.

use std::collections::{BTreeMap, BTreeSet};

use clipqueue::{
    db::Db,
    migrate::{self, Direction},
};
use clipqueue_entities as entities;
use sea_orm::{ConnectionTrait as _, DatabaseBackend, EntityTrait, QueryResult, Schema, Statement};
use secrecy::SecretString;

use crate::support::servers;

/// What kind of value a column holds, whatever a database calls it.
type Family = &'static str;

/// One table as its database describes it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    /// Name → family, and whether it may be null.
    columns: BTreeMap<String, (Family, bool)>,
    primary_key: Vec<String>,
    /// Columns that are unique by themselves, the primary key aside.
    unique: BTreeSet<String>,
    /// Named indexes → columns, and whether they are unique.
    indexes: BTreeMap<String, (Vec<String>, bool)>,
}

type Catalogue = BTreeMap<String, Table>;

async fn rows(db: &Db, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(db.backend(), sql);
    db.read().query_all_raw(statement).await.unwrap()
}

fn text(row: &QueryResult, column: &str) -> String {
    row.try_get("", column).unwrap()
}

fn family(declared: &str) -> Family {
    let declared = declared.to_lowercase();
    let word = declared.split('(').next().unwrap().trim();
    match word {
        "varchar" | "text" => "text",
        "bigint" | "int8" => "64 bits",
        "integer" | "int4" => "32 bits",
        "boolean" | "bool" => "boolean",
        "blob" | "varbinary_blob" | "bytea" => "bytes",
        "uuid_text" | "uuid" => "uuid",
        "json_text" | "jsonb_text" | "json" | "jsonb" => "json",
        other => panic!("a column has the unknown type {other}"),
    }
}

/// SQLite's whole numbers all have 64 bits.
fn any_width(family: Family) -> Family {
    match family {
        "64 bits" | "32 bits" => "whole",
        other => other,
    }
}

async fn catalogue(db: &Db) -> Catalogue {
    let mut tables = match db.backend() {
        DatabaseBackend::Sqlite => of_sqlite(db).await,
        _ => of_postgres(db).await,
    };
    tables.remove("seaql_migrations");
    tables
}

async fn of_sqlite(db: &Db) -> Catalogue {
    let mut tables = Catalogue::new();
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    for row in rows(db, names).await {
        let name = text(&row, "name");
        let mut table = Table::default();
        let mut keys = BTreeMap::new();
        for row in rows(db, &format!("SELECT * FROM pragma_table_info('{name}')")).await {
            let column = text(&row, "name");
            let place: i32 = row.try_get("", "pk").unwrap();
            let not_null: i32 = row.try_get("", "notnull").unwrap();
            let kind = any_width(family(&text(&row, "type")));
            table
                .columns
                .insert(column.clone(), (kind, not_null == 0 && place == 0));
            if place > 0 {
                keys.insert(place, column);
            }
        }
        table.primary_key = keys.into_values().collect();
        for row in rows(db, &format!("SELECT * FROM pragma_index_list('{name}')")).await {
            let (index, origin) = (text(&row, "name"), text(&row, "origin"));
            let unique: i32 = row.try_get("", "unique").unwrap();
            let columns: Vec<String> = rows(
                db,
                &format!("SELECT name FROM pragma_index_info('{index}') ORDER BY seqno"),
            )
            .await
            .iter()
            .map(|row| text(row, "name"))
            .collect();
            match origin.as_str() {
                "u" => table.unique.extend(columns),
                "c" => drop(table.indexes.insert(index, (columns, unique == 1))),
                _ => {}
            }
        }
        tables.insert(name, table);
    }
    tables
}

async fn of_postgres(db: &Db) -> Catalogue {
    let mut tables = Catalogue::new();
    let columns = "SELECT table_name::text, column_name::text, udt_name::text, is_nullable::text \
                   FROM information_schema.columns WHERE table_schema = 'public'";
    for row in rows(db, columns).await {
        let table: &mut Table = tables.entry(text(&row, "table_name")).or_default();
        let kind = family(&text(&row, "udt_name"));
        let nullable = text(&row, "is_nullable") == "YES";
        table
            .columns
            .insert(text(&row, "column_name"), (kind, nullable));
    }
    let indexes = "SELECT t.relname::text AS table_name, i.relname::text AS index_name, \
            x.indisprimary, x.indisunique, \
            EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid) AS is_constraint, \
            (SELECT string_agg(a.attname::text, ',' ORDER BY k.n) \
             FROM unnest(x.indkey) WITH ORDINALITY AS k(attnum, n) \
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) AS columns \
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
        JOIN pg_class t ON t.oid = x.indrelid \
        JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = 'public'";
    for row in rows(db, indexes).await {
        let flag = |name: &str| row.try_get::<bool>("", name).unwrap();
        let columns: Vec<String> = text(&row, "columns")
            .split(',')
            .map(str::to_owned)
            .collect();
        let table = tables.get_mut(&text(&row, "table_name")).unwrap();
        if flag("indisprimary") {
            table.primary_key = columns;
        } else if flag("is_constraint") {
            table.unique.extend(columns);
        } else {
            let index = (columns, flag("indisunique"));
            table.indexes.insert(text(&row, "index_name"), index);
        }
    }
    tables
}

/// Makes the tables that the entities describe.
async fn create_from_entities(db: &Db) {
    async fn create<E: EntityTrait>(db: &Db, entity: E) {
        let backend = db.backend();
        let statement = Schema::new(backend).create_table_from_entity(entity);
        db.write().execute(&statement).await.unwrap();
    }
    create(db, entities::account::Entity).await;
    create(db, entities::account_day::Entity).await;
    create(db, entities::account_key::Entity).await;
    create(db, entities::account_token::Entity).await;
    create(db, entities::api_key::Entity).await;
    create(db, entities::attempt_photo::Entity).await;
    create(db, entities::audit_entry::Entity).await;
    create(db, entities::audit_head::Entity).await;
    create(db, entities::billing_event::Entity).await;
    create(db, entities::billing_link::Entity).await;
    create(db, entities::billing_record::Entity).await;
    create(db, entities::budget_mark::Entity).await;
    create(db, entities::bulk_act::Entity).await;
    create(db, entities::canary::Entity).await;
    create(db, entities::console_session::Entity).await;
    create(db, entities::creator_snapshot::Entity).await;
    create(db, entities::cron_slot::Entity).await;
    create(db, entities::data_export::Entity).await;
    create(db, entities::deletion_request::Entity).await;
    create(db, entities::drift_report::Entity).await;
    create(db, entities::erasure::Entity).await;
    create(db, entities::erasure_step::Entity).await;
    create(db, entities::event::Entity).await;
    create(db, entities::evidence::Entity).await;
    create(db, entities::idempotency_key::Entity).await;
    create(db, entities::job::Entity).await;
    create(db, entities::job_attempt::Entity).await;
    create(db, entities::mail::Entity).await;
    create(db, entities::master_key::Entity).await;
    create(db, entities::media::Entity).await;
    create(db, entities::media_import::Entity).await;
    create(db, entities::media_label::Entity).await;
    create(db, entities::media_segment::Entity).await;
    create(db, entities::metric_plan::Entity).await;
    create(db, entities::metric_sample::Entity).await;
    create(db, entities::notice::Entity).await;
    create(db, entities::oauth_state::Entity).await;
    create(db, entities::operator::Entity).await;
    create(db, entities::operator_identity::Entity).await;
    create(db, entities::operator_sign_in::Entity).await;
    create(db, entities::post::Entity).await;
    create(db, entities::post_attempt::Entity).await;
    create(db, entities::post_video::Entity).await;
    create(db, entities::post_photo::Entity).await;
    create(db, entities::queue_control::Entity).await;
    create(db, entities::receipt_key::Entity).await;
    create(db, entities::retention_day::Entity).await;
    create(db, entities::retention_walk::Entity).await;
    create(db, entities::saved_text::Entity).await;
    create(db, entities::subscription::Entity).await;
    create(db, entities::subscription_payment::Entity).await;
    create(db, entities::tombstone::Entity).await;
    create(db, entities::tracked_video::Entity).await;
    create(db, entities::usage_day::Entity).await;
    create(db, entities::user::Entity).await;
    create(db, entities::user_plan::Entity).await;
    create(db, entities::user_session::Entity).await;
    create(db, entities::verified_source::Entity).await;
    create(db, entities::webhook_attempt::Entity).await;
    create(db, entities::webhook_delivery::Entity).await;
    create(db, entities::webhook_endpoint::Entity).await;
}

async fn up(url: &str) {
    migrate::run(&SecretString::from(url), Direction::Up)
        .await
        .unwrap();
}

/// An empty database of each kind, and what keeps it.
async fn two_of_sqlite() -> (tempfile::TempDir, [String; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("sqlite:{}", dir.path().join(name).display());
    let urls = [url("migrated.sqlite"), url("described.sqlite")];
    (dir, urls)
}

async fn migrated_and_described(urls: &[String; 2]) -> (Catalogue, Catalogue) {
    up(&urls[0]).await;
    let migrated = Db::connect(&urls[0], 2).await.unwrap();
    let described = Db::connect(&urls[1], 2).await.unwrap();
    create_from_entities(&described).await;
    (catalogue(&migrated).await, catalogue(&described).await)
}

fn same(migrated: &Catalogue, described: &Catalogue) {
    let names = |catalogue: &Catalogue| catalogue.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(migrated), names(described));
    for (name, table) in migrated {
        let other = &described[name];
        assert_eq!(table.columns, other.columns, "the columns of {name}");
        assert_eq!(
            table.primary_key, other.primary_key,
            "the primary key of {name}"
        );
        assert_eq!(table.unique, other.unique, "the unique columns of {name}");
    }
}

#[tokio::test]
async fn the_entities_tell_what_the_migrations_made_on_sqlite() {
    let (_dir, urls) = two_of_sqlite().await;
    let (migrated, described) = migrated_and_described(&urls).await;
    same(&migrated, &described);
    assert!(migrated.len() > 10);
}

#[tokio::test]
async fn the_entities_tell_what_the_migrations_made_on_postgresql() {
    let server = servers::postgres().await;
    let urls = [server.new_database().await, server.new_database().await];
    let (migrated, described) = migrated_and_described(&urls).await;
    same(&migrated, &described);
}

#[tokio::test]
async fn both_databases_get_the_same_schema() {
    let (_dir, urls) = two_of_sqlite().await;
    let postgres = servers::postgres().await.new_database().await;
    up(&urls[0]).await;
    up(&postgres).await;
    let sqlite = catalogue(&Db::connect(&urls[0], 2).await.unwrap()).await;
    let mut postgres = catalogue(&Db::connect(&postgres, 2).await.unwrap()).await;
    for column in postgres
        .values_mut()
        .flat_map(|table| table.columns.values_mut())
    {
        column.0 = any_width(column.0);
    }
    for (name, table) in &sqlite {
        assert_eq!(Some(table), postgres.get(name), "{name}");
    }
    assert_eq!(sqlite.len(), postgres.len());
}

/// Down to nothing and up again gives the same as up.
async fn there_and_back(url: &str) {
    up(url).await;
    let db = Db::connect(url, 2).await.unwrap();
    let first = catalogue(&db).await;
    assert!(migrate::pending(&db).await.unwrap().is_empty());
    migrate::run(&SecretString::from(url), Direction::Down(1000))
        .await
        .unwrap();
    assert_eq!(catalogue(&db).await, Catalogue::new());
    assert!(!migrate::pending(&db).await.unwrap().is_empty());
    up(url).await;
    assert_eq!(catalogue(&db).await, first);
    // Once more is nothing to do.
    up(url).await;
    assert_eq!(catalogue(&db).await, first);
}

#[tokio::test]
async fn migrations_go_to_zero_and_back_on_sqlite() {
    let (_dir, urls) = two_of_sqlite().await;
    there_and_back(&urls[0]).await;
}

#[tokio::test]
async fn migrations_go_to_zero_and_back_on_postgresql() {
    there_and_back(&servers::postgres().await.new_database().await).await;
}

#[test]
fn every_entity_is_compared() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let this = include_str!("schema_of_database.rs");
    for entry in std::fs::read_dir(root.join("entities/src")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains("table_name = ") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let line = format!("create(db, entities::{name}::Entity).await;");
            assert!(this.contains(&line), "{name} is not compared");
        }
    }
}
