//! From rows to pointers: promotes rows whose time has come and hands due rows to the transport.
//!
//! The transport holds a bounded window of each queue, so that a million due or scheduled rows cost
//! it nothing. Lanes are served in a circle, each with a bounded share of the window, so that one
//! creator's backlog cannot keep another's first job out. Everything here may run in any number of
//! processes: rows are marked by conditional updates, and a pointer that is delivered twice is
//! claimed once.
//!
//! What can run at once goes the short way instead (`shortcut`).
//!
//! A pass is cheap when nothing is due. It runs after each nudge, when the next row falls due, and
//! once a second for certainty.

use clipqueue_entities::{JobId, Timestamp};
use futures::future::{join, try_join};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, QueryResult, Value};
use serde::Serialize;

use super::{
    batch::{self, Type},
    core::Core,
    due,
    execute::FetchError,
    policy::QueueSpec,
    seats::Seats,
    shortcut,
    transport::{MAX_BATCH, MAX_LANES, Pointer, TransportError},
};
use crate::crash::{self, Commit};

/// Pointers of one queue that may wait in the transport. It is refilled at half.
pub(super) const WINDOW: u64 = 5000;

/// Waiting pointers of one lane when the queue limits lanes: enough to keep the lane busy between
/// two passes, and few enough that lanes at their limit cannot fill the window.
const LANE_WINDOW: u64 = 64;

/// Below this many lanes that can be served, lanes without any pointer get some even if the window
/// is full: it is then full of lanes that are at their limit.
const FEW_LANES: u64 = 32;

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pass {
    /// Rows that became due.
    pub(super) promoted: u64,
    /// Pointers handed to the transport.
    pub(super) delivered: u64,
    /// When the next row falls due.
    pub(super) next_due: Option<Timestamp>,
}

/// A pass or an audit that could not be finished. The next one starts over.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    #[error("the database did not answer")]
    Database(#[from] DbErr),
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl From<FetchError> for RelayError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Transport(error) => Self::Transport(error),
            FetchError::Claim(error) => Self::Database(error),
        }
    }
}

/// The relay of one queue in this process.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) spec: QueueSpec,
    /// The lane that was served last.
    cursor: Option<String>,
    /// More was due than fits into free slots, and not all of it was delivered yet.
    crowded: bool,
    /// The last row of which this process was told could start at once.
    open: bool,
}

impl Relay {
    pub(super) fn new(spec: QueueSpec) -> Self {
        Self {
            spec,
            cursor: None,
            crowded: false,
            open: true,
        }
    }

    /// Promotes and delivers one batch. With seats, jobs that can all run at once are started there
    /// instead of delivered.
    pub(super) async fn pass(
        &mut self,
        core: &Core,
        seats: Option<&Seats>,
    ) -> Result<Pass, RelayError> {
        let now = core.clock.now();
        let queue = &self.spec.name;
        let free = match seats {
            Some(seats) if !self.crowded => seats.free(),
            _ => 0,
        };
        let look =
            async || try_join(next_due(core, queue), shortcut::look(core, queue, free)).await;
        let (mut next_due, mut ready) = look().await?;
        let mut pass = Pass::default();
        if next_due.is_some_and(|due| due <= now) {
            let due = due::look(core, queue, now).await?;
            if let Some(seats) = seats
                && (1..=seats.free()).contains(&due.len())
            {
                pass.delivered = start_due(core, seats, &due).await?;
                if pass.delivered == due.len() as u64 {
                    return Ok(pass);
                }
                // What is left waits for the turn of its lane, and must not hide what falls due after it.
            }
            if let Some(promoted) = due::promote_and_dispatch(core, &self.spec, &due, now).await?
                && promoted.rows > 0
            {
                self.crowded = true;
                pass.promoted = promoted.rows;
                pass.delivered += self.hand_over(core, promoted.pointers).await?;
                return Ok(pass);
            }
            pass.promoted = promote(core, queue, now).await?;
            (next_due, ready) = look().await?;
        }
        pass.next_due = next_due;
        self.crowded = free > 0 && ready.is_none() || self.crowded;
        if let (Some(seats), Some(rows)) = (seats, ready) {
            let started = match rows.len() {
                0 => 0,
                _ => seats.start(core, &rows).await?,
            };
            pass.delivered += started as u64;
            if started == rows.len() {
                return Ok(pass);
            }
            // What is left waits for the turn of its lane, which is the transport's to know.
        }
        pass.delivered += self.deliver(core, now).await?;
        Ok(pass)
    }

    /// Starts rows that this process was told of, if there is nothing else to see to. Says whether it
    /// started all of them; what it did not is found by a pass. A single row is claimed before it is known whether
    /// it may start, until one was claimed in vain. A transport in this process answers at once.
    pub(super) async fn start(
        &mut self,
        core: &Core,
        seats: &Seats,
        due: &[Pointer],
    ) -> Result<bool, RelayError> {
        if due.is_empty() || self.crowded {
            return Ok(false);
        }
        if let [row] = due
            && self.open
            && core.transport.is_shared()
        {
            let started = seats.start_told(core, row).await?;
            self.open = started.is_some();
            return Ok(started.unwrap_or(false));
        }
        self.open = seats.start(core, due).await? == due.len();
        Ok(self.open)
    }

    async fn deliver(&mut self, core: &Core, now: Timestamp) -> Result<u64, RelayError> {
        let mut lanes = due_lanes(core, &self.spec.name, self.cursor.as_deref()).await?;
        if lanes.is_empty() && self.cursor.take().is_some() {
            lanes = due_lanes(core, &self.spec.name, None).await?;
        }
        let Some(last_seen) = lanes.last().cloned() else {
            self.crowded = false;
            return Ok(0);
        };
        let depth = core.transport.depth(&self.spec.name, &lanes).await?;
        let lane_window = lane_window(&self.spec);
        let mut room = WINDOW.saturating_sub(depth.waiting);
        let mut eager: Vec<&String> = Vec::new();
        for (lane, waiting) in lanes.iter().zip(&depth.lanes) {
            if *waiting < lane_window && (room > 0 || *waiting == 0) {
                eager.push(lane);
            }
        }
        if room == 0 {
            core.wakes.starve(&self.spec.name);
            if depth.open_lanes >= FEW_LANES || eager.is_empty() {
                self.cursor = Some(last_seen);
                return Ok(0);
            }
            room = eager.len() as u64;
        }
        let room = room.min(MAX_BATCH as u64);
        if eager.is_empty() {
            self.cursor = Some(last_seen);
            return Ok(0);
        }
        let share = (room / eager.len() as u64).clamp(1, lane_window);
        eager.truncate(usize::try_from(room / share).unwrap_or(1).max(1));
        let served = eager.last().map(|lane| (*lane).clone());
        let pointers = dispatch(core, &self.spec.name, &eager, share, now).await?;
        self.cursor = served;
        self.hand_over(core, pointers).await
    }

    /// Gives pointers of rows that are marked as dispatched to the transport.
    async fn hand_over(&self, core: &Core, pointers: Vec<Pointer>) -> Result<u64, RelayError> {
        if pointers.is_empty() {
            return Ok(0);
        }
        if let Err(error) = core.transport.deliver(self.spec.channel(), &pointers).await {
            // The rows say that they have a pointer and may have none. If this cannot be undone
            // either, the audit will find them.
            let _ = undispatch(core.db.write(), &pointers).await;
            return Err(error.into());
        }
        core.wakes.fetch(&self.spec.name).notify_one();
        Ok(pointers.len() as u64)
    }
}

/// Starts rows that are due as they are, in two halves beside each other when they are many: while one is
/// claimed, the other is admitted.
async fn start_due(core: &Core, seats: &Seats, due: &[Pointer]) -> Result<u64, RelayError> {
    let (one, other) = due.split_at(due.len().min(due::HALF));
    // Neither half is broken off because of the other.
    let (one, other) = join(seats.start(core, one), async {
        match other {
            [] => Ok(0),
            _ => seats.start(core, other).await,
        }
    })
    .await;
    Ok((one? + other?) as u64)
}

/// Pointers of one lane that may wait in the transport.
pub(super) const fn lane_window(spec: &QueueSpec) -> u64 {
    if spec.lane_limit > 0 {
        LANE_WINDOW
    } else {
        WINDOW
    }
}

async fn next_due(core: &Core, queue: &str) -> Result<Option<Timestamp>, DbErr> {
    // Not min(run_at): a planner without statistics would read every waiting row for it.
    let sql = "SELECT run_at FROM jobs WHERE queue = $1 \
               AND state IN ('scheduled', 'retryable') ORDER BY run_at LIMIT 1";
    let rows = batch::all(core.db.read(), sql.to_owned(), vec![Value::from(queue)]).await?;
    rows.first()
        .map(|row| row.try_get("", "run_at"))
        .transpose()
}

async fn promote(core: &Core, queue: &str, now: Timestamp) -> Result<u64, DbErr> {
    let skip = batch::skip_locked(core.db.backend());
    let sql = format!(
        "WITH p AS MATERIALIZED (SELECT id FROM jobs WHERE queue = $2 \
           AND state IN ('scheduled', 'retryable') AND run_at <= $1 ORDER BY run_at LIMIT $3 {skip}), \
         {} UPDATE jobs SET state = 'available', dispatched_at = NULL, updated_at = $1 \
         FROM p, unsynced WHERE jobs.id = p.id RETURNING jobs.id",
        core.db.unsynced()
    );
    let values = vec![
        batch::millis(now),
        Value::from(queue),
        Value::from(due::PROMOTE as i64),
    ];
    // What a power cut undoes is due again.
    Ok(core.db.write_unsynced(sql, values).await?.len() as u64)
}

/// The lanes that have due rows without a pointer, in order, after `cursor`. Each costs one step in
/// the index, however many rows the lane has.
async fn due_lanes(core: &Core, queue: &str, cursor: Option<&str>) -> Result<Vec<String>, DbErr> {
    let (after, from) = match cursor {
        Some(lane) => (">", lane),
        None => (">=", ""),
    };
    let ready = "queue = $1 AND state = 'available' AND dispatched_at IS NULL";
    let sql = format!(
        "WITH RECURSIVE l(lane) AS (\
           SELECT (SELECT lane FROM jobs WHERE {ready} AND lane {after} $2 ORDER BY lane LIMIT 1) \
           UNION ALL SELECT (SELECT j.lane FROM jobs j WHERE j.queue = $1 \
             AND j.state = 'available' AND j.dispatched_at IS NULL AND j.lane > l.lane \
             ORDER BY j.lane LIMIT 1) \
           FROM l WHERE l.lane IS NOT NULL) \
         SELECT lane FROM l WHERE lane IS NOT NULL LIMIT $3"
    );
    let values = vec![
        Value::from(queue),
        Value::from(from),
        Value::from(MAX_LANES as i64),
    ];
    batch::all(core.db.read(), sql, values)
        .await?
        .iter()
        .map(|row| row.try_get("", "lane"))
        .collect()
}

/// A lane in a batch.
#[derive(Serialize)]
pub(super) struct Lane<'a> {
    pub(super) lane: &'a str,
}

/// Marks up to `share` rows of each lane as dispatched; the new fence is the pointer's nonce. To
/// people nothing changed: `updated_at` stays.
async fn dispatch(
    core: &Core,
    queue: &str,
    lanes: &[&String],
    share: u64,
    now: Timestamp,
) -> Result<Vec<Pointer>, DbErr> {
    let backend = core.db.backend();
    let rows: Vec<Lane<'_>> = lanes.iter().map(|lane| Lane { lane }).collect();
    let v = batch::unfold(backend, rows.len(), &[("lane", Type::Text)]);
    let pick = "k.queue = $3 AND k.lane = v.lane AND k.state = 'available' \
                AND k.dispatched_at IS NULL ORDER BY k.priority, k.run_at, k.id LIMIT $4";
    // The two databases spell "the first rows of each lane" differently. Either way the rows are
    // picked once, before the update begins: PostgreSQL may otherwise pick again for each row.
    let picked = match backend {
        DatabaseBackend::Postgres => format!(
            "SELECT j.id FROM v CROSS JOIN LATERAL \
             (SELECT k.id FROM jobs k WHERE {pick} FOR UPDATE SKIP LOCKED) j"
        ),
        _ => format!(
            "SELECT j.id FROM v CROSS JOIN jobs j \
             ON j.rowid IN (SELECT k.rowid FROM jobs k WHERE {pick})"
        ),
    };
    let sql = format!(
        "WITH {v}, p AS MATERIALIZED ({picked}), {} \
         UPDATE jobs SET fence = fence + 1, dispatched_at = $2 \
         FROM p, unsynced WHERE jobs.id = p.id RETURNING jobs.id, lane, priority, run_at, fence",
        core.db.unsynced()
    );
    let values = vec![
        batch::json(&rows)?,
        batch::millis(now),
        Value::from(queue),
        Value::from(i64::try_from(share).unwrap_or(i64::MAX)),
    ];
    // What a power cut undoes is dispatched again, with the same nonce: the two pointers are one, and
    // of two claims only the later one can prove anything.
    let dispatch = core.db.write_unsynced(sql, values);
    crash::write(Commit::JobsDispatched, dispatch)
        .await?
        .iter()
        .map(pointer)
        .collect()
}

pub(super) fn pointer(row: &QueryResult) -> Result<Pointer, DbErr> {
    Ok(Pointer {
        job: row.try_get("", "id")?,
        nonce: row.try_get("", "fence")?,
        lane: row.try_get("", "lane")?,
        rank: Pointer::rank(row.try_get("", "priority")?, row.try_get("", "run_at")?),
    })
}

#[derive(Serialize)]
struct Nonce {
    id: JobId,
    fence: i64,
}

/// Lets the relay dispatch rows again, unless they went on since.
pub(super) async fn undispatch(
    connection: &impl ConnectionTrait,
    pointers: &[Pointer],
) -> Result<u64, DbErr> {
    let rows: Vec<Nonce> = pointers
        .iter()
        .map(|pointer| Nonce {
            id: pointer.job,
            fence: pointer.nonce,
        })
        .collect();
    let v = batch::unfold(
        connection.get_database_backend(),
        rows.len(),
        &[("id", Type::Id), ("fence", Type::Int)],
    );
    let sql = format!(
        "WITH {v} UPDATE jobs SET dispatched_at = NULL FROM v \
         WHERE jobs.id = v.id AND jobs.fence = v.fence AND jobs.state = 'available'"
    );
    batch::run(connection, sql, vec![batch::json(&rows)?]).await
}
