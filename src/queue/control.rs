//! Pause, drain and resume: a durable row, a flag in the transport for speed, and a copy in each
//! process that holds when the transport has forgotten the flag.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

use clipqueue_entities::{Timestamp, queue_control};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Value};

use super::{
    audit, batch,
    core::{CONTROL_TOPIC, Core},
    relay::RelayError,
};

/// Whether workers take jobs of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    Open,
    /// They do not; what was handed to the transport waits there.
    Paused,
    /// They do not, and the transport is emptied of it. Once what runs has ended the queue is
    /// drained: no process and no server holds anything of it.
    Draining,
}

/// The paused queues, as this process knows them.
#[derive(Clone, Debug, Default)]
pub(super) struct Paused {
    queues: Arc<RwLock<HashSet<String>>>,
}

impl Paused {
    pub(super) fn contains(&self, queue: &str) -> bool {
        self.queues
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(queue)
    }

    /// Reads the rows and puts what they say into the transport. A transport that does not answer
    /// is asked again by the next call; this process obeys at once.
    pub(super) async fn refresh(&self, core: &Core, queues: &[String]) -> Result<(), DbErr> {
        let rows = paused_rows(core).await?;
        let paused: HashSet<String> = rows.iter().map(|row| row.queue.clone()).collect();
        let before = std::mem::replace(
            &mut *self.queues.write().unwrap_or_else(PoisonError::into_inner),
            paused.clone(),
        );
        for queue in queues {
            let now = paused.contains(queue);
            if let Err(error) = core.transport.set_paused(queue, now).await {
                tracing::debug!(%error, "a pause could not be told to the transport");
            }
            if before.contains(queue) && !now {
                core.wakes.relay(queue).look();
                core.wakes.fetch(queue).notify_one();
            }
        }
        // A relay that had not heard yet may have delivered since the last look.
        for row in rows.iter().filter(|row| row.draining) {
            withdraw(core, &row.queue).await;
        }
        Ok(())
    }
}

/// Puts the pauses of which the transport may have lost the flags back into it.
pub(super) async fn remind(core: &Core) -> Result<(), RelayError> {
    for row in paused_rows(core).await? {
        core.transport.set_paused(&row.queue, true).await?;
    }
    Ok(())
}

async fn paused_rows(core: &Core) -> Result<Vec<queue_control::Model>, DbErr> {
    queue_control::Entity::find()
        .filter(queue_control::Column::Paused.eq(true))
        .all(core.db.read())
        .await
}

async fn withdraw(core: &Core, queue: &str) {
    if let Err(error) = audit::withdraw(core, queue).await {
        tracing::debug!(%error, "pointers of a draining queue stay for now");
    }
}

/// Writes whether workers may take jobs of a queue. A process of an older version that knows no
/// drain obeys it as a pause.
pub(super) async fn set_in(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    queue: &str,
    mode: Mode,
) -> Result<(), DbErr> {
    let paused = mode != Mode::Open;
    let sql = "INSERT INTO queue_controls (queue, paused, draining, paused_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (queue) \
               DO UPDATE SET paused = $2, draining = $3, paused_at = $4, updated_at = $5";
    let values = vec![
        Value::from(queue),
        Value::from(paused),
        Value::from(mode == Mode::Draining),
        Value::from(paused.then_some(now.as_millis())),
        batch::millis(now),
    ];
    batch::run(connection, sql.to_owned(), values)
        .await
        .map(drop)
}

/// Tells every process of a committed mode.
pub(super) async fn announce(core: &Core, queue: &str, mode: Mode) {
    let told = async {
        core.transport.set_paused(queue, mode != Mode::Open).await?;
        core.transport.publish(CONTROL_TOPIC, queue).await
    };
    if let Err(error) = told.await {
        tracing::debug!(%error, "a pause could not be told; processes find it by themselves");
    }
    if mode == Mode::Draining {
        withdraw(core, queue).await;
    }
    core.wakes.control().notify_one();
}
