//! `ExpireUploads`: ends uploads that nobody finished, and frees what is stored for nobody or no longer.

use super::Step;
use crate::{app::App, domain::library::life};

/// Uploads ended in one step.
const BATCH: u64 = 100;

pub(super) async fn run(app: &App) -> Step {
    let swept = app.media.sweep(BATCH).await.map_err(anyhow::Error::from)?;
    let over = life::purge(app).await?;
    tracing::info!(
        media.over = over,
        media.finished = swept.finished,
        media.expired = swept.expired,
        media.purged = swept.purged,
        "uploads were swept"
    );
    Ok(())
}
