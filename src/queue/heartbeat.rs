//! The heartbeat: renews the leases of living handlers, and tells those whose lease is gone.
//!
//! It runs on a thread and a runtime of its own, on PostgreSQL with a connection of its own, so
//! that handlers that keep the main runtime busy are not taken for dead. One statement renews a
//! whole batch, without waiting for the disk: a power cut that undoes it ends the lease a little early. Leases that the database no longer knows, whose cancellation was asked for, or that
//! could not be renewed in time, fire their token.

use std::{collections::HashMap, time::Duration};

use sea_orm::{
    DatabaseBackend, DatabaseConnection, DbErr, QueryResult, SqlxPostgresConnector, Value,
    sqlx::postgres::PgPoolOptions,
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    batch::{self, Type},
    lease::{Lease, LiveLeases, StopReason},
};
use crate::{clock::Clock, db::Db};
use clipqueue_entities::JobId;

/// How often leases are looked at.
const BEAT: Duration = Duration::from_secs(1);

/// Leases renewed by one statement.
const CHUNK: usize = 500;

/// How long a renewal waits for the connection of its own.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a renewal may take. A database that neither answers nor fails would otherwise keep from
/// handlers that their leases have run out.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the thread. It ends when `stop` fires.
pub(super) fn spawn(
    live: LiveLeases,
    db: Db,
    clock: Clock,
    stop: CancellationToken,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("clipqueue-lease".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = beat(&live, &db, &clock) => {}
                }
            });
        })
}

/// Where renewals are written.
pub(super) struct Writer {
    db: Db,
    /// A connection to PostgreSQL that nothing else uses, bound to this thread's runtime. SQLite has one
    /// writer: the shared pool hands it out in turn, and its statements run on a thread of their own anyway.
    own: Option<DatabaseConnection>,
}

impl Writer {
    /// With a connection of its own, where there are several.
    fn new(db: &Db) -> Self {
        let own = (db.backend() == DatabaseBackend::Postgres).then(|| {
            let options = db.write().get_postgres_connection_pool().connect_options();
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_lazy_with((*options).clone());
            SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
        });
        Self {
            db: db.clone(),
            own,
        }
    }

    /// By the connections of everybody else.
    pub(super) fn shared(db: &Db) -> Self {
        Self {
            db: db.clone(),
            own: None,
        }
    }

    async fn run(&self, sql: String, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
        match &self.own {
            Some(connection) => batch::all(connection, sql, values).await,
            None => self.db.write_unsynced(sql, values).await,
        }
    }
}

async fn beat(live: &LiveLeases, db: &Db, clock: &Clock) {
    let mut writer = Writer::new(db);
    loop {
        clock.sleep(BEAT).await;
        if !renew(live, &writer, clock).await {
            // A connection whose peer has vanished would keep its pool of one until TCP gives up.
            writer = Writer::new(db);
        }
    }
}

/// Renews every lease that was not renewed within the last half of a beat: a rescuer whose clock is ahead finds each of them expired, but
/// none unchanged. False when the database did not do it.
pub(super) async fn renew(live: &LiveLeases, writer: &Writer, clock: &Clock) -> bool {
    let now = clock.now();
    let mut old: Vec<Lease> = live
        .all()
        .into_iter()
        .filter(|lease| {
            // Further off than its length it is after a step back of the clock, by which others may have it expired.
            let left = lease.believed_until().since(now);
            !lease.has_ended() && (left + BEAT / 2 <= lease.length() || left > lease.length())
        })
        .collect();
    // In the order in which settlements and rescues lock rows.
    old.sort_unstable_by_key(|lease| lease.job().0);
    for leases in old.chunks(CHUNK) {
        let renewal = renew_batch(leases, writer, clock);
        let error = match tokio::time::timeout(RENEWAL_TIMEOUT, renewal).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the database does not answer".to_owned()),
        };
        match error {
            None => {}
            Some(error) => {
                tracing::warn!(error, leases = leases.len(), "leases could not be renewed");
                let now = clock.now();
                for lease in &old {
                    if lease.believed_until() <= now {
                        lease.stop(StopReason::Lost);
                    }
                }
                return false;
            }
        }
    }
    true
}

#[derive(Serialize)]
struct Row {
    id: JobId,
    fence: i64,
    lease_until: i64,
}

async fn renew_batch(leases: &[Lease], writer: &Writer, clock: &Clock) -> Result<(), DbErr> {
    let now = clock.now();
    let rows: Vec<Row> = leases
        .iter()
        .map(|lease| Row {
            id: lease.job(),
            fence: lease.fence(),
            lease_until: (now + lease.length()).as_millis(),
        })
        .collect();
    let v = batch::unfold(
        writer.db.backend(),
        rows.len(),
        &[
            ("id", Type::Id),
            ("fence", Type::Int),
            ("lease_until", Type::Int),
        ],
    );
    let sql = format!(
        "WITH {v}, {} UPDATE jobs SET lease_until = v.lease_until FROM v, unsynced \
         WHERE jobs.id = v.id AND jobs.fence = v.fence AND jobs.state = 'running' \
         RETURNING jobs.id, cancel_requested",
        writer.db.unsynced()
    );
    let renewed: HashMap<JobId, bool> = writer
        .run(sql, vec![batch::json(&rows)?])
        .await?
        .iter()
        .map(|row| Ok((row.try_get("", "id")?, row.try_get("", "cancel_requested")?)))
        .collect::<Result<_, DbErr>>()?;
    for lease in leases {
        match renewed.get(&lease.job()) {
            None => lease.stop(StopReason::Lost),
            Some(cancel) => {
                lease.believe_until(now + lease.length());
                if *cancel {
                    lease.stop(StopReason::Cancelled);
                }
            }
        }
    }
    Ok(())
}
