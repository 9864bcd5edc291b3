//! What is deleted by age, in bounded batches that are safe to repeat.

use std::time::Duration;

use clipqueue_entities::{idempotency_key, oauth_state};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::error::Result;
use crate::app::App;

/// A retried request is answered from memory for this long.
const IDEMPOTENCY_TTL: Duration = Duration::from_secs(30 * 86_400);
/// A spent or expired consent is kept this long, so that a second use can be told from an unknown one.
const OAUTH_STATE_TTL: Duration = Duration::from_secs(86_400);
/// Finished jobs deleted in one statement.
const BATCH: u64 = 1000;

/// What one run deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Finished jobs.
    pub jobs: u64,
    /// Idempotency keys.
    pub idempotency_keys: u64,
    /// Spent or expired consents.
    pub oauth_states: u64,
}

/// Deletes everything that is due.
pub async fn prune(app: &App) -> Result<Pruned> {
    let now = app.clock.now();
    let mut pruned = Pruned::default();
    loop {
        let deleted = app
            .queue
            .prune(now - app.config.queue.keep_finished, BATCH)
            .await?;
        pruned.jobs += deleted;
        if deleted < BATCH {
            break;
        }
    }
    pruned.idempotency_keys = idempotency_key::Entity::delete_many()
        .filter(idempotency_key::Column::CreatedAt.lt(now - IDEMPOTENCY_TTL))
        .exec(app.db.write())
        .await?
        .rows_affected;
    pruned.oauth_states = oauth_state::Entity::delete_many()
        .filter(oauth_state::Column::ExpiresAt.lt(now - OAUTH_STATE_TTL))
        .exec(app.db.write())
        .await?
        .rows_affected;
    Ok(pruned)
}
