//! Rows that fall due while nothing else of the queue waits for a pointer, so that there is nothing to
//! share out.
//!
//! As long as slots are free they are claimed as they are, by the short way (`shortcut`): two updates a row,
//! the claim and the end. Otherwise, while the window has room, they are promoted and dispatched by one
//! statement: three. Everything else goes the long way, where rows are promoted first and lanes are served
//! in a circle (`relay`): four.

use std::collections::BTreeMap;

use clipqueue_entities::Timestamp;
use sea_orm::{DbErr, Value};

use super::{
    batch::{self, Type},
    core::Core,
    policy::QueueSpec,
    relay::{Lane, RelayError, WINDOW, lane_window, pointer},
    transport::{MAX_LANES, Pointer},
};
use crate::crash::{self, Commit};

/// Rows promoted by one statement: few, so that the first of many that are due together start while the
/// others are promoted.
pub(super) const PROMOTE: u64 = 250;

/// Rows that are claimed by one statement, of those that start at once.
pub(super) const HALF: usize = 125;

/// What one statement did.
#[derive(Debug)]
pub(super) struct Promoted {
    /// Rows that are available now.
    pub(super) rows: u64,
    /// Those of them that are marked as dispatched; the caller delivers their pointers.
    pub(super) pointers: Vec<Pointer>,
}

/// The next rows that fall due, the most urgent first; none while others of the queue wait for a pointer,
/// which go before them.
pub(super) async fn look(core: &Core, queue: &str, now: Timestamp) -> Result<Vec<Pointer>, DbErr> {
    let sql = "SELECT id, fence, lane, priority, run_at FROM jobs WHERE queue = $1 \
               AND state IN ('scheduled', 'retryable') AND run_at <= $2 \
               AND NOT EXISTS (SELECT 1 FROM jobs WHERE queue = $1 AND state = 'available' \
                 AND dispatched_at IS NULL) ORDER BY run_at LIMIT $3";
    let values = vec![
        Value::from(queue),
        batch::millis(now),
        Value::from(PROMOTE as i64),
    ];
    let rows = batch::all(core.db.read(), sql.to_owned(), values).await?;
    let mut due = rows.iter().map(pointer).collect::<Result<Vec<_>, _>>()?;
    due.sort_by_key(|pointer| pointer.rank);
    Ok(due)
}

/// Promotes as many of the next due rows as one look gives, which need not be those that `due` has - some may
/// have been started since -, and dispatches those whose lane has room by `due`. None, and nothing is done, when
/// the long way is needed.
pub(super) async fn promote_and_dispatch(
    core: &Core,
    spec: &QueueSpec,
    due: &[Pointer],
    now: Timestamp,
) -> Result<Option<Promoted>, RelayError> {
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    for row in due {
        *rows.entry(&row.lane).or_default() += 1;
    }
    if rows.is_empty() || rows.len() > MAX_LANES {
        return Ok(None);
    }
    let lanes: Vec<String> = rows.keys().map(|lane| (*lane).to_owned()).collect();
    let depth = core.transport.depth(&spec.name, &lanes).await?;
    if depth.waiting + due.len() as u64 > WINDOW {
        return Ok(None);
    }
    let most = lane_window(spec);
    let open: Vec<Lane<'_>> = rows
        .into_iter()
        .zip(&depth.lanes)
        .filter(|((_, rows), waiting)| rows + **waiting <= most)
        .map(|((lane, _), _)| Lane { lane })
        .collect();
    if open.is_empty() {
        return Ok(None);
    }
    Ok(Some(update(core, &spec.name, &open, now).await?))
}

/// Rows of lanes that are not in `open` are promoted alone. The new fence is the pointer's nonce.
async fn update(
    core: &Core,
    queue: &str,
    open: &[Lane<'_>],
    now: Timestamp,
) -> Result<Promoted, DbErr> {
    let backend = core.db.backend();
    let v = batch::unfold(backend, open.len(), &[("lane", Type::Text)]);
    let skip = batch::skip_locked(backend);
    let sql = format!(
        "WITH {v}, p AS MATERIALIZED (SELECT id, lane FROM jobs WHERE queue = $3 \
           AND state IN ('scheduled', 'retryable') AND run_at <= $2 ORDER BY run_at LIMIT $4 {skip}), \
         d AS (SELECT p.id, CASE WHEN v.lane IS NULL THEN 0 ELSE 1 END AS goes \
           FROM p LEFT JOIN v ON v.lane = p.lane), {} \
         UPDATE jobs SET state = 'available', fence = fence + d.goes, updated_at = $2, \
           dispatched_at = CASE WHEN d.goes = 1 THEN $2 END \
         FROM d, unsynced WHERE jobs.id = d.id \
         RETURNING jobs.id, lane, priority, run_at, fence, dispatched_at",
        core.db.unsynced()
    );
    let values = vec![
        batch::json(open)?,
        batch::millis(now),
        Value::from(queue),
        Value::from(PROMOTE as i64),
    ];
    // What a power cut undoes is due again, and dispatched with the same nonce: the two pointers are one.
    let update = core.db.write_unsynced(sql, values);
    let rows = crash::write(Commit::JobsDispatched, update).await?;
    let mut pointers = Vec::with_capacity(rows.len());
    for row in &rows {
        if row
            .try_get::<Option<Timestamp>>("", "dispatched_at")?
            .is_some()
        {
            pointers.push(pointer(row)?);
        }
    }
    Ok(Promoted {
        rows: rows.len() as u64,
        pointers,
    })
}
