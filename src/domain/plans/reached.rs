//! Telling a user that a limit of the plan was reached: an event, once for each limit and day of UTC.
//!
//! Posts reach theirs with the last one that is accepted; storage and operations with the first that is
//! refused, which leaves nothing behind, so that they are told of in a transaction of their own.

use clipqueue_entities::{UserId, usage_day};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;

use super::posts::today;
use crate::{
    app::App,
    domain::{
        error::Result,
        events::{self, NewEvent},
    },
    job::OUTBOUND,
};

/// What the event is called.
pub const KIND: &str = "quota.reached";

/// A limit of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Posts accepted on a day.
    Posts,
    /// Bytes, or files, stored at a time.
    Storage,
    /// Operations of the API within a minute.
    Requests,
}

impl Limit {
    /// The word in the event: the setting's name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Posts => "posts_per_day",
            Self::Storage => "storage_bytes",
            Self::Requests => "requests_per_minute",
        }
    }

    /// Its bit in `usage_days.told`.
    const fn bit(self) -> i64 {
        match self {
            Self::Posts => 1,
            Self::Storage => 2,
            Self::Requests => 4,
        }
    }
}

/// Tells `user`, unless that was done today. What was refused stays refused, whatever becomes of this.
pub async fn tell(app: &App, user: UserId, limit: Limit) {
    if let Err(error) = try_tell(app, user, limit).await {
        tracing::warn!(
            ?error,
            limit = limit.word(),
            "a user is not told of a limit"
        );
    }
}

async fn try_tell(app: &App, user: UserId, limit: Limit) -> Result<()> {
    // Whoever is refused goes on asking: most find with one look that it was told.
    let day = today(app.clock.now());
    let row = usage_day::Entity::find_by_id((user, day))
        .one(app.db.read())
        .await?;
    if row.is_some_and(|row| row.told & limit.bit() != 0) {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    tell_in_tx(app, &tx, user, limit).await?;
    tx.commit().await?;
    app.nudge(OUTBOUND);
    app.announce(user).await;
    Ok(())
}

/// The same in the transaction in which the limit is reached.
pub(super) async fn tell_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    user: UserId,
    limit: Limit,
) -> Result<()> {
    let now = app.clock.now();
    let (day, bit) = (today(now), limit.bit());
    usage_day::Entity::insert(usage_day::ActiveModel {
        user_id: Set(user),
        day: Set(day),
        posts: Set(0),
        told: Set(0),
    })
    .on_conflict(
        OnConflict::columns([usage_day::Column::UserId, usage_day::Column::Day])
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    let told = || Expr::col(usage_day::Column::Told);
    let marked = usage_day::Entity::update_many()
        .col_expr(usage_day::Column::Told, told().add(bit))
        .filter(usage_day::Column::UserId.eq(user))
        .filter(usage_day::Column::Day.eq(day))
        .filter(told().bit_and(bit).eq(0))
        .exec(tx)
        .await?;
    if marked.rows_affected == 0 {
        return Ok(());
    }
    let plan = super::of(app, tx, user).await?;
    let event = NewEvent {
        user_id: user,
        account_id: None,
        post_id: None,
        kind: KIND,
        data: json!({ "limit": limit.word(), "plan": plan.word() }),
        evidence_id: None,
    };
    events::append_in_tx(tx, now, event).await?;
    Ok(())
}
