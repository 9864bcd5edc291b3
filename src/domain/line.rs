//! Who waits, why, until when, and in which place.
//!
//! A post waits when it is due and may not go yet. That is no change of state and costs nothing, but it
//! is written down, so that its owner can see it. Posts of one account and mode stand in one line, by
//! the time at which they were due; the line says when each is tried again, so that a thousand posts do
//! not all ask at once for the six places of the next minute.

use std::time::Duration;

use clipqueue_entities::{
    AccountId, Timestamp,
    post::{self, PostMode},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Alias, Expr, Func, Query},
};
use serde_json::json;

use super::{
    error::Result,
    events::{self, NewEvent},
};
use crate::app::App;

/// Places beyond this one are all this one: nobody plans by them, and counting has an end.
pub const LAST_PLACE: u32 = 1_000;

/// When a post was due: its place in the line.
pub fn due(post: &post::Model) -> Timestamp {
    post.publish_at.unwrap_or(post.created_at)
}

/// Writes down that `post` waits, and gives it as it is then. Its owner is told when the reason is new.
pub async fn note_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    post: &post::Model,
    reason: &str,
    until: Timestamp,
) -> Result<post::Model> {
    let now = app.clock.now();
    let row = post::ActiveModel {
        wait_reason: Set(Some(reason.to_owned())),
        wait_until: Set(Some(until)),
        wait_due: Set(Some(due(post))),
        ..Default::default()
    };
    post::Entity::update_many()
        .set(row)
        .filter(post::Column::Id.eq(post.id))
        .filter(post::Column::State.eq(post.state))
        .exec(tx)
        .await?;
    if post.wait_reason.as_deref() != Some(reason) {
        events::append_in_tx(
            tx,
            now,
            NewEvent {
                user_id: post.user_id,
                account_id: Some(post.account_id),
                post_id: Some(post.id),
                kind: "post.waiting",
                data: json!({ "reason": reason }),
                evidence_id: None,
            },
        )
        .await?;
    }
    Ok(post::Model {
        wait_reason: Some(reason.to_owned()),
        wait_until: Some(until),
        wait_due: Some(due(post)),
        ..post.clone()
    })
}

/// The place of `post` in its line, counted from one and no further than [`LAST_PLACE`].
pub async fn place(app: &App, post: &post::Model) -> Result<u32> {
    let due = post.wait_due.unwrap_or_else(|| due(post));
    let before = Condition::any().add(post::Column::WaitDue.lt(due)).add(
        Condition::all()
            .add(post::Column::WaitDue.eq(due))
            .add(post::Column::Id.lt(post.id)),
    );
    let ahead = counted(app, post.account_id, Some(post.mode), before).await?;
    Ok((ahead + 1).min(LAST_PLACE))
}

/// How many posts of an account wait; no more than [`LAST_PLACE`] are counted.
pub async fn length(app: &App, account: AccountId) -> Result<u32> {
    counted(app, account, None, Condition::all()).await
}

/// The first posts of an account's lines, by the time at which they were due.
pub async fn first(app: &App, account: AccountId, limit: u64) -> Result<Vec<post::Model>> {
    Ok(post::Entity::find()
        .filter(post::Column::AccountId.eq(account))
        .filter(post::Column::WaitReason.is_not_null())
        .order_by_asc(post::Column::WaitDue)
        .order_by_asc(post::Column::Id)
        .limit(limit)
        .all(app.db.read())
        .await?)
}

async fn counted(
    app: &App,
    account: AccountId,
    mode: Option<PostMode>,
    which: Condition,
) -> Result<u32> {
    let mut ahead = post::Entity::find()
        .select_only()
        .column(post::Column::Id)
        .filter(post::Column::AccountId.eq(account))
        .filter(post::Column::WaitReason.is_not_null())
        .filter(which)
        .limit(u64::from(LAST_PLACE));
    if let Some(mode) = mode {
        ahead = ahead.filter(post::Column::Mode.eq(mode));
    }
    let count = Query::select()
        .expr_as(Func::count(Expr::col("id")), "n")
        .from_subquery(ahead.into_query(), Alias::new("line"))
        .to_owned();
    let row = app.db.read().query_one(&count).await?;
    let count = match row {
        Some(row) => row.try_get::<i64>("", "n")?,
        None => 0,
    };
    Ok(u32::try_from(count).unwrap_or(LAST_PLACE))
}

/// How long the post in `place` waits when the next of `limit` places in each `window` is free after
/// `first`.
pub fn turn(first: Duration, place: u32, limit: u32, window: Duration) -> Duration {
    let rounds = place.saturating_sub(1) / limit.max(1);
    first + window * rounds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_first_six_go_in_the_next_minute() {
        let first = Duration::from_secs(20);
        assert_eq!(turn(first, 1, 6, MINUTE), first);
        assert_eq!(turn(first, 6, 6, MINUTE), first);
        assert_eq!(turn(first, 7, 6, MINUTE), first + MINUTE);
    }

    proptest! {
        /// Nobody is told a time before somebody who stands in front, and no window is promised to more
        /// than fit.
        #[test]
        fn the_line_keeps_its_order_and_its_room(limit in 0_u32..40, places in 1_u32..2_000) {
            let turns: Vec<Duration> =
                (1..=places).map(|place| turn(MINUTE, place, limit, MINUTE)).collect();
            prop_assert!(turns.windows(2).all(|pair| pair[0] <= pair[1]));
            let most = turns.chunk_by(|a, b| a == b).map(<[Duration]>::len).max();
            prop_assert!(most.unwrap_or(0) <= limit.max(1) as usize);
        }
    }
}
