//! The database handle: where reads go, where writes go, and how a write transaction begins.
//!
//! SQLite has one writer. Its write pool holds a single connection and its transactions begin
//! IMMEDIATE, so writers queue up here instead of failing with SQLITE_BUSY in the middle of their
//! work. PostgreSQL uses one pool for both. A function that writes inside a transaction takes the
//! transaction, never the handle: asking for a second writer while holding the first would wait for
//! itself.

mod unsynced;
mod writer;

use std::time::Duration;

use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait as _, Database, DatabaseBackend,
    DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel, QueryResult, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

pub use self::writer::Writer;

/// How long a writer waits for its turn.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection to a server that was idle for this long is tried before it is used. It is tried each
/// time that it is given back anyway, so that more would double the calls of a busy process.
const TESTED_AFTER: Duration = Duration::from_secs(1);
/// How long SQLite waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Readers beside the one writer of SQLite.
const SQLITE_READERS: u32 = 4;

/// Connections to one database.
#[derive(Clone, Debug)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// The write-ahead log of a file.
    log: Option<writer::Log>,
}

impl Db {
    /// Connects to `url` (`sqlite:…` or `postgres://…`), making an SQLite file and the directory
    /// around it when they are missing.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, DbErr> {
        if let Some(path) = sqlite_path(url) {
            make_directory(path).map_err(|error| {
                let text = format!("the directory around {path} cannot be made: {error}");
                DbErr::Conn(RuntimeErr::Internal(text))
            })?;
            // The writer comes first: it makes the file and turns WAL on before a reader looks.
            let write = sqlite(url, 1, |options| {
                options.journal_mode(SqliteJournalMode::Wal)
            })
            .await?;
            // The file keeps its mode. A reader that asks for it again, opened at a busy time, could be
            // told that the file is locked.
            let read = sqlite(url, SQLITE_READERS, |options| options).await?;
            let log = writer::Log::open(&write).await?;
            Ok(Self { read, write, log })
        } else {
            let mut options = ConnectOptions::new(url.to_owned());
            options
                .max_connections(max_connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .test_before_acquire_if_idle_for(TESTED_AFTER)
                .sqlx_logging(false)
                .map_sqlx_postgres_opts(|options| {
                    options.application_name("clipqueue").options([
                        ("statement_timeout", "30s"),
                        ("idle_in_transaction_session_timeout", "60s"),
                    ])
                });
            let pool = Database::connect(options).await?;
            Ok(Self {
                read: pool.clone(),
                write: pool,
                log: None,
            })
        }
    }

    /// For statements that only read.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// For a single writing statement that needs no transaction.
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a writing transaction.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let write = self.write.clone();
        // A task of its own always comes to its end. If a caller were dropped in the middle of BEGIN, sqlx
        // would put the connection back into the pool without knowing of the transaction that
        // PostgreSQL had opened on it, and later writes would be neither committed nor visible.
        let begun = tokio::spawn(async move {
            write
                .begin_with_options(TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..Default::default()
                })
                .await
        });
        begun
            .await
            .map_err(|error| DbErr::Custom(format!("BEGIN did not come to its end: {error}")))?
    }

    /// Begins a transaction that sees everything as of one instant and writes nothing.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        // SQLite's transactions see one instant anyway.
        let options = match self.backend() {
            DatabaseBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..Default::default()
            },
            _ => TransactionOptions::default(),
        };
        self.read.begin_with_options(options).await
    }

    /// A `WITH` query, `unsynced`, that a statement of [`Db::write_unsynced`] must have and read from.
    pub fn unsynced(&self) -> &'static str {
        match self.backend() {
            DatabaseBackend::Postgres => unsynced::ON_POSTGRES,
            _ => unsynced::ON_SQLITE,
        }
    }

    /// Runs one writing statement without waiting for the disk, and gives what it returns. A power cut
    /// may undo it, together with what relied on it and did not wait either. The statement reads from
    /// [`Db::unsynced`].
    pub async fn write_unsynced(
        &self,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let write = self.write.clone();
        if self.backend() != DatabaseBackend::Sqlite {
            let statement = Statement::from_sql_and_values(self.backend(), sql, values);
            return write.query_all_raw(statement).await;
        }
        // A task of its own, as in `begin`: it gives the connection back as it was.
        let pool = write.get_sqlite_connection_pool().clone();
        let run = tokio::spawn(async move { unsynced::all(&pool, &sql, values).await });
        run.await
            .map_err(|error| DbErr::Custom(format!("a statement did not end: {error}")))?
    }

    /// Proves that the database answers.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read.execute_unprepared("SELECT 1").await.map(drop)
    }

    /// Which of the two databases this is.
    pub fn backend(&self) -> DatabaseBackend {
        self.write.get_database_backend()
    }

    /// Closes every connection.
    pub async fn close(&self) -> Result<(), DbErr> {
        self.read.close_by_ref().await?;
        self.write.close_by_ref().await
    }
}

/// The path in an SQLite address.
pub fn sqlite_path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?.trim_start_matches("//");
    Some(path.split_once('?').map_or(path, |(path, _)| path))
}

/// SQLite makes its file but not the directory around it.
pub(crate) fn make_directory(path: &str) -> std::io::Result<()> {
    match std::path::Path::new(path).parent() {
        Some(parent) if !parent.as_os_str().is_empty() => std::fs::create_dir_all(parent),
        _ => Ok(()),
    }
}

async fn sqlite(
    url: &str,
    connections: u32,
    more: fn(SqliteConnectOptions) -> SqliteConnectOptions,
) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(connections)
        // None is opened in the middle of work.
        .min_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A file does not hang up.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            more(options)
                .create_if_missing(true)
                // Tokens rotate: a commit that a power cut undoes could cost a creator's grant.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(BUSY_TIMEOUT)
                .foreign_keys(true)
                .optimize_on_close(true, None)
        });
    Database::connect(options).await
}
