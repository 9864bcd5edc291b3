//! `ExpireUploads`: ends uploads that nobody finished and frees what they stored.

use super::Step;
use crate::app::App;

/// Uploads ended in one step.
const BATCH: u64 = 100;

pub(super) async fn run(app: &App) -> Step {
    loop {
        let ended = app
            .media
            .expire_due(app.clock.now(), BATCH)
            .await
            .map_err(anyhow::Error::from)?;
        if ended < BATCH {
            return Ok(());
        }
    }
}
