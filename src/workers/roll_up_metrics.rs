//! `RollUpMetrics`: old readings become one an hour, then one a day.

use super::Step;
use crate::{app::App, domain::counters::roll_up};

pub(super) async fn run(app: &App) -> Step {
    let rolled = roll_up::run(app).await?;
    tracing::info!(
        videos = rolled.videos,
        hourly = rolled.hourly,
        daily = rolled.daily,
        deleted = rolled.deleted,
        "old readings were rolled up"
    );
    Ok(())
}
