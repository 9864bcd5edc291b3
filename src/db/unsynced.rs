//! Statements of SQLite that do not wait for the disk.
//!
//! A commit that waits for the disk survives a power cut. One that does not may be undone by it, as
//! if it had never been made, together with everything that came after it and did not wait either:
//! the write-ahead log is one sequence, so that the next commit that waits makes all earlier ones
//! durable too. The death of a process undoes neither.
//!
//! PostgreSQL has the same switch and it is not used there: its server may lose power while our
//! processes live on and believe what it forgot.

use sea_orm::{
    DbErr, QueryResult, RuntimeErr, Value,
    sqlx::{AssertSqlSafe, Error, SqlitePool, query},
};

/// What every other statement of the connection relies on.
const WAIT: &str = "PRAGMA synchronous = FULL";

/// Runs one statement without waiting for the disk and gives what it returns.
pub(super) async fn all(
    pool: &SqlitePool,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let mut writer = pool
        .acquire()
        .await
        .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
    // One trip to the connection's thread. `WAIT` comes last, and is made up for when it did not.
    let sql = format!("PRAGMA synchronous = NORMAL; {sql}; {WAIT}");
    let mut bound = query(AssertSqlSafe(sql));
    for value in values {
        bound = match value {
            Value::String(text) => bound.bind(text),
            Value::BigInt(number) => bound.bind(number),
            other => {
                let text = format!("{other:?} cannot be bound to a statement that does not wait");
                return Err(DbErr::Custom(text));
            }
        };
    }
    match bound.fetch_all(&mut *writer).await {
        Ok(rows) => Ok(rows.into_iter().map(QueryResult::from).collect()),
        Err(error) => {
            if query(WAIT).execute(&mut *writer).await.is_err() {
                // A new connection waits for the disk as a new one does.
                writer.close_on_drop();
            }
            Err(failed(error))
        }
    }
}

fn failed(error: Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
