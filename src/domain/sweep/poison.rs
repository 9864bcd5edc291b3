//! Posts whose job ended because it kills the workers that take it up.
//!
//! Such a job is given up as poison after a few crashes in a row. A new one at once would do the same to
//! the next workers, for ever; so it has to wait, each time twice as long.

use std::time::Duration;

use clipqueue_entities::{
    Timestamp,
    job::{self, JobState},
    post,
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use crate::{app::App, domain::error::Result, job::Job, queue::POISON_CRASHES};

/// The first wait.
const REST: Duration = Duration::from_secs(3600);
/// What is longer ago does not count.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest wait is a day and a quarter, by doubling.
const DOUBLINGS: u32 = 5;

/// Until when the post's job should rest; nothing when it never killed anybody.
pub(super) async fn rests_until(
    app: &App,
    post: &post::Model,
    wanted: &Job,
) -> Result<Option<Timestamp>> {
    let poisoned: Vec<job::Model> = job::Entity::find()
        .filter(job::Column::Lane.eq(post.account_id.to_string()))
        .filter(job::Column::Kind.eq(wanted.kind()))
        .filter(job::Column::State.eq(JobState::Discarded))
        .filter(job::Column::Crashes.gte(POISON_CRASHES))
        .filter(job::Column::FinishedAt.gt(app.clock.now() - REMEMBERED))
        .order_by_desc(job::Column::Id)
        .all(app.db.read())
        .await?;
    let mut own = poisoned
        .into_iter()
        .filter(|job| Job::read(&job.kind, job.args.clone()).is_ok_and(|read| read == *wanted));
    let Some(finished) = own.next().and_then(|job| job.finished_at) else {
        return Ok(None);
    };
    let doublings = u32::try_from(own.count()).unwrap_or(DOUBLINGS);
    Ok(Some(finished + REST * 2_u32.pow(doublings.min(DOUBLINGS))))
}
