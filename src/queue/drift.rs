//! Pointers against rows, in both directions: rows whose pointer is gone are dispatched again, and
//! pointers that no row stands behind are forgotten.
//!
//! A stray pointer does no harm, since the claim drops it; many of them tell of a fault. Forgetting
//! one is safe at any time: it is named with its nonce, and a newer pointer has another.

use std::collections::HashMap;

use clipqueue_entities::{JobId, Timestamp, job::JobState};
use sea_orm::{DbErr, Value};
use serde::Serialize;

use super::{
    audit,
    batch::{self, Type},
    claim::DRAWN_BITS,
    core::Core,
    policy::QueueSpec,
    relay::RelayError,
    transport::{Delivery, MAX_BATCH, TransportError},
};

/// Pages of one look. The transport holds a bounded window, so that one look covers it.
const PAGES: usize = 100;

/// What a look at one queue found, all of it mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointerDrift {
    /// Rows whose pointer was gone.
    pub lost: u64,
    /// Pointers without a row that is due or runs by them.
    pub stray: u64,
}

/// A look that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// The database did not answer.
    #[error("the database did not answer")]
    Database(#[from] DbErr),
    /// The transport did not answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl From<RelayError> for DriftError {
    fn from(error: RelayError) -> Self {
        match error {
            RelayError::Database(error) => Self::Database(error),
            RelayError::Transport(error) => Self::Transport(error),
        }
    }
}

/// Compares and mends.
pub(super) async fn compare(core: &Core, spec: &QueueSpec) -> Result<PointerDrift, DriftError> {
    let lost = audit::epoch(core, spec.channel(), &mut None).await?
        + audit::pointers(core, &spec.name).await?;
    let mut stray = 0;
    let mut cursor = 0;
    for _ in 0..PAGES {
        let (next, pointers) = core.transport.scan(&spec.name, cursor).await?;
        for page in pointers.chunks(MAX_BATCH) {
            stray += forget_strays(core, spec, page).await?;
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    if lost > 0 {
        core.wakes.relay(&spec.name).look();
    }
    Ok(PointerDrift { lost, stray })
}

async fn forget_strays(
    core: &Core,
    spec: &QueueSpec,
    pointers: &[(JobId, i64)],
) -> Result<u64, DriftError> {
    let now = core.clock.now();
    // A row that changed just now may be on its way to the transport.
    let settled = now - audit::SETTLED_AGE;
    let rows = rows(core, pointers).await?;
    let strays: Vec<Delivery> = pointers
        .iter()
        .filter_map(|(job, nonce)| {
            let row = rows.get(job);
            let stray = row.is_none_or(|row| !row.stands_behind(*nonce, now, settled));
            stray.then(|| Delivery {
                job: *job,
                nonce: *nonce,
                lane: row.map(|row| row.lane.clone()).unwrap_or_default(),
            })
        })
        .collect();
    if !strays.is_empty() {
        tracing::warn!(
            queue = spec.name,
            pointers = strays.len(),
            "pointers without a row are forgotten"
        );
        core.transport.finish(spec.channel(), &strays).await?;
    }
    Ok(strays.len() as u64)
}

struct Row {
    state: JobState,
    fence: i64,
    lane: String,
    run_at: Timestamp,
    updated_at: Timestamp,
}

impl Row {
    /// The row is due with this pointer, runs by it, or has only just left it.
    fn stands_behind(&self, nonce: i64, now: Timestamp, settled: Timestamp) -> bool {
        match self.state {
            JobState::Available if self.fence == nonce => true,
            JobState::Scheduled | JobState::Retryable
                if self.fence == nonce && self.run_at <= now =>
            {
                true
            }
            JobState::Running if self.fence >> DRAWN_BITS == (nonce >> DRAWN_BITS) + 1 => true,
            _ => self.updated_at > settled,
        }
    }
}

#[derive(Serialize)]
struct Id {
    id: JobId,
}

async fn rows(core: &Core, pointers: &[(JobId, i64)]) -> Result<HashMap<JobId, Row>, DbErr> {
    let ids: Vec<Id> = pointers.iter().map(|(id, _)| Id { id: *id }).collect();
    let v = batch::unfold(core.db.backend(), ids.len(), &[("id", Type::Id)]);
    let sql = format!(
        "WITH {v} SELECT jobs.id, state, fence, lane, run_at, updated_at FROM jobs JOIN v ON jobs.id = v.id"
    );
    let values: Vec<Value> = vec![batch::json(&ids)?];
    batch::all(core.db.read(), sql, values)
        .await?
        .iter()
        .map(|row| {
            Ok((
                row.try_get("", "id")?,
                Row {
                    state: row.try_get("", "state")?,
                    fence: row.try_get("", "fence")?,
                    lane: row.try_get("", "lane")?,
                    run_at: row.try_get("", "run_at")?,
                    updated_at: row.try_get("", "updated_at")?,
                },
            ))
        })
        .collect()
}
