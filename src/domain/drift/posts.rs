//! Posts that are lost, and posts that are at TikTok more than once. Reads only.

use std::time::Duration;

use clipqueue_entities::{
    job,
    job::JobState,
    post::{self, PostState},
};
use sea_orm::{
    ColumnTrait as _, DatabaseBackend, EntityTrait as _, Iterable as _, PaginatorTrait as _,
    QueryFilter as _, QuerySelect as _, Statement,
};

use super::Findings;
use crate::{app::App, domain::error::Result, job::Jobs};

/// Posts older than this were compared often enough.
const RECENT: Duration = Duration::from_secs(7 * 86_400);
/// Examples that a remark names.
const EXAMPLES: u64 = 5;

/// How many accepted posts nothing would ever move again: without a deadline although they are not
/// over, or with their job in a queue that nobody runs. Posts without a job have got one by now.
pub(super) async fn lost(app: &App, findings: &mut Findings) -> Result<i64> {
    let unfinished = PostState::iter().filter(|state| !ends(*state));
    let timeless = post::Entity::find()
        .filter(post::Column::DeadlineAt.is_null())
        .filter(post::Column::State.is_in(unfinished));
    let without_end = timeless.clone().count(app.db.read()).await?;
    if without_end > 0 {
        let some = timeless.limit(EXAMPLES).all(app.db.read()).await?;
        let ids: Vec<String> = some.iter().map(|post| post.id.to_string()).collect();
        findings.remark(format!(
            "{without_end} posts have no deadline although they are not over, such as {}",
            ids.join(", ")
        ));
    }
    let nobodys = job::Entity::find()
        .filter(job::Column::Queue.is_not_in(Jobs::QUEUES))
        .filter(job::Column::Kind.is_in(["upload_post", "poll_post"]))
        .filter(job::Column::State.is_in([
            JobState::Scheduled,
            JobState::Available,
            JobState::Retryable,
            JobState::Running,
        ]))
        .count(app.db.read())
        .await?;
    if nobodys > 0 {
        findings.remark(format!(
            "{nobodys} jobs of posts are in queues that this version does not run"
        ));
    }
    Ok(i64::try_from(without_end + nobodys).unwrap_or(i64::MAX))
}

/// Whether a post may stay in `state` for ever.
const fn ends(state: PostState) -> bool {
    matches!(
        state,
        PostState::Draft
            | PostState::Published
            | PostState::Failed
            | PostState::Cancelled
            | PostState::Missed
            | PostState::Lapsed
    )
}

/// How many posts of the last days TikTok has more than once, as far as our own ledger tells: two
/// attempts of one post that both got through, or two posts with the same public id.
pub(super) async fn duplicates(app: &App, findings: &mut Findings) -> Result<i64> {
    let ids = match app.db.backend() {
        DatabaseBackend::Postgres => {
            "jsonb_array_elements_text(p.tiktok_post_ids::jsonb) AS e(value)"
        }
        _ => "json_each(p.tiktok_post_ids) AS e",
    };
    let twice = "SELECT CAST(a.post_id AS text) AS what FROM post_attempts a \
                 WHERE a.created_at >= $1 AND a.outcome IN ('published', 'inbox') \
                 GROUP BY a.post_id HAVING count(*) > 1";
    let shared = format!(
        "SELECT CAST(e.value AS text) AS what FROM posts p CROSS JOIN {ids} \
         WHERE p.created_at >= $1 GROUP BY e.value HAVING count(DISTINCT p.id) > 1"
    );
    let since = (app.clock.now() - RECENT).as_millis();
    let mut duplicates = 0;
    for (sql, text) in [
        (
            twice.to_owned(),
            "posts got through in more than one attempt",
        ),
        (
            shared,
            "public ids of TikTok's belong to more than one post",
        ),
    ] {
        let backend = app.db.backend();
        let statement = Statement::from_sql_and_values(backend, sql, [since.into()]);
        let rows = sea_orm::ConnectionTrait::query_all_raw(app.db.read(), statement).await?;
        if !rows.is_empty() {
            findings.remark(format!("{} {text}", rows.len()));
        }
        duplicates += i64::try_from(rows.len()).unwrap_or(i64::MAX);
    }
    Ok(duplicates)
}
