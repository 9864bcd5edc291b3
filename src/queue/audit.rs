//! Rows against pointers: finds rows that were dispatched and whose pointer is gone, and lets the
//! relay dispatch them again.
//!
//! Two ways of losing pointers, two checks. All at once (`FLUSHALL`, a new server, a new process
//! with the memory transport): the transport's epoch is another word than the one in
//! `queue_controls`. One by one (a fail-over that lost the last writes, a worker that died between
//! taking and claiming): a page of dispatched rows is held against the transport.

use std::{collections::HashSet, time::Duration};

use clipqueue_entities::{JobId, Timestamp};
use sea_orm::{DbErr, Value};

use super::{
    batch,
    core::Core,
    execute::TRANSPORT_LEASE,
    relay::{RelayError, undispatch},
    transport::{Channel, Delivery, MAX_BATCH, Pointer, TransportError, Unknown},
};

/// Rows dispatched less than this ago are left alone: their pointer may be on its way. Those that were by
/// a clock that is further ahead are not.
pub(super) const SETTLED_AGE: Duration = Duration::from_secs(5);

/// Pages of one audit; with a window of 5000 pointers a queue is covered in one go.
const PAGES: usize = 20;

/// Dispatches again whatever an older epoch of the transport held. Gives the number of rows. `seen` is
/// the epoch that this process knows.
pub(super) async fn epoch(
    core: &Core,
    channel: Channel<'_>,
    seen: &mut Option<String>,
) -> Result<u64, RelayError> {
    let queue = channel.queue;
    let epoch = core.transport.epoch(queue).await?;
    if seen.as_ref() != Some(&epoch) {
        restore(core, channel).await?;
        *seen = Some(epoch.clone());
    }
    let known = known_epoch(core, queue).await?;
    if known.as_deref() == Some(epoch.as_str()) {
        return Ok(0);
    }
    let now = core.clock.now();
    let mut reset = 0;
    loop {
        let rows = reset_page(core, queue, now).await?;
        reset += rows;
        if rows == 0 {
            break;
        }
    }
    // Noted last: a process that dies before this starts over.
    let sql = "INSERT INTO queue_controls (queue, paused, epoch, updated_at) \
               VALUES ($1, false, $2, $3) \
               ON CONFLICT (queue) DO UPDATE SET epoch = $2, updated_at = $3";
    let values = vec![Value::from(queue), Value::from(epoch), batch::millis(now)];
    batch::run(core.db.write(), sql.to_owned(), values).await?;
    if reset > 0 {
        tracing::warn!(queue, rows = reset, "the transport lost its pointers");
    }
    Ok(reset)
}

/// Tells an empty transport what runs here, so that lanes at their limit are known as such.
async fn restore(core: &Core, channel: Channel<'_>) -> Result<(), TransportError> {
    let running: Vec<Delivery> = core
        .live
        .all()
        .iter()
        .filter(|lease| lease.queue() == channel.queue && !lease.has_ended())
        .map(|lease| lease.delivery().clone())
        .collect();
    core.transport
        .extend(channel, &running, TRANSPORT_LEASE, Unknown::Restore)
        .await
}

async fn known_epoch(core: &Core, queue: &str) -> Result<Option<String>, DbErr> {
    let sql = "SELECT epoch FROM queue_controls WHERE queue = $1";
    let rows = batch::all(core.db.read(), sql.to_owned(), vec![Value::from(queue)]).await?;
    rows.first()
        .map_or(Ok(None), |row| row.try_get("", "epoch"))
}

async fn reset_page(core: &Core, queue: &str, before: Timestamp) -> Result<u64, DbErr> {
    let skip = batch::skip_locked(core.db.backend());
    let sql = format!(
        "WITH p AS MATERIALIZED (SELECT id FROM jobs WHERE queue = $1 AND state = 'available' \
           AND dispatched_at IS NOT NULL AND (dispatched_at <= $2 OR dispatched_at > $4) \
           ORDER BY run_at, id LIMIT $3 {skip}) \
         UPDATE jobs SET dispatched_at = NULL FROM p WHERE jobs.id = p.id"
    );
    let values = vec![
        Value::from(queue),
        batch::millis(before),
        Value::from(MAX_BATCH as i64),
        batch::millis(before + SETTLED_AGE),
    ];
    batch::run(core.db.write(), sql, values).await
}

/// Dispatches again the rows of `queue` whose pointer is gone. Gives their number.
pub(super) async fn pointers(core: &Core, queue: &str) -> Result<u64, RelayError> {
    let now = core.clock.now();
    let (before, ahead) = (now - SETTLED_AGE, now + SETTLED_AGE);
    let mut after = (Timestamp::from_millis(i64::MIN), JobId(uuid::Uuid::nil()));
    let mut reset = 0;
    for _ in 0..PAGES {
        let page = dispatched_page(core, queue, after).await?;
        let Some(last) = page.last() else { break };
        after = (last.run_at, last.pointer.job);
        let full = page.len() == MAX_BATCH;
        let old: Vec<&Dispatched> = page
            .iter()
            .filter(|row| row.dispatched_at <= before || row.dispatched_at > ahead)
            .collect();
        let jobs: Vec<JobId> = old.iter().map(|row| row.pointer.job).collect();
        if !jobs.is_empty() {
            let missing: HashSet<JobId> = core
                .transport
                .missing(queue, &jobs)
                .await?
                .into_iter()
                .collect();
            let lost: Vec<Pointer> = old
                .iter()
                .filter(|row| missing.contains(&row.pointer.job))
                .map(|row| row.pointer.clone())
                .collect();
            if !lost.is_empty() {
                reset += undispatch(core.db.write(), &lost).await?;
            }
        }
        if !full {
            break;
        }
    }
    if reset > 0 {
        tracing::warn!(queue, rows = reset, "pointers were lost and are made again");
    }
    Ok(reset)
}

/// Takes every waiting pointer of `queue` back from the transport, so that it holds nothing of a
/// queue that is drained. Their rows are dispatched again once the queue is open. Gives the number.
pub(super) async fn withdraw(core: &Core, queue: &str) -> Result<u64, RelayError> {
    // No lane is to be opened for what is taken back as well, so the limit does not matter.
    let channel = Channel {
        queue,
        lane_limit: 0,
    };
    let start = (Timestamp::from_millis(i64::MIN), JobId(uuid::Uuid::nil()));
    let mut withdrawn = 0;
    for _ in 0..PAGES {
        let page = dispatched_page(core, queue, start).await?;
        if page.is_empty() {
            break;
        }
        let pointers: Vec<Pointer> = page.into_iter().map(|row| row.pointer).collect();
        let deliveries: Vec<Delivery> = pointers
            .iter()
            .map(|pointer| Delivery {
                job: pointer.job,
                nonce: pointer.nonce,
                lane: pointer.lane.clone(),
            })
            .collect();
        core.transport.finish(channel, &deliveries).await?;
        withdrawn += undispatch(core.db.write(), &pointers).await?;
    }
    Ok(withdrawn)
}

struct Dispatched {
    pointer: Pointer,
    run_at: Timestamp,
    dispatched_at: Timestamp,
}

async fn dispatched_page(
    core: &Core,
    queue: &str,
    (run_at, id): (Timestamp, JobId),
) -> Result<Vec<Dispatched>, DbErr> {
    let sql = "SELECT id, fence, lane, run_at, dispatched_at FROM jobs WHERE queue = $1 \
               AND state = 'available' AND dispatched_at IS NOT NULL \
               AND (run_at, id) > ($2, $3) ORDER BY run_at, id LIMIT $4";
    let values = vec![
        Value::from(queue),
        batch::millis(run_at),
        Value::from(id.0),
        Value::from(MAX_BATCH as i64),
    ];
    batch::all(core.db.read(), sql.to_owned(), values)
        .await?
        .iter()
        .map(|row| {
            let run_at = row.try_get("", "run_at")?;
            Ok(Dispatched {
                pointer: Pointer {
                    job: row.try_get("", "id")?,
                    nonce: row.try_get("", "fence")?,
                    lane: row.try_get("", "lane")?,
                    rank: 0,
                },
                run_at,
                dispatched_at: row.try_get("", "dispatched_at")?,
            })
        })
        .collect()
}
