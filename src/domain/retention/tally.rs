//! How much went on each day, and where walks stand.

use std::time::Duration;

use clipqueue_entities::{Timestamp, retention_day, retention_walk};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use crate::{
    app::App,
    crash::{self, Commit},
    domain::error::Result,
};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// A count below this is of few: an erasure leaves none.
pub const FEW: i64 = 10;

/// What a rule removed on a day.
pub type Day = retention_day::Model;

/// Counts what a rule removed just now.
pub(super) async fn add(app: &App, rule: &'static str, removed: u64) -> Result<()> {
    metrics::counter!("clipqueue_retention_removed_total", "rule" => rule).increment(removed);
    let now = app.clock.now().as_millis();
    let counted = Expr::col((retention_day::Entity, retention_day::Column::Removed));
    let more = i64::try_from(removed).unwrap_or(i64::MAX);
    retention_day::Entity::insert(retention_day::ActiveModel {
        day: Set(Timestamp::from_millis(now - now.rem_euclid(DAY))),
        rule: Set(rule.to_owned()),
        removed: Set(more),
    })
    .on_conflict(
        OnConflict::columns([retention_day::Column::Day, retention_day::Column::Rule])
            .value(retention_day::Column::Removed, counted.add(more))
            .to_owned(),
    )
    .exec_without_returning(app.db.write())
    .await?;
    Ok(())
}

/// Deletes the counts of days on which little went, and gives how many they were: what is said of few may
/// be said of somebody.
pub async fn forget_small(app: &App) -> Result<u64> {
    let small = retention_day::Entity::delete_many()
        .filter(retention_day::Column::Removed.lt(FEW))
        .exec(app.db.write());
    let small = crash::write(Commit::RowsErased, small).await?;
    Ok(small.rows_affected)
}

/// What was removed by each rule since `since`, newest day first.
pub async fn days(app: &App, since: Timestamp) -> Result<Vec<Day>> {
    let day = since.as_millis() - since.as_millis().rem_euclid(DAY);
    Ok(retention_day::Entity::find()
        .filter(retention_day::Column::Day.gte(Timestamp::from_millis(day)))
        .order_by_desc(retention_day::Column::Day)
        .order_by_asc(retention_day::Column::Rule)
        .all(app.db.read())
        .await?)
}

/// Whether a rule has not run for `every`.
pub(super) async fn is_due(app: &App, rule: &str, every: Duration) -> Result<bool> {
    let row = retention_walk::Entity::find_by_id(rule)
        .one(app.db.read())
        .await?;
    Ok(row.is_none_or(|row| app.clock.now().since(row.ran_at) >= every))
}

/// Where a walk goes on.
pub(super) async fn cursor(app: &App, rule: &str) -> Result<Option<Uuid>> {
    let row = retention_walk::Entity::find_by_id(rule)
        .one(app.db.read())
        .await?;
    Ok(row.and_then(|row| row.cursor))
}

/// Records that a rule ran and where it goes on.
pub(super) async fn walked(app: &App, rule: &'static str, cursor: Option<Uuid>) -> Result<()> {
    retention_walk::Entity::insert(retention_walk::ActiveModel {
        rule: Set(rule.to_owned()),
        cursor: Set(cursor),
        ran_at: Set(app.clock.now()),
    })
    .on_conflict(
        OnConflict::column(retention_walk::Column::Rule)
            .update_columns([
                retention_walk::Column::Cursor,
                retention_walk::Column::RanAt,
            ])
            .to_owned(),
    )
    .exec_without_returning(app.db.write())
    .await?;
    Ok(())
}
