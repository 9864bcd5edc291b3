//! A writer of single statements: one connection while it is busy, and rows that others see before the disk has them.
//!
//! A commit that waits for the disk shows nobody its rows until it has waited. By [`Writer::early`] others see them,
//! and hear of them, while the disk is waited for; whoever wrote them is answered afterwards, as ever. Whatever
//! others make of such rows and wait for takes the rows along, since the write-ahead log is one sequence.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use sea_orm::{
    ConnectionTrait as _, DatabaseBackend, DatabaseConnection, DbErr, QueryResult, RuntimeErr,
    Statement, Value,
    sqlx::{Postgres, pool::PoolConnection},
};

use super::{
    Db,
    unsynced::{bound, failed},
};

/// A commit that waits and changes nothing: PostgreSQL waits only for transactions that wrote to the log.
const WAIT: &str = "SELECT pg_logical_emit_message(true, 'clipqueue', '')";

/// Writes single statements, one after the other.
#[derive(Debug)]
pub struct Writer {
    db: Db,
    /// A connection to PostgreSQL. Given back after each statement it would be tried each time.
    kept: Option<PoolConnection<Postgres>>,
}

impl Writer {
    /// A writer that holds no connection yet.
    pub fn new(db: &Db) -> Self {
        Self {
            db: db.clone(),
            kept: None,
        }
    }

    /// Where it writes.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Gives its connection to others. To be called whenever nothing is left to write for now.
    pub fn rest(&mut self) {
        self.kept = None;
    }

    /// Runs one writing statement and gives what it returns once the disk has it.
    pub async fn all(
        &mut self,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        match self.db.backend() {
            DatabaseBackend::Postgres => self.run(sql, values).await,
            backend => {
                let statement = Statement::from_sql_and_values(backend, sql, values);
                self.db.write().query_all_raw(statement).await
            }
        }
    }

    /// As [`Writer::all`], and shows what the statement returns to `seen` as soon as others see its rows. The
    /// statement reads from [`Db::unsynced`].
    ///
    /// After an error nobody knows what became of it, as with any commit that was not answered.
    pub async fn early(
        &mut self,
        sql: String,
        values: Vec<Value>,
        seen: impl FnOnce(&[QueryResult]),
    ) -> Result<Vec<QueryResult>, DbErr> {
        let rows = match self.db.backend() {
            DatabaseBackend::Postgres => self.run(sql, values).await?,
            _ => self.db.write_unsynced(sql, values).await?,
        };
        seen(&rows);
        // Who was told goes first.
        tokio::task::yield_now().await;
        self.sync().await?;
        Ok(rows)
    }

    /// Waits until the disk has whatever can be seen now.
    pub async fn sync(&mut self) -> Result<(), DbErr> {
        match (self.db.backend(), &self.db.log) {
            (DatabaseBackend::Postgres, _) => self.run(WAIT.to_owned(), Vec::new()).await.map(drop),
            (_, Some(log)) => log.sync().await,
            (_, None) => Ok(()),
        }
    }

    /// Runs a statement on the kept connection. One that failed is not kept.
    async fn run(&mut self, sql: String, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
        let statement = bound::<Postgres>(sql, values)?;
        let mut connection = match self.kept.take() {
            Some(kept) => kept,
            None => {
                let pool = self.db.write.get_postgres_connection_pool();
                let acquired = pool.acquire().await;
                acquired.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?
            }
        };
        let rows = statement
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
        self.kept = Some(connection);
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }
}

/// SQLite's write-ahead log. SQLite holds no locks on this file, so that it may be opened and closed beside it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    path: Arc<Path>,
}

impl Log {
    /// The log of an open database; none when it is not a file. SQLite makes the log before it answers, and deletes it
    /// when its last connection is closed.
    pub(super) async fn open(database: &DatabaseConnection) -> Result<Option<Self>, DbErr> {
        let listed = Statement::from_string(DatabaseBackend::Sqlite, "PRAGMA database_list");
        let row = database.query_one_raw(listed).await?;
        // As SQLite knows it: links are followed, and the address is decoded.
        let file = row.map_or(Ok(None), |row| row.try_get::<Option<String>>("", "file"))?;
        let Some(file) = file.filter(|file| !file.is_empty()) else {
            return Ok(None);
        };
        let path = PathBuf::from(format!("{file}-wal"));
        let log = Self { path: path.into() };
        // The disk is to know that there is such a file, and a file that is not there is to be heard of now.
        log.sync().await?;
        if let Some(directory) = log.path.parent().map(Path::to_owned) {
            on_disk(move || File::open(directory)?.sync_all()).await?;
        }
        Ok(Some(log))
    }

    /// Waits until the disk has everything that was written to it.
    async fn sync(&self) -> Result<(), DbErr> {
        let path = Arc::clone(&self.path);
        on_disk(move || File::open(path)?.sync_data()).await
    }
}

async fn on_disk(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), DbErr> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).flatten().map_err(|error| {
        let text = format!("the write-ahead log does not get to the disk: {error}");
        DbErr::Conn(RuntimeErr::Internal(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_see_the_row_first_and_the_answer_waits_for_the_log() {
        let place = tempfile::tempdir().unwrap();
        // Opened by a link, and by an address that has to be decoded.
        std::os::unix::fs::symlink(place.path().join("db"), place.path().join("a link")).unwrap();
        let url = format!("sqlite://{}/a%20link", place.path().display());
        let db = Db::connect(&url, 1).await.unwrap();
        let made = "CREATE TABLE t (n integer)";
        db.write().execute_unprepared(made).await.unwrap();
        let mut writer = Writer::new(&db);
        let insert = "INSERT INTO t VALUES ($1) RETURNING n".to_owned();
        let mut shown = None;
        let rows = writer.early(insert.clone(), vec![5_i64.into()], |rows| {
            shown = rows[0].try_get_by_index::<i64>(0).ok();
        });
        assert_eq!(rows.await.unwrap().len(), 1);
        assert_eq!(shown, Some(5));
        // The file is gone from its directory: what is written to it would not survive, and nobody is told so.
        std::fs::remove_file(place.path().join("db-wal")).unwrap();
        let mut shown = false;
        let answer = writer.early(insert, vec![6_i64.into()], |_| shown = true);
        assert!(answer.await.is_err());
        assert!(shown);
    }
}
