//! The short way from a row to a handler, for a queue without a backlog.
//!
//! When everything that is due fits into the free slots of this process there is nothing to share out
//! and no order to keep, so that a row need not be marked as dispatched, delivered and taken first.
//! Its pointer goes to the transport as one that is in flight already - which holds the limits of
//! lanes and a pause as ever - and the row is claimed with the fence that it has. Whoever dispatches
//! the row at the same time changes its fence, and one of the two finds nothing to claim.

use std::sync::Arc;

use sea_orm::{DbErr, Value};

use super::{
    batch,
    core::Core,
    execute::{self, FetchError, TRANSPORT_LEASE, Ticket},
    policy::{Catalogue, QueueSpec},
    relay::pointer,
    transport::{MAX_BATCH, Pointer},
};
use crate::crash::{self, Commit};

/// Everything in `queue` that is due and has no pointer; none when that is more than `limit`.
pub(super) async fn look(
    core: &Core,
    queue: &str,
    limit: usize,
) -> Result<Option<Vec<Pointer>>, DbErr> {
    let limit = limit.min(MAX_BATCH);
    if limit == 0 {
        return Ok(None);
    }
    let sql = "SELECT id, fence, lane, priority, run_at FROM jobs WHERE queue = $1 \
               AND state = 'available' AND dispatched_at IS NULL \
               ORDER BY lane, priority, run_at, id LIMIT $2";
    let values = vec![Value::from(queue), Value::from(limit as i64 + 1)];
    let rows = batch::all(core.db.read(), sql.to_owned(), values).await?;
    if rows.len() > limit {
        return Ok(None);
    }
    rows.iter().map(pointer).collect::<Result<_, _>>().map(Some)
}

/// Claims rows that `look` gave, as far as their lanes may be served.
pub(super) async fn claim(
    core: &Core,
    catalogue: &dyn Catalogue,
    spec: &Arc<QueueSpec>,
    rows: &[Pointer],
) -> Result<Vec<Ticket>, FetchError> {
    // Here, too, rows become pointers.
    let admit = core.transport.admit(spec.channel(), rows, TRANSPORT_LEASE);
    let admitted = crash::write(Commit::JobsDispatched, admit).await?;
    if admitted.is_empty() {
        return Ok(Vec::new());
    }
    execute::claim_all(core, catalogue, spec, admitted).await
}
