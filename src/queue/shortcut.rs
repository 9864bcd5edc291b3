//! The short way from a row to a handler, for a queue without a backlog.
//!
//! When everything that is due fits into the free slots of this process there is nothing to share out
//! and no order to keep, so that a row need not be marked as dispatched, delivered and taken first.
//! Its pointer goes to the transport as one that is in flight already - which holds the limits of
//! lanes and a pause as ever - and the row is claimed with the fence that it has. Whoever dispatches
//! the row at the same time changes its fence, and one of the two finds nothing to claim.

use std::sync::Arc;

use futures::future::join;
use sea_orm::{DbErr, Value};

use super::{
    batch, claim,
    core::Core,
    execute::{self, FetchError, TRANSPORT_LEASE, Ticket},
    policy::{Catalogue, QueueSpec},
    relay::pointer,
    settle::{Ended, Verdict},
    transport::{Delivery, MAX_BATCH, Pointer},
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

/// What became of a row that this process was told of.
pub(super) enum Told {
    /// It may start.
    Starts(Ticket),
    /// It was claimed and may not start yet: its lane is at its limit, or something else comes first.
    Waits(Ended),
    /// Somebody else has it, or it is not due any more.
    Gone,
}

/// Claims a row that this process was told of while it asks the transport for leave, so that the row starts
/// after the longer of the two and not after both. Without leave the claim is given back.
pub(super) async fn claim_told(
    core: &Core,
    catalogue: &dyn Catalogue,
    spec: &Arc<QueueSpec>,
    row: &Pointer,
) -> Result<Told, FetchError> {
    let channel = spec.channel();
    let delivery = Delivery::from(row);
    let rows = std::slice::from_ref(row);
    let admit = core.transport.admit(channel, rows, TRANSPORT_LEASE);
    let (admitted, claims) = join(
        crash::write(Commit::JobsDispatched, admit),
        claim::claim(core, &spec.name, vec![delivery.clone()]),
    )
    .await;
    let mut claims = match claims {
        Ok(claims) => claims,
        Err(error) => {
            execute::give_back(core, channel, &admitted.unwrap_or_default()).await;
            return Err(error.into());
        }
    };
    let Some((claimed_by, _)) = claims.claimed.first_mut() else {
        // Whoever runs it takes our pointer over, or has done so.
        if !admitted?.is_empty() && !claim::is_run_by(core, &delivery).await? {
            execute::drop_all(core, channel, &claims.dropped).await;
        }
        return Ok(Told::Gone);
    };
    let leave = match admitted {
        // Another process that was told of the row, too, may have asked first.
        Ok(admitted) if admitted.is_empty() => core.transport.adopt(&spec.name, &delivery).await,
        admitted => admitted.map(|_| Some(delivery)),
    };
    let leave = leave.unwrap_or_else(|error| {
        tracing::debug!(%error, "a claim is given back: nobody knows whether it may start");
        None
    });
    let starts = leave.is_some();
    if let Some(leave) = leave {
        *claimed_by = leave;
    }
    let ticket = execute::tickets(core, catalogue, spec, claims).pop();
    Ok(match ticket {
        Some(ticket) if starts => Told::Starts(ticket),
        Some(ticket) => Told::Waits(ticket.end(Verdict::GivenBack)),
        None => Told::Gone,
    })
}
