//! What makes sure of imports: one whose job was lost gets another. Bounded and safe to repeat.

use std::time::Duration;

use clipqueue_entities::media_import as import;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::job;
use crate::{app::App, domain::error::Result, job::IMPORTS};

/// An open import that did not change for this long may have lost its job.
const QUIET: Duration = Duration::from_secs(600);
/// Imports that are looked at in one go.
const BATCH: u64 = 200;

/// Looks for imports that nobody cares for.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.clock.now();
    let quiet = import::Entity::find()
        .filter(import::Column::EndedAt.is_null())
        .filter(import::Column::UpdatedAt.lte(now - QUIET))
        .order_by_asc(import::Column::UpdatedAt)
        .limit(BATCH)
        .all(app.db.read())
        .await?;
    if quiet.is_empty() {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    let jobs = quiet.iter().map(|row| (job(row), None)).collect();
    app.enqueue_many_in_tx(&tx, jobs).await?;
    tx.commit().await?;
    app.nudge(IMPORTS);
    Ok(())
}
