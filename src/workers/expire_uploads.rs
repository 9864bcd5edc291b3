//! `ExpireUploads`: ends uploads that nobody finished, and frees what is stored for nobody.

use super::Step;
use crate::app::App;

/// Uploads ended in one step.
const BATCH: u64 = 100;

pub(super) async fn run(app: &App) -> Step {
    let swept = app.media.sweep(BATCH).await.map_err(anyhow::Error::from)?;
    tracing::info!(
        media.finished = swept.finished,
        media.expired = swept.expired,
        media.purged = swept.purged,
        "uploads were swept"
    );
    Ok(())
}
