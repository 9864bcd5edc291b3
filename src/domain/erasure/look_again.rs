//! A second look at everything that has no foreign key to hold it: what was under way while the rows
//! were deleted may have written once more. It is repeated until nothing is found.

use std::time::Duration;

use clipqueue_entities::{
    erasure::{self, ErasureScope},
    event, idempotency_key, webhook_delivery,
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use super::{Step, Watched, rows, steps};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{deletions, error::Result, key_accounts},
    queue::ledger,
};

/// What the look found.
#[derive(Clone, Debug, PartialEq)]
pub enum Again {
    /// Nothing, after the time that it takes. What was looked at, in numbers.
    Clean(Value),
    /// Look once more after this time.
    In(Duration),
}

/// Looks, unless it is too early, and deletes what it finds.
pub async fn look_again(app: &App, erasure: &erasure::Model) -> Result<Again> {
    let wait = app.config.erasure.look_again_after;
    let gone = steps(app, erasure.id)
        .await?
        .into_iter()
        .find(|row| row.step == Step::Rows.word());
    let since = gone.map_or(erasure.requested_at, |row| row.done_at);
    let passed = app.clock.now().since(since);
    if passed < wait {
        return Ok(Again::In(wait - passed));
    }
    let watched = Watched::of(erasure);
    let mut found = 0;
    for lane in &watched.lanes {
        found += rows::delete_jobs(app, lane).await?;
        found += ledger::running_in_lane(app.db.read(), lane).await?;
    }
    for account in &watched.accounts {
        found += rows::delete_marks(app, *account).await?;
        if let Some(user) = watched.user {
            let tx = app.db.begin().await?;
            found += key_accounts::forget_in_tx(&tx, user, *account).await?;
            crash::commit(tx, Commit::RowsErased).await?;
        }
        let deliveries = webhook_delivery::Entity::delete_many()
            .filter(webhook_delivery::Column::AccountId.eq(*account))
            .exec(app.db.write());
        found += crash::write(Commit::RowsErased, deliveries)
            .await?
            .rows_affected;
        let events = event::Entity::delete_many()
            .filter(event::Column::UserId.eq(watched.user))
            .filter(event::Column::AccountId.eq(*account))
            .exec(app.db.write());
        found += crash::write(Commit::RowsErased, events)
            .await?
            .rows_affected;
    }
    if let (ErasureScope::User, Some(user)) = (erasure.scope, watched.user) {
        let events = event::Entity::delete_many()
            .filter(event::Column::UserId.eq(user))
            .exec(app.db.write());
        found += crash::write(Commit::RowsErased, events)
            .await?
            .rows_affected;
        let answers = idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::UserId.eq(user))
            .exec(app.db.write());
        found += crash::write(Commit::RowsErased, answers)
            .await?
            .rows_affected;
    }
    // A letter that told of the beginning may have been written late; the one about the end comes later.
    deletions::prove::forget_letters(app, erasure.id).await?;
    for file in &watched.media {
        found += app.media.wipe(*file).await.map_err(anyhow::Error::from)?;
    }
    for export in &watched.exports {
        let owner = export.to_string();
        let storage = app.media.storage();
        let stored = storage.has_parcels(&owner).await;
        found += u64::from(stored.map_err(anyhow::Error::from)?);
        let removed = storage.remove_parcels(&owner).await;
        removed.map_err(anyhow::Error::from)?;
    }
    if found > 0 {
        tracing::info!(erasure.id = %erasure.id, found, "something came back while it was erased");
        return Ok(Again::In(wait.max(Duration::from_secs(1))));
    }
    Ok(Again::Clean(json!({
        "accounts": watched.accounts.len(),
        "files": watched.media.len(),
        "found": 0,
    })))
}
