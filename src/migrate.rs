//! Applies the migrations, one process at a time.
//!
//! sea-orm-migration takes no lock of its own. On PostgreSQL the migrations run on one connection
//! that holds a session-level advisory lock; on SQLite a lock file beside the database is held.

use std::fs::File;

use anyhow::Context as _;
use clipqueue_migration::{Migrator, MigratorTrait as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseBackend, DatabaseConnection, Statement,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::db::{Db, make_directory, sqlite_path};

/// Key of the advisory lock; any constant of our own.
const LOCK: i64 = 0x0043_6c69_7071_7565;

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Apply everything that is pending.
    Up,
    /// Take the newest migrations back, this many.
    Down(u32),
}

/// Moves the schema while holding the lock.
pub async fn run(url: &SecretString, direction: Direction) -> anyhow::Result<()> {
    let url = url.expose_secret();
    if let Some(path) = sqlite_path(url) {
        make_directory(path)
            .with_context(|| format!("making the directory around the database {path}"))?;
        // The file is kept: removing it would let two processes lock two different files.
        let file = File::create(format!("{path}.migrate-lock"))
            .with_context(|| format!("making the lock file beside {path}"))?;
        let file = tokio::task::spawn_blocking(move || file.lock().map(|()| file))
            .await?
            .context("waiting for another process to finish migrating")?;
        let db = Db::connect(url, 1)
            .await
            .context("opening the database; check database.url")?;
        let applied = apply(db.write(), direction).await;
        let closed = db.close().await;
        drop(file);
        applied?;
        return Ok(closed?);
    }
    let mut options = ConnectOptions::new(url.to_owned());
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options)
        .await
        .context("connecting to the database; check database.url")?;
    lock(&connection, "SELECT pg_advisory_lock($1)").await?;
    let applied = apply(&connection, direction).await;
    // The lock ends with the connection in any case; what went wrong before it is told first.
    let unlocked = lock(&connection, "SELECT pg_advisory_unlock($1)").await;
    let closed = connection.close().await;
    applied?;
    unlocked?;
    Ok(closed?)
}

async fn lock(connection: &DatabaseConnection, sql: &str) -> anyhow::Result<()> {
    let statement = Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, [LOCK.into()]);
    connection.execute_raw(statement).await?;
    Ok(())
}

async fn apply(connection: &DatabaseConnection, direction: Direction) -> anyhow::Result<()> {
    match direction {
        Direction::Up => Migrator::up(connection, None).await?,
        Direction::Down(steps) => Migrator::down(connection, Some(steps)).await?,
    }
    Ok(())
}

/// The names of migrations that are not applied; reads only.
pub async fn pending(db: &Db) -> anyhow::Result<Vec<String>> {
    let pending = Migrator::get_pending_migrations_read_only(db.read()).await?;
    Ok(pending
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect())
}
