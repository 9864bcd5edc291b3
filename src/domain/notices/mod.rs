//! TikTok's webhooks: taken in at once, seen to by a job.
//!
//! ```text
//! delivery ─▶ signed? fresh? ours? new? ─▶ row + ApplyNotice, one transaction ─▶ 200
//! ApplyNotice: find the post ─▶ evidence, event, its poll is due now ─▶ has TikTok confirmed it?
//!      │ unknown publish id: look again for a day            yes: settled │ no, for two minutes:
//!      └─▶ settled as unknown                                             └─▶ the notice decides
//! ```
//!
//! A notice is a hint: it makes the poll ask now, and TikTok's answer moves the post. Only when the
//! question cannot be answered does the signed notice count by itself, by the same rules: it may
//! come late, twice and out of order, so nothing in it undoes what was seen to be posted. [`take()`]
//! knows no HTTP; [`follow()`] calls nobody.

mod apply;
mod follow;
mod take;
mod unanswered;

use clipqueue_entities::{AttemptId, NoticeId, PostId, Timestamp, notice};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::Expr,
};

pub use follow::{Next, follow};
pub use take::{Rejected, Taken, take};

use super::error::Result;
use crate::{
    app::App,
    crash::{self, Commit},
};

/// The attempt that the newest open notice about `post` tells of: there is something to ask for,
/// whatever the post's state.
pub async fn hint(app: &App, post: PostId) -> Result<Option<AttemptId>> {
    let newest = notice::Entity::find()
        .filter(notice::Column::PostId.eq(post))
        .filter(notice::Column::SettledAt.is_null())
        .order_by_desc(notice::Column::Id)
        .one(app.db.read())
        .await?;
    Ok(newest.and_then(|notice| notice.attempt_id))
}

/// TikTok answered a question about `attempt` that was asked after the notices were matched.
pub async fn answered(app: &App, attempt: AttemptId) -> Result<()> {
    let noted = notice::Entity::update_many()
        .col_expr(notice::Column::AnsweredAt, Expr::value(app.clock.now()))
        .filter(notice::Column::AttemptId.eq(attempt))
        .filter(notice::Column::SettledAt.is_null())
        .filter(notice::Column::AnsweredAt.is_null())
        .exec(app.db.write());
    crash::write(Commit::NoticeAnswered, noted).await?;
    Ok(())
}

/// Nothing is left to do about a notice.
async fn settle_in_tx(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    id: NoticeId,
    outcome: &'static str,
) -> Result<()> {
    notice::Entity::update_many()
        .col_expr(notice::Column::SettledAt, Expr::value(now))
        .col_expr(notice::Column::Outcome, Expr::value(outcome))
        .filter(notice::Column::Id.eq(id))
        .filter(notice::Column::SettledAt.is_null())
        .exec(tx)
        .await?;
    metrics::counter!("clipqueue_notices_settled_total", "outcome" => outcome).increment(1);
    Ok(())
}
