//! What happened to a post, for its owner to read: attempts, the log of events, and the proofs.

use clipqueue_entities::{
    AttemptId, EvidenceId, PostId, UserId, attempt_photo, event, evidence, post, post_attempt,
    post_photo,
};
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

/// The photos of several posts of `user`, in order within a post.
pub async fn photos(app: &App, user: UserId, posts: &[PostId]) -> Result<Vec<post_photo::Model>> {
    Ok(post_photo::Entity::find()
        .filter(post_photo::Column::PostId.is_in(posts.iter().copied()))
        .filter(post_photo::Column::PostId.in_subquery(owned(user)))
        .order_by_asc(post_photo::Column::PostId)
        .order_by_asc(post_photo::Column::Position)
        .all(app.db.read())
        .await?)
}

/// What was fetched of the photos of several attempts at posts of `user`, in order within an attempt.
pub async fn fetched(
    app: &App,
    user: UserId,
    attempts: &[AttemptId],
) -> Result<Vec<attempt_photo::Model>> {
    let of_user = post_attempt::Entity::find()
        .select_only()
        .column(post_attempt::Column::Id)
        .filter(post_attempt::Column::PostId.in_subquery(owned(user)))
        .into_query();
    Ok(attempt_photo::Entity::find()
        .filter(attempt_photo::Column::AttemptId.is_in(attempts.iter().copied()))
        .filter(attempt_photo::Column::AttemptId.in_subquery(of_user))
        .order_by_asc(attempt_photo::Column::AttemptId)
        .order_by_asc(attempt_photo::Column::Position)
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
