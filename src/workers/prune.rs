//! `Prune`: deletes what is kept no longer.

use super::Step;
use crate::{app::App, domain::retention};

pub(super) async fn run(app: &App) -> Step {
    let pruned = retention::prune(app).await?;
    tracing::info!(
        jobs = pruned.jobs,
        idempotency_keys = pruned.idempotency_keys,
        oauth_states = pruned.oauth_states,
        budget_marks = pruned.budget_marks,
        "old rows were deleted"
    );
    Ok(())
}
