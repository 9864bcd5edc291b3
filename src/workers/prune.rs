//! `Prune`: deletes what is kept no longer.

use super::Step;
use crate::{
    app::App,
    domain::{erasure, retention},
    job::PURGE,
};

pub(super) async fn run(app: &App) -> Step {
    // An erasure whose job was given up or lost goes on.
    erasure::resume(app).await?;
    app.nudge(PURGE);
    let receipts = erasure::prune(app).await?;
    let pruned = retention::prune(app).await?;
    tracing::info!(
        jobs = pruned.jobs,
        idempotency_keys = pruned.idempotency_keys,
        oauth_states = pruned.oauth_states,
        budget_marks = pruned.budget_marks,
        receipts,
        "old rows were deleted"
    );
    Ok(())
}
