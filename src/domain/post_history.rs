//! What happened to a post, for its owner to read: attempts, the log of events, and the proofs.

use clipqueue_entities::{EvidenceId, PostId, UserId, event, evidence, post, post_attempt};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, sea_query::SelectStatement,
};

use super::error::Result;
use crate::app::App;

/// The posts of `user`, as a part of another query.
fn owned(user: UserId) -> SelectStatement {
    post::Entity::find()
        .select_only()
        .column(post::Column::Id)
        .filter(post::Column::UserId.eq(user))
        .into_query()
}

/// The attempts of several posts of `user`, first to last within a post.
pub async fn attempts(
    app: &App,
    user: UserId,
    posts: &[PostId],
) -> Result<Vec<post_attempt::Model>> {
    Ok(post_attempt::Entity::find()
        .filter(post_attempt::Column::PostId.is_in(posts.iter().copied()))
        .filter(post_attempt::Column::PostId.in_subquery(owned(user)))
        .order_by_asc(post_attempt::Column::PostId)
        .order_by_asc(post_attempt::Column::Number)
        .all(app.db.read())
        .await?)
}

/// Several proofs about posts of `user` by id; those that are not there are left out.
pub async fn evidence(app: &App, user: UserId, ids: &[EvidenceId]) -> Result<Vec<evidence::Model>> {
    Ok(evidence::Entity::find()
        .filter(evidence::Column::Id.is_in(ids.iter().copied()))
        .filter(evidence::Column::PostId.in_subquery(owned(user)))
        .all(app.db.read())
        .await?)
}

/// Events of a post of `user`, oldest first: at most `limit` after `cursor`, or before it when
/// `backward`.
pub async fn timeline(
    app: &App,
    user: UserId,
    post: PostId,
    cursor: Option<i64>,
    backward: bool,
    limit: u64,
) -> Result<Vec<event::Model>> {
    let mut query = event::Entity::find()
        .filter(event::Column::UserId.eq(user))
        .filter(event::Column::PostId.eq(post))
        .limit(limit);
    if let Some(cursor) = cursor {
        query = query.filter(if backward {
            event::Column::Seq.lt(cursor)
        } else {
            event::Column::Seq.gt(cursor)
        });
    }
    if !backward {
        return Ok(query
            .order_by_asc(event::Column::Seq)
            .all(app.db.read())
            .await?);
    }
    let mut found = query
        .order_by_desc(event::Column::Seq)
        .all(app.db.read())
        .await?;
    found.reverse();
    Ok(found)
}
