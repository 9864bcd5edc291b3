//! An account's days: the counters of all of its videos together.

use clipqueue_entities::{AccountId, Timestamp, account_day, tracked_video};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, FromQueryResult,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, Func, OnConflict},
};

use super::roll_up::{DAY_MS, floor};
use crate::domain::error::Result;

/// The days of an account since `from`, oldest first. A day without a look is not among them.
pub(super) async fn since(
    db: &impl ConnectionTrait,
    account: AccountId,
    from: Timestamp,
) -> Result<Vec<account_day::Model>> {
    Ok(account_day::Entity::find()
        .filter(account_day::Column::AccountId.eq(account))
        .filter(account_day::Column::Day.gte(floor(from, DAY_MS)))
        .order_by_asc(account_day::Column::Day)
        .all(db)
        .await?)
}

#[derive(Debug, FromQueryResult)]
struct Totals {
    videos: i64,
    views: Option<i64>,
    likes: Option<i64>,
    comments: Option<i64>,
    shares: Option<i64>,
}

/// Writes the day's totals; gives how many videos they are of.
pub(super) async fn total_in_tx(
    tx: &impl ConnectionTrait,
    account: AccountId,
    now: Timestamp,
) -> Result<i32> {
    // PostgreSQL makes a numeric of a sum of 64 bits.
    let sum =
        |column: tracked_video::Column| Expr::expr(Func::sum(Expr::col(column))).cast_as("bigint");
    let totals = tracked_video::Entity::find()
        .select_only()
        .expr_as(Func::count(Expr::col(tracked_video::Column::Id)), "videos")
        .expr_as(sum(tracked_video::Column::Views), "views")
        .expr_as(sum(tracked_video::Column::Likes), "likes")
        .expr_as(sum(tracked_video::Column::Comments), "comments")
        .expr_as(sum(tracked_video::Column::Shares), "shares")
        .filter(tracked_video::Column::AccountId.eq(account))
        .filter(tracked_video::Column::VanishedAt.is_null())
        .filter(tracked_video::Column::LastSeenAt.is_not_null())
        .into_model::<Totals>()
        .one(tx)
        .await?;
    let Some(totals) = totals else { return Ok(0) };
    let videos = i32::try_from(totals.videos).unwrap_or(i32::MAX);
    account_day::Entity::insert(account_day::ActiveModel {
        account_id: Set(account),
        day: Set(floor(now, DAY_MS)),
        taken_at: Set(now),
        videos: Set(videos),
        views: Set(totals.views),
        likes: Set(totals.likes),
        comments: Set(totals.comments),
        shares: Set(totals.shares),
    })
    .on_conflict(
        OnConflict::columns([account_day::Column::AccountId, account_day::Column::Day])
            .update_columns([
                account_day::Column::TakenAt,
                account_day::Column::Videos,
                account_day::Column::Views,
                account_day::Column::Likes,
                account_day::Column::Comments,
                account_day::Column::Shares,
            ])
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    Ok(videos)
}
