//! Finding attempts. Reads only.

use clipqueue_entities::{AttemptId, PostId, post_attempt};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};

use crate::{app::App, domain::error::Result};

/// The open attempt of a post, if there is one.
pub async fn open(db: &impl ConnectionTrait, post: PostId) -> Result<Option<post_attempt::Model>> {
    Ok(post_attempt::Entity::find()
        .filter(post_attempt::Column::OpenKey.eq(post.to_string()))
        .one(db)
        .await?)
}

/// All attempts of a post, first to last.
pub async fn list(db: &impl ConnectionTrait, post: PostId) -> Result<Vec<post_attempt::Model>> {
    Ok(post_attempt::Entity::find()
        .filter(post_attempt::Column::PostId.eq(post))
        .order_by_asc(post_attempt::Column::Number)
        .all(db)
        .await?)
}

/// The newest attempt that has a publish id: the one to ask TikTok about.
pub async fn newest_published(
    db: &impl ConnectionTrait,
    post: PostId,
) -> Result<Option<post_attempt::Model>> {
    Ok(post_attempt::Entity::find()
        .filter(post_attempt::Column::PostId.eq(post))
        .filter(post_attempt::Column::PublishId.is_not_null())
        .order_by_desc(post_attempt::Column::Number)
        .one(db)
        .await?)
}

/// One attempt.
pub async fn by_id(
    db: &impl ConnectionTrait,
    id: AttemptId,
) -> Result<Option<post_attempt::Model>> {
    Ok(post_attempt::Entity::find_by_id(id).one(db).await?)
}

/// The newest attempt that TikTok gave `publish_id` to.
pub async fn by_publish_id(
    db: &impl ConnectionTrait,
    publish_id: &str,
) -> Result<Option<post_attempt::Model>> {
    Ok(post_attempt::Entity::find()
        .filter(post_attempt::Column::PublishId.eq(publish_id))
        .order_by_desc(post_attempt::Column::CreatedAt)
        .one(db)
        .await?)
}

/// Whether another attempt was begun after `attempt`.
pub async fn overtaken(app: &App, attempt: &post_attempt::Model) -> Result<bool> {
    let newest = list(app.db.read(), attempt.post_id).await?.pop();
    Ok(newest.is_some_and(|newest| newest.number > attempt.number))
}
