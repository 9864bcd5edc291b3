//! Statements that do not wait for the disk.
//!
//! A commit that waits for the disk survives a power cut. One that does not may be undone by it, as
//! if it had never been made, together with everything that came after it and did not wait either:
//! the write-ahead log is one sequence, so that the next commit that waits makes all earlier ones
//! durable too. The death of a process undoes neither.
//!
//! The server of PostgreSQL may lose power while our processes live on and believe what it forgot:
//! what is written so must tell the forgotten from the new.

use sea_orm::{
    DbErr, QueryResult, RuntimeErr, Value,
    sqlx::{AssertSqlSafe, Database, Encode, Error, Sqlite, SqlitePool, Type, query, query::Query},
};

/// PostgreSQL asks its setting when it commits, so that one statement can change it for itself: the
/// change ends with the statement's own transaction.
pub(super) const ON_POSTGRES: &str =
    "unsynced AS (SELECT set_config('synchronous_commit', 'off', true))";

/// SQLite is told by a pragma before the statement: see [`all`].
pub(super) const ON_SQLITE: &str = "unsynced AS (SELECT 1)";

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
    match bound::<Sqlite>(sql, values)?.fetch_all(&mut *writer).await {
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

/// A statement with its values.
pub(super) fn bound<DB: Database>(
    sql: String,
    values: Vec<Value>,
) -> Result<Query<'static, DB, DB::Arguments>, DbErr>
where
    for<'v> Option<String>: Encode<'v, DB> + Type<DB>,
    for<'v> Option<i64>: Encode<'v, DB> + Type<DB>,
{
    let mut bound = query(AssertSqlSafe(sql));
    for value in values {
        bound = match value {
            Value::String(text) => bound.bind(text),
            Value::BigInt(number) => bound.bind(number),
            // It may be secret, so that it is not shown.
            _ => {
                let text = "only texts and numbers can be bound to a statement that does not wait";
                return Err(DbErr::Custom(text.to_owned()));
            }
        };
    }
    Ok(bound)
}

pub(super) fn failed(error: Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};

    use crate::db::Db;

    /// What the connection that writes does at a commit: 2 is FULL, 1 is NORMAL.
    async fn waits(db: &Db) -> i32 {
        let sql = "PRAGMA synchronous";
        let asked = Statement::from_string(DatabaseBackend::Sqlite, sql);
        let row = db.write().query_one_raw(asked).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    #[tokio::test]
    async fn whatever_comes_after_it_waits_for_the_disk_again() {
        let place = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/db", place.path().display());
        let db = Db::connect(&url, 1).await.unwrap();
        let run = |sql: &str, value: i64| db.write_unsynced(sql.to_owned(), vec![value.into()]);
        let made = "CREATE TABLE t (n integer UNIQUE)";
        db.write().execute_unprepared(made).await.unwrap();
        let insert = "INSERT INTO t VALUES ($1) RETURNING n";
        let rows = run(insert, 5).await.unwrap();
        assert_eq!(rows[0].try_get_by_index::<i64>(0).unwrap(), 5);
        assert_eq!(waits(&db).await, 2);
        assert!(run(insert, 5).await.is_err());
        assert_eq!(waits(&db).await, 2);
        assert!(run("no statement at all", 5).await.is_err());
        assert_eq!(waits(&db).await, 2);
    }
}
