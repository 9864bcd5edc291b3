//! Enqueuing: a row, in the caller's own transaction, and nothing else.
//!
//! Whoever commits may then call [`Queue::nudge`](super::Queue::nudge); without it the relay finds
//! the row by its next scan.

use std::collections::{HashMap, HashSet};

use clipqueue_entities::{JobId, Timestamp, job::JobState};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, QueryResult, Value};
use serde::Serialize;

use super::{
    batch::{self, Type},
    transport::Pointer,
    work::NewJob,
};
use crate::db::Writer;

/// Rows of one insert. Larger batches gain nothing and make the statement's memory grow.
pub(super) const CHUNK: usize = 500;

/// The longest arguments that a job may carry, as JSON. Larger things belong in a table or in
/// storage, with their id as the argument.
pub const MAX_ARGS_BYTES: usize = 64 * 1024;

/// What became of a job that was to be enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It was inserted.
    New(JobId),
    /// A live job has its unique key.
    Existing(JobId),
}

impl Enqueued {
    /// The job that does the work: the new one or the existing one.
    pub const fn id(self) -> JobId {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }
}

/// Inserts one job. `now` decides whether it is due already.
///
/// Fails without inserting when its arguments are longer than [`MAX_ARGS_BYTES`].
pub async fn enqueue(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    job: NewJob,
) -> Result<Enqueued, DbErr> {
    let mut enqueued = enqueue_many(connection, now, vec![job]).await?;
    Ok(enqueued.remove(0))
}

/// Inserts many jobs, 500 to a statement, and answers in their order. Within a transaction it is
/// all of them or none.
pub async fn enqueue_many(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    jobs: Vec<NewJob>,
) -> Result<Vec<Enqueued>, DbErr> {
    let mut enqueued = Vec::with_capacity(jobs.len());
    let mut jobs = jobs.into_iter().peekable();
    while jobs.peek().is_some() {
        let rows = jobs
            .by_ref()
            .take(CHUNK)
            .map(|job| Row::new(now, job))
            .collect::<Result<Vec<_>, _>>()?;
        insert(connection, now, rows, &mut enqueued).await?;
    }
    Ok(enqueued)
}

/// Inserts at most [`CHUNK`] rows by one statement, if no live job has one of their keys, and gives those that it
/// inserted once the disk has them. With `seen`, which is called as soon as others see all of the rows.
pub(super) async fn insert_group(
    writer: &mut Writer,
    now: Timestamp,
    rows: &[Row],
    seen: Option<impl FnOnce()>,
) -> Result<Vec<JobId>, DbErr> {
    let (backend, values) = (writer.db().backend(), insert_values(now, rows)?);
    let inserted = match seen {
        None => {
            writer
                .all(insert_sql(backend, rows.len(), None), values)
                .await?
        }
        Some(seen) => {
            let sql = insert_sql(backend, rows.len(), Some(writer.db().unsynced()));
            let seen = |inserted: &[QueryResult]| {
                if inserted.len() == rows.len() {
                    seen();
                }
            };
            writer.early(sql, values, seen).await?
        }
    };
    batch::ids(&inserted)
}

/// What became of the rows of a group of which `inserted` were inserted. It is on the disk.
pub(super) async fn sort_out_group(
    writer: &mut Writer,
    now: Timestamp,
    rows: Vec<Row>,
    inserted: Vec<JobId>,
) -> Result<Vec<Enqueued>, DbErr> {
    let some = inserted.len() < rows.len();
    if some {
        writer.rest();
    }
    let mut enqueued = Vec::with_capacity(rows.len());
    sort_out(writer.db().write(), now, rows, inserted, &mut enqueued).await?;
    if some {
        // A job that was there before may have been seen early.
        writer.sync().await?;
    }
    Ok(enqueued)
}

/// A job as it is stored. Its id is decided, so that a second attempt to insert it is the same job.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    id: JobId,
    pub(super) queue: String,
    kind: String,
    args: serde_json::Value,
    lane: String,
    priority: i32,
    state: &'static str,
    run_at: Timestamp,
    max_attempts: i32,
    unique_key: Option<String>,
}

impl Row {
    pub(super) fn new(now: Timestamp, job: NewJob) -> Result<Self, DbErr> {
        let bytes = serde_json::to_vec(&job.args).map_or(usize::MAX, |args| args.len());
        if bytes > MAX_ARGS_BYTES {
            return Err(DbErr::Custom(format!(
                "the arguments of a {} job are {bytes} bytes long; at most {MAX_ARGS_BYTES} are \
                 stored with a job: store them elsewhere and pass their id",
                job.kind
            )));
        }
        let state = if job.run_at <= now {
            JobState::Available
        } else {
            JobState::Scheduled
        };
        Ok(Self {
            id: JobId::new(),
            queue: job.queue,
            kind: job.kind,
            args: job.args,
            lane: job.lane,
            priority: job.priority,
            state: state.as_str(),
            run_at: job.run_at,
            max_attempts: job.max_attempts.max(1),
            unique_key: job.unique_key,
        })
    }
}

impl Row {
    /// What points to the row once it is committed; none when it is not due yet.
    pub(super) fn pointer(&self) -> Option<Pointer> {
        let due = self.state == JobState::Available.as_str();
        due.then(|| Pointer {
            job: self.id,
            nonce: 0,
            lane: self.lane.clone(),
            rank: Pointer::rank(self.priority, self.run_at),
        })
    }
}

/// How often a conflict whose other job ended in between is tried again.
const CONFLICT_TRIES: usize = 5;

async fn insert(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    rows: Vec<Row>,
    enqueued: &mut Vec<Enqueued>,
) -> Result<(), DbErr> {
    let inserted = insert_once(connection, now, &rows).await?;
    sort_out(connection, now, rows, inserted, enqueued).await
}

/// Finds the jobs that have the keys of rows that were not inserted, or inserts those after all.
async fn sort_out(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    mut rows: Vec<Row>,
    mut inserted: Vec<JobId>,
    enqueued: &mut Vec<Enqueued>,
) -> Result<(), DbErr> {
    let first = enqueued.len();
    // Until proven otherwise each row is new; the loop below corrects those that met a live job.
    enqueued.extend(rows.iter().map(|row| Enqueued::New(row.id)));
    let mut places: Vec<usize> = (first..enqueued.len()).collect();
    for _ in 0..CONFLICT_TRIES {
        if inserted.len() == rows.len() {
            return Ok(());
        }
        let there: HashSet<JobId> = inserted.into_iter().collect();
        let (left, left_places): (Vec<Row>, Vec<usize>) = rows
            .into_iter()
            .zip(places)
            .filter(|(row, _)| !there.contains(&row.id))
            .unzip();
        let holders = holders(connection, &left).await?;
        rows = Vec::new();
        places = Vec::new();
        for (row, place) in left.into_iter().zip(left_places) {
            match row.unique_key.as_deref().and_then(|key| holders.get(key)) {
                Some(id) => enqueued[place] = Enqueued::Existing(*id),
                None => {
                    rows.push(row);
                    places.push(place);
                }
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        inserted = insert_once(connection, now, &rows).await?;
    }
    Err(DbErr::Custom(
        "jobs with the same unique key came and went while this one was enqueued; try again"
            .to_owned(),
    ))
}

async fn insert_once(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    rows: &[Row],
) -> Result<Vec<JobId>, DbErr> {
    let sql = insert_sql(connection.get_database_backend(), rows.len(), None);
    let rows = batch::all(connection, sql, insert_values(now, rows)?).await?;
    batch::ids(&rows)
}

fn insert_values(now: Timestamp, rows: &[Row]) -> Result<Vec<Value>, DbErr> {
    Ok(vec![batch::json(rows)?, batch::millis(now)])
}

fn insert_sql(backend: DatabaseBackend, rows: usize, unsynced: Option<&str>) -> String {
    let v = batch::unfold(
        backend,
        rows,
        &[
            ("id", Type::Id),
            ("queue", Type::Text),
            ("kind", Type::Text),
            ("args", Type::Json),
            ("lane", Type::Text),
            ("priority", Type::Int),
            ("state", Type::Text),
            ("run_at", Type::Int),
            ("max_attempts", Type::Int),
            ("unique_key", Type::Text),
        ],
    );
    let (with, from) = match unsynced {
        Some(unsynced) => (format!("{v}, {unsynced}"), "v, unsynced"),
        None => (v, "v"),
    };
    // `WHERE true` keeps SQLite from reading ON CONFLICT as a join condition.
    format!(
        "WITH {with} INSERT INTO jobs (id, queue, kind, args, lane, priority, state, run_at, attempt, \
         max_attempts, crashes, snoozes, fence, unique_key, cancel_requested, created_at, updated_at) \
         SELECT id, queue, kind, args, lane, priority, state, run_at, 0, max_attempts, 0, 0, 0, \
         unique_key, false, $2, $2 FROM {from} WHERE true \
         ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING RETURNING id"
    )
}

async fn holders(
    connection: &impl ConnectionTrait,
    rows: &[Row],
) -> Result<HashMap<String, JobId>, DbErr> {
    #[derive(Serialize)]
    struct Key<'a> {
        unique_key: &'a str,
    }
    let keys: Vec<Key<'_>> = rows
        .iter()
        .filter_map(|row| row.unique_key.as_deref())
        .map(|unique_key| Key { unique_key })
        .collect();
    let v = batch::unfold(
        connection.get_database_backend(),
        keys.len(),
        &[("unique_key", Type::Text)],
    );
    let sql = format!(
        "WITH {v} SELECT jobs.id, jobs.unique_key FROM v JOIN jobs \
         ON jobs.unique_key = v.unique_key AND jobs.unique_key IS NOT NULL"
    );
    batch::all(connection, sql, vec![batch::json(&keys)?])
        .await?
        .iter()
        .map(|row| Ok((row.try_get("", "unique_key")?, row.try_get("", "id")?)))
        .collect()
}
