//! Many rows in one statement.
//!
//! A batch travels as one JSON parameter and is unfolded by the database. The text of the statement
//! depends on whether there is one row or more, and not on how many more, so that it is parsed once or twice per
//! connection, and no batch meets a limit on parameters.

use clipqueue_entities::{JobId, Timestamp};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, QueryResult, Statement, Value};
use serde::Serialize;

/// The SQL type of a column of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Id,
    Int,
    Text,
    Json,
}

/// A table expression `v(columns…)` over the batch of so many rows in parameter `$1`, for a `WITH` clause.
pub(super) fn unfold(backend: DatabaseBackend, rows: usize, columns: &[(&str, Type)]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, kind)| match (backend, kind) {
            (DatabaseBackend::Postgres, Type::Id) => format!("{name} uuid"),
            (DatabaseBackend::Postgres, Type::Int) => format!("{name} bigint"),
            (DatabaseBackend::Postgres, Type::Text) => format!("{name} text"),
            (DatabaseBackend::Postgres, Type::Json) => format!("{name} jsonb"),
            (_, Type::Id) => format!("unhex(value ->> '{name}', '-') AS {name}"),
            (_, Type::Int | Type::Text) => format!("value ->> '{name}' AS {name}"),
            (_, Type::Json) => format!("value -> '{name}' AS {name}"),
        })
        .collect();
    let columns = columns.join(", ");
    match backend {
        // PostgreSQL takes any set to have a hundred rows, and reads a small table whole rather than a hundred
        // times by its key. Of one row it knows that it is one.
        DatabaseBackend::Postgres if rows == 1 => {
            format!("v AS (SELECT * FROM json_to_record(($1::text)::json -> 0) AS t({columns}))")
        }
        DatabaseBackend::Postgres => {
            format!("v AS (SELECT * FROM json_to_recordset(($1::text)::json) AS t({columns}))")
        }
        _ => format!("v AS (SELECT {columns} FROM json_each($1))"),
    }
}

/// `FOR UPDATE SKIP LOCKED` where writers run beside each other; nothing where there is one.
pub(super) fn skip_locked(backend: DatabaseBackend) -> &'static str {
    match backend {
        DatabaseBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    }
}

/// The first parameter: the batch.
pub(super) fn json<T: Serialize>(rows: &[T]) -> Result<Value, DbErr> {
    serde_json::to_string(rows)
        .map(Value::from)
        .map_err(|error| DbErr::Custom(format!("a batch cannot be written as JSON: {error}")))
}

/// Runs a statement and gives what it returns.
pub(super) async fn all(
    connection: &impl ConnectionTrait,
    sql: String,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.query_all_raw(statement).await
}

/// Runs a statement and gives the number of changed rows.
pub(super) async fn run(
    connection: &impl ConnectionTrait,
    sql: String,
    values: Vec<Value>,
) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    Ok(connection.execute_raw(statement).await?.rows_affected())
}

/// The ids in the column `id`.
pub(super) fn ids(rows: &[QueryResult]) -> Result<Vec<JobId>, DbErr> {
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

pub(super) fn millis(at: Timestamp) -> Value {
    Value::from(at.as_millis())
}
