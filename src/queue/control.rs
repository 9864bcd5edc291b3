//! Pause and resume: a durable row, a flag in the transport for speed, and a copy in each process
//! that holds when the transport has forgotten the flag.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

use clipqueue_entities::queue_control;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Value};

use super::{
    batch,
    core::{CONTROL_TOPIC, Core},
};

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
        let paused: HashSet<String> = queue_control::Entity::find()
            .filter(queue_control::Column::Paused.eq(true))
            .all(core.db.read())
            .await?
            .into_iter()
            .map(|row| row.queue)
            .collect();
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
                core.wakes.relay(queue).notify_one();
                core.wakes.fetch(queue).notify_one();
            }
        }
        Ok(())
    }
}

/// Writes whether a queue is paused, and tells every process.
pub(super) async fn set_paused(core: &Core, queue: &str, paused: bool) -> Result<(), DbErr> {
    let now = core.clock.now();
    let sql = "INSERT INTO queue_controls (queue, paused, paused_at, updated_at) \
               VALUES ($1, $2, $3, $4) ON CONFLICT (queue) \
               DO UPDATE SET paused = $2, paused_at = $3, updated_at = $4";
    let values = vec![
        Value::from(queue),
        Value::from(paused),
        Value::from(paused.then_some(now.as_millis())),
        batch::millis(now),
    ];
    batch::run(core.db.write(), sql.to_owned(), values).await?;
    let told = async {
        core.transport.set_paused(queue, paused).await?;
        core.transport.publish(CONTROL_TOPIC, queue).await
    };
    if let Err(error) = told.await {
        tracing::debug!(%error, "a pause could not be told; processes find it by themselves");
    }
    core.wakes.control().notify_one();
    Ok(())
}
