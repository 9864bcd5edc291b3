//! Posts of a day: counted in the transaction that accepts them, so that two requests never share the
//! last one.
//!
//! The day is UTC's. The count is a row of its own, since posts may be deleted and what was accepted
//! was accepted; a post that is sent again by its owner is not counted again.

use std::time::Duration;

use clipqueue_entities::{Timestamp, UserId, usage_day};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{
    Standing,
    reached::{self, Limit},
};
use crate::{
    app::App,
    domain::error::{Code, Refusal, Result},
};

/// A day of UTC.
const DAY: Duration = Duration::from_secs(86_400);
/// How long the count of a day is kept after it.
const KEPT: Duration = Duration::from_secs(31 * 86_400);

/// How many posts were accepted of those that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Posts that may be made.
    pub posts: usize,
    /// Why not all.
    pub refusal: Option<Refusal>,
}

/// Counts `wanted` posts, or as many of them as the plan still allows today.
pub async fn take_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    user: UserId,
    wanted: usize,
) -> Result<Taken> {
    if wanted == 0 {
        return Ok(Taken {
            posts: 0,
            refusal: None,
        });
    }
    let day = today(app.clock.now());
    let asked = i64::try_from(wanted).unwrap_or(i64::MAX);
    usage_day::Entity::insert(usage_day::ActiveModel {
        user_id: Set(user),
        day: Set(day),
        posts: Set(asked),
        told: Set(0),
    })
    .on_conflict(
        OnConflict::columns([usage_day::Column::UserId, usage_day::Column::Day])
            .value(
                usage_day::Column::Posts,
                Expr::col((usage_day::Entity, usage_day::Column::Posts)).add(asked),
            )
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    let plan = super::of(app, tx, user).await?;
    if plan.cut_off {
        put_back(tx, user, day, asked).await?;
        return Ok(Taken {
            posts: 0,
            refusal: Some(ended()),
        });
    }
    let used = used_on(tx, user, day).await?;
    if used == asked.unsigned_abs() {
        // The first of a day takes old days away.
        usage_day::Entity::delete_many()
            .filter(usage_day::Column::UserId.eq(user))
            .filter(usage_day::Column::Day.lt(day - KEPT))
            .exec(tx)
            .await?;
    }
    let Some(limit) = plan.limits.posts_per_day else {
        return Ok(Taken {
            posts: wanted,
            refusal: None,
        });
    };
    let surplus = Ord::min(used.saturating_sub(limit), asked.unsigned_abs());
    if used >= limit {
        // With a refusal of the whole request it is undone, and was told before.
        reached::tell_in_tx(app, tx, user, Limit::Posts).await?;
    }
    if surplus == 0 {
        return Ok(Taken {
            posts: wanted,
            refusal: None,
        });
    }
    let back = i64::try_from(surplus).unwrap_or(i64::MAX);
    put_back(tx, user, day, back).await?;
    metrics::counter!("clipqueue_plan_refusals_total", "limit" => "posts_per_day").increment(1);
    Ok(Taken {
        posts: usize::try_from(asked.unsigned_abs() - surplus).unwrap_or(usize::MAX),
        refusal: Some(refusal(&plan, limit, day + DAY)),
    })
}

/// The same for one post, which is refused when the plan allows no more.
pub async fn take_one_in_tx(app: &App, tx: &impl ConnectionTrait, user: UserId) -> Result<()> {
    match take_in_tx(app, tx, user, 1).await?.refusal {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

/// What `take` would say to `wanted` posts now, without counting them.
pub async fn room(app: &App, user: UserId, wanted: usize) -> Result<Taken> {
    let (db, day) = (app.db.read(), today(app.clock.now()));
    let plan = super::of(app, db, user).await?;
    if plan.cut_off && wanted > 0 {
        return Ok(Taken {
            posts: 0,
            refusal: Some(ended()),
        });
    }
    let Some(limit) = plan.limits.posts_per_day else {
        return Ok(Taken {
            posts: wanted,
            refusal: None,
        });
    };
    let left = limit.saturating_sub(used_on(db, user, day).await?);
    let posts = Ord::min(usize::try_from(left).unwrap_or(usize::MAX), wanted);
    Ok(Taken {
        posts,
        refusal: (posts < wanted).then(|| refusal(&plan, limit, day + DAY)),
    })
}

/// Takes so many off the count again.
async fn put_back(
    tx: &impl ConnectionTrait,
    user: UserId,
    day: Timestamp,
    posts: i64,
) -> Result<()> {
    usage_day::Entity::update_many()
        .col_expr(
            usage_day::Column::Posts,
            Expr::col(usage_day::Column::Posts).sub(posts),
        )
        .filter(usage_day::Column::UserId.eq(user))
        .filter(usage_day::Column::Day.eq(day))
        .exec(tx)
        .await?;
    Ok(())
}

/// Posts that were accepted on the day, which begins with this instant.
pub(super) async fn used_on(
    db: &impl ConnectionTrait,
    user: UserId,
    day: Timestamp,
) -> Result<u64> {
    let row = usage_day::Entity::find_by_id((user, day)).one(db).await?;
    Ok(row.map_or(0, |row| row.posts.unsigned_abs()))
}

/// The first instant of the day of `now`.
pub(super) fn today(now: Timestamp) -> Timestamp {
    let millis = now.as_millis();
    Timestamp::from_millis(millis - millis.rem_euclid(86_400_000))
}

/// The first instant of the day after.
pub(super) fn tomorrow(now: Timestamp) -> Timestamp {
    today(now) + DAY
}

fn ended() -> Refusal {
    metrics::counter!("clipqueue_plan_refusals_total", "limit" => "ended").increment(1);
    let text = "the subscription has ended, so no more posts are accepted; renew it at PayPal or ask the operator \
                for a plan. What was accepted goes on, and everything else works";
    Refusal::whole(Code::PlanEnded, text)
}

fn refusal(plan: &Standing, limit: u64, again: Timestamp) -> Refusal {
    let text = format!(
        "the plan {} allows {limit} posts a day, and they are used up; send this again when the next day \
         of UTC begins, or ask for a larger plan",
        plan.word()
    );
    Refusal {
        retry_at: Some(again),
        ..Refusal::whole(Code::QuotaExceeded, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_of_utc() {
        let noon = Timestamp::from_secs(1_800_014_400);
        assert_eq!(today(noon), Timestamp::from_secs(1_799_971_200));
        assert_eq!(today(today(noon)), today(noon));
        assert_eq!(tomorrow(noon), Timestamp::from_secs(1_800_057_600));
    }
}
