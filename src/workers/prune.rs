//! `Prune`: deletes what is kept no longer.

use super::Step;
use crate::{
    app::App,
    domain::{erasure, exports, retention},
    job::{OPS, PURGE},
};

pub(super) async fn run(app: &App) -> Step {
    // An erasure whose job was given up or lost goes on.
    erasure::resume(app).await?;
    app.nudge(PURGE);
    exports::resume(app).await?;
    app.nudge(OPS);
    for (rule, removed) in retention::prune(app).await?.0 {
        if removed > 0 {
            tracing::info!(rule, removed, "what was kept long enough is gone");
        }
    }
    Ok(())
}
