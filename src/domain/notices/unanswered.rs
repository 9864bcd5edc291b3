//! A notice about a publish whose id we never heard, because the answer to init was lost.
//!
//! Only photos are published without another word of ours after init, so only they can be told of like
//! this. When the record shows that TikTok came for the photos of exactly one attempt of that creator
//! whose id is missing, the notice's id is that attempt's: nobody else knows its addresses.

use clipqueue_entities::{
    Timestamp, attempt_photo,
    notice::{self, NoticeKind},
    post,
    post_attempt::{self, AttemptPhase},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _,
};
use tiktok::PublishId;

use crate::{
    app::App,
    domain::{attempts, error::Result},
};

/// Gives the publish id of `notice` to the attempt that it must be about. False when there is none, or
/// more than one.
pub(super) async fn adopt(app: &App, notice: &notice::Model) -> Result<bool> {
    let told = match notice.kind {
        NoticeKind::Complete | NoticeKind::InboxDelivered | NoticeKind::PubliclyAvailable => true,
        // A video without bytes fails as well.
        NoticeKind::Failed | NoticeKind::NoLongerPublic | NoticeKind::AuthorizationRemoved => false,
    };
    let (true, Some(account), Some(id)) = (told, notice.account_id, &notice.publish_id) else {
        return Ok(false);
    };
    let Ok(publish_id) = PublishId::parse(id.clone()) else {
        return Ok(false);
    };
    // TikTok tells times in seconds.
    let latest =
        notice.occurred_at.unwrap_or(notice.received_at) + std::time::Duration::from_secs(1);
    let posts = post::Entity::find()
        .select_only()
        .column(post::Column::Id)
        .filter(post::Column::AccountId.eq(account))
        .into_query();
    let fetched = attempt_photo::Entity::find()
        .select_only()
        .column(attempt_photo::Column::AttemptId)
        .filter(attempt_photo::Column::FirstAskedAt.is_not_null())
        .into_query();
    let candidates = post_attempt::Entity::find()
        .filter(post_attempt::Column::Phase.eq(AttemptPhase::PullSent))
        .filter(post_attempt::Column::OpenKey.is_not_null())
        .filter(post_attempt::Column::PublishId.is_null())
        .filter(post_attempt::Column::CreatedAt.lte::<Timestamp>(latest))
        .filter(post_attempt::Column::PostId.in_subquery(posts))
        .filter(post_attempt::Column::Id.in_subquery(fetched))
        .limit(2)
        .all(app.db.read())
        .await?;
    let [attempt] = &*candidates else {
        return Ok(false);
    };
    tracing::info!(notice.id = %notice.id, attempt.id = %attempt.id, "a notice tells the publish id that an init did not");
    attempts::keep_publish_id(app, attempt.id, &publish_id).await?;
    Ok(true)
}
