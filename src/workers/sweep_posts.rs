//! `SweepPosts`: finds posts that are overdue or that no job cares for, and acts on many jobs whose own
//! job was given up.

use super::Step;
use crate::{
    app::App,
    domain::{bulk, sweep},
    job::{STATUS, UPLOADS},
};

pub(super) async fn run(app: &App) -> Step {
    let swept = sweep::sweep(app).await?;
    metrics::counter!("clipqueue_posts_overdue_total").increment(swept.overdue);
    metrics::counter!("clipqueue_posts_orphaned_total").increment(swept.orphans);
    bulk::end_without_job(app).await?;
    app.nudge(UPLOADS);
    app.nudge(STATUS);
    Ok(())
}
