//! How long a file is kept: as long as a post needs it, and then for the time that the plan gives.
//!
//! The time begins with the last thing that happened to the file: its upload, another announcement of
//! the same bytes, the end of a post that used it, or the beginning of the plan. The date can be told in advance exactly when no
//! post needs the file; [`over`] goes by the same rule, and retention by that.

use std::{collections::HashMap, time::Duration};

use clipqueue_entities::{
    MediaId, Timestamp, UserId,
    media::{self, MediaState},
    post::{self, PostState},
    post_photo,
};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, Iterable as _, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};

use crate::{
    app::App,
    domain::{error::Result, plans, post_state},
};

/// Files that are looked at in one step.
const BATCH: u64 = 200;

/// How long a file is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// When its bytes are deleted, as things are; not known while a post needs them, or when the plan
    /// sets no end.
    pub purge_at: Option<Timestamp>,
    /// Posts that need it.
    pub needed_by: u64,
    /// How long the plan keeps what no post needs; nothing when that is for good.
    pub kept: Option<Duration>,
}

/// What the posts say about a file.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    needed_by: u64,
    last: Option<Timestamp>,
}

/// How long files of `user` are kept; of those that have bytes.
pub async fn of(app: &App, user: UserId, ids: &[MediaId]) -> Result<HashMap<MediaId, Life>> {
    let rows = media::Entity::find()
        .filter(media::Column::UserId.eq(user))
        .filter(media::Column::Id.is_in(ids.iter().copied()))
        .filter(media::Column::State.eq(MediaState::Ready))
        .all(app.db.read())
        .await?;
    lives(app, &rows).await
}

async fn lives(app: &App, rows: &[media::Model]) -> Result<HashMap<MediaId, Life>> {
    let mut users: Vec<UserId> = rows.iter().map(|row| row.user_id).collect();
    users.sort_unstable();
    users.dedup();
    let plans = plans::of_many(app, &users).await?;
    let ids: Vec<MediaId> = rows.iter().map(|row| row.id).collect();
    let uses = uses(app, &ids).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let plan = plans.get(&row.user_id);
            let terms = Terms {
                kept: plan.and_then(|plan| plan.limits.media_retention),
                since: plan.and_then(|plan| plan.since),
                then: plan
                    .and_then(|plan| plan.ends_at)
                    .zip(app.config.plans.free.media_retention),
            };
            let uses = uses.get(&row.id).copied().unwrap_or_default();
            let came = row.ready_at.unwrap_or(row.updated_at);
            (row.id, life(came, uses, terms))
        })
        .collect())
}

/// How long a plan keeps files.
#[derive(Clone, Copy, Debug, Default)]
struct Terms {
    kept: Option<Duration>,
    /// Since when. A plan that keeps less gives notice of all of its time.
    since: Option<Timestamp>,
    /// When it ends, and how long files are kept from then on.
    then: Option<(Timestamp, Duration)>,
}

fn life(came: Timestamp, uses: Uses, terms: Terms) -> Life {
    let begin = [uses.last, terms.since]
        .into_iter()
        .flatten()
        .fold(came, Ord::max);
    let ends = [
        terms.kept.map(|kept| begin + kept),
        terms.then.map(|(end, kept)| Ord::max(begin, end) + kept),
    ];
    Life {
        purge_at: ends
            .into_iter()
            .flatten()
            .min()
            .filter(|_| uses.needed_by == 0),
        needed_by: uses.needed_by,
        kept: terms.kept,
    }
}

fn final_states() -> impl Iterator<Item = PostState> {
    PostState::iter().filter(|state| post_state::is_final(*state))
}

/// The posts that use files, as their video or one of their photos.
async fn uses(app: &App, ids: &[MediaId]) -> Result<HashMap<MediaId, Uses>> {
    let mut found: HashMap<MediaId, Uses> = HashMap::new();
    for needed in [true, false] {
        // A post that is not over may be tried again.
        let which = || {
            let over = Condition::all().add(post::Column::State.is_in(final_states()));
            if needed { over.not() } else { over }
        };
        let direct: Vec<(MediaId, i64, Option<i64>)> = post::Entity::find()
            .select_only()
            .column(post::Column::MediaId)
            .expr_as(Expr::col((post::Entity, post::Column::Id)).count(), "posts")
            .expr_as(
                Expr::col((post::Entity, post::Column::StateSince)).max(),
                "last",
            )
            .filter(post::Column::MediaId.is_in(ids.iter().copied()))
            .filter(which())
            .group_by(post::Column::MediaId)
            .into_tuple()
            .all(app.db.read())
            .await?;
        let photos: Vec<(MediaId, i64, Option<i64>)> = post_photo::Entity::find()
            .select_only()
            .column(post_photo::Column::MediaId)
            .expr_as(Expr::col((post::Entity, post::Column::Id)).count(), "posts")
            .expr_as(
                Expr::col((post::Entity, post::Column::StateSince)).max(),
                "last",
            )
            .join(
                JoinType::InnerJoin,
                post_photo::Entity::belongs_to(post::Entity)
                    .from(post_photo::Column::PostId)
                    .to(post::Column::Id)
                    .into(),
            )
            .filter(post_photo::Column::MediaId.is_in(ids.iter().copied()))
            // The first photo is the post's own file, and counted as such.
            .filter(post_photo::Column::Position.gt(0))
            .filter(which())
            .group_by(post_photo::Column::MediaId)
            .into_tuple()
            .all(app.db.read())
            .await?;
        for (id, posts, last) in direct.into_iter().chain(photos) {
            let uses = found.entry(id).or_default();
            if needed {
                uses.needed_by += posts.unsigned_abs();
            }
            uses.last = Ord::max(uses.last, last.map(Timestamp::from_millis));
        }
    }
    Ok(found)
}

/// A file whose time is over.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Over {
    /// The file.
    pub id: MediaId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it came.
    pub ready_at: Timestamp,
    /// What needed it after this instant keeps it.
    pub since: Timestamp,
}

/// The files of a page, of all users, whose time is over, and where the next page begins; nothing
/// behind the last page.
pub(in crate::domain) async fn over(
    app: &App,
    after: MediaId,
) -> Result<Option<(MediaId, Vec<Over>)>> {
    let Some(shortest) = app.config.plans.shortest_media_retention() else {
        return Ok(None);
    };
    let now = app.clock.now();
    let rows = media::Entity::find()
        .filter(media::Column::State.eq(MediaState::Ready))
        .filter(media::Column::ReadyAt.lte(now - shortest))
        .filter(media::Column::Id.gt(after))
        .order_by_asc(media::Column::Id)
        .limit(BATCH)
        .all(app.db.read())
        .await?;
    let Some(last) = rows.last().map(|row| row.id) else {
        return Ok(None);
    };
    let lives = lives(app, &rows).await?;
    let over = rows
        .iter()
        .filter_map(|row| {
            let life = lives.get(&row.id)?;
            let is_over = life.purge_at.is_some_and(|at| at <= now);
            is_over.then_some(Over {
                id: row.id,
                user_id: row.user_id,
                ready_at: row.ready_at.unwrap_or(row.updated_at),
                since: now - life.kept?,
            })
        })
        .collect();
    Ok(Some((last, over)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_begins_with_what_happened_last() {
        let at = Timestamp::from_secs;
        let day = Some(Duration::from_secs(86_400));
        let uses = |needed_by, last: Option<u64>| Uses {
            needed_by,
            last: last.map(|secs| at(secs.cast_signed())),
        };
        let over = |uses, kept| {
            let terms = Terms {
                kept,
                ..Terms::default()
            };
            life(at(1000), uses, terms).purge_at
        };
        assert_eq!(over(uses(0, None), day), Some(at(87_400)));
        assert_eq!(over(uses(0, Some(5000)), day), Some(at(91_400)));
        assert_eq!(over(uses(0, Some(10)), day), Some(at(87_400)));
        assert_eq!(over(uses(1, Some(5000)), day), None);
        assert_eq!(over(uses(0, None), None), None);
    }

    #[test]
    fn a_plan_that_ends_or_keeps_less_gives_its_time_from_then_on() {
        let at = Timestamp::from_secs;
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let purge_at = |terms| life(at(1000), Uses::default(), terms).purge_at;
        let lowered = Terms {
            kept: Some(days(7)),
            since: Some(at(900_000)),
            then: None,
        };
        assert_eq!(purge_at(lowered), Some(at(900_000) + days(7)));
        let ending = Terms {
            kept: Some(days(90)),
            since: None,
            then: Some((at(90_000), days(7))),
        };
        assert_eq!(purge_at(ending), Some(at(90_000) + days(7)));
    }
}
