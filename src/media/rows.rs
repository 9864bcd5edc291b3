//! The statements over `media` and `media_segments`. Each selector takes the tenant; the sweeper's
//! are the exception and say so.

use clipqueue_entities::{
    MediaId, Timestamp, UserId,
    media::{self, MediaState},
    media_segment,
    user_plan::{self, PlanName},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use crate::media::MediaError;

/// The states that count towards a tenant's quota.
const COUNTED: [MediaState; 2] = [MediaState::Uploading, MediaState::Ready];

pub(super) async fn find(
    db: &impl ConnectionTrait,
    user: UserId,
    id: MediaId,
) -> Result<media::Model, MediaError> {
    media::Entity::find_by_id(id)
        .filter(media::Column::UserId.eq(user))
        .one(db)
        .await?
        .ok_or(MediaError::NotFound)
}

pub(super) async fn find_many(
    db: &impl ConnectionTrait,
    user: UserId,
    ids: &[MediaId],
) -> Result<Vec<media::Model>, DbErr> {
    media::Entity::find()
        .filter(media::Column::UserId.eq(user))
        .filter(media::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await
}

pub(super) async fn page(
    db: &impl ConnectionTrait,
    user: UserId,
    cursor: Option<MediaId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<media::Model>, DbErr> {
    let mut query = media::Entity::find()
        .filter(media::Column::UserId.eq(user))
        .limit(limit);
    if let Some(cursor) = cursor {
        query = query.filter(if backward {
            media::Column::Id.gt(cursor)
        } else {
            media::Column::Id.lt(cursor)
        });
    }
    if !backward {
        return query.order_by_desc(media::Column::Id).all(db).await;
    }
    let mut found = query.order_by_asc(media::Column::Id).all(db).await?;
    found.reverse();
    Ok(found)
}

/// The tenant's oldest ready file with this SHA-256 in hex.
pub(super) async fn same(
    db: &impl ConnectionTrait,
    user: UserId,
    sha256: &str,
) -> Result<Option<media::Model>, DbErr> {
    media::Entity::find()
        .filter(media::Column::UserId.eq(user))
        .filter(media::Column::Sha256.eq(sha256))
        .filter(media::Column::State.eq(MediaState::Ready))
        .order_by_asc(media::Column::Id)
        .one(db)
        .await
}

/// Bytes and files that the tenant has reserved.
pub(super) async fn usage(db: &impl ConnectionTrait, user: UserId) -> Result<(u64, u64), DbErr> {
    let found: Option<(Option<i64>, i64)> = media::Entity::find()
        .select_only()
        // PostgreSQL sums big integers into a numeric.
        .expr_as(
            Expr::col(media::Column::Size).sum().cast_as("bigint"),
            "bytes",
        )
        .expr_as(Expr::col(media::Column::Id).count(), "files")
        .filter(media::Column::UserId.eq(user))
        .filter(media::Column::State.is_in(COUNTED))
        .into_tuple()
        .one(db)
        .await?;
    let (bytes, files) = found.unwrap_or_default();
    Ok((bytes.unwrap_or(0).unsigned_abs(), files.unsigned_abs()))
}

/// The plan that the tenant was given, and until when.
pub(super) async fn plan(
    db: &impl ConnectionTrait,
    user: UserId,
) -> Result<Option<(PlanName, Option<Timestamp>)>, DbErr> {
    let row = user_plan::Entity::find_by_id(user).one(db).await?;
    Ok(row.map(|row| (row.plan, row.ends_at)))
}

pub(super) async fn segments(
    db: &impl ConnectionTrait,
    id: MediaId,
) -> Result<Vec<media_segment::Model>, DbErr> {
    media_segment::Entity::find()
        .filter(media_segment::Column::MediaId.eq(id))
        .order_by_asc(media_segment::Column::Start)
        .all(db)
        .await
}

/// What an append adds: segments in order, and where the hash stands behind them.
pub(super) struct Progress<'a> {
    pub(super) from: u64,
    pub(super) segments: &'a [media_segment::Model],
    pub(super) hash_state: Vec<u8>,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Records stored segments. `false` when the upload is no longer where the append began: then
/// somebody else moved or ended it, and nothing was recorded.
pub(super) async fn advance(
    tx: &DatabaseTransaction,
    user: UserId,
    id: MediaId,
    progress: Progress<'_>,
) -> Result<bool, DbErr> {
    let added: i64 = progress.segments.iter().map(|segment| segment.len).sum();
    let moved = media::Entity::update_many()
        .set(media::ActiveModel {
            received: Set(stored(progress.from).saturating_add(added)),
            hash_state: Set(Some(progress.hash_state)),
            updated_at: Set(progress.now),
            expires_at: Set(Some(progress.expires_at)),
            ..Default::default()
        })
        .filter(media::Column::Id.eq(id))
        .filter(media::Column::UserId.eq(user))
        .filter(media::Column::State.eq(MediaState::Uploading))
        .filter(media::Column::Received.eq(stored(progress.from)))
        .exec(tx)
        .await?;
    if moved.rows_affected != 1 {
        return Ok(false);
    }
    let rows = progress
        .segments
        .iter()
        .map(|segment| segment.clone().into_active_model().reset_all());
    media_segment::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(true)
}

/// Moves the tenant's file from one state to another; `false` when it is not in the first.
pub(super) async fn change_state(
    db: &impl ConnectionTrait,
    user: UserId,
    id: MediaId,
    from: MediaState,
    change: media::ActiveModel,
) -> Result<bool, DbErr> {
    let done = media::Entity::update_many()
        .set(change)
        .filter(media::Column::Id.eq(id))
        .filter(media::Column::UserId.eq(user))
        .filter(media::Column::State.eq(from))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Of all tenants: unfinished uploads whose time is over.
pub(super) async fn due(
    db: &impl ConnectionTrait,
    now: Timestamp,
    batch: u64,
) -> Result<Vec<media::Model>, DbErr> {
    media::Entity::find()
        .filter(media::Column::State.eq(MediaState::Uploading))
        .filter(media::Column::ExpiresAt.lte(now))
        .order_by_asc(media::Column::ExpiresAt)
        .limit(batch)
        .all(db)
        .await
}

/// Of all tenants: uploads whose bytes are all there and whose last check was never written.
pub(super) async fn unchecked(
    db: &impl ConnectionTrait,
    batch: u64,
) -> Result<Vec<media::Model>, DbErr> {
    media::Entity::find()
        .filter(media::Column::State.eq(MediaState::Uploading))
        .filter(Expr::col(media::Column::Received).eq(Expr::col(media::Column::Size)))
        .order_by_asc(media::Column::Id)
        .limit(batch)
        .all(db)
        .await
}

/// Of all tenants: files that are over and whose bytes may still be stored.
pub(super) async fn unpurged(
    db: &impl ConnectionTrait,
    batch: u64,
) -> Result<Vec<media::Model>, DbErr> {
    media::Entity::find()
        .filter(media::Column::PurgedAt.is_null())
        .filter(media::Column::State.is_in([
            MediaState::Rejected,
            MediaState::Expired,
            MediaState::Deleted,
        ]))
        .order_by_asc(media::Column::Id)
        .limit(batch)
        .all(db)
        .await
}

/// Forgets the segments of a file whose objects are gone.
pub(super) async fn mark_purged(
    tx: &DatabaseTransaction,
    id: MediaId,
    now: Timestamp,
) -> Result<(), DbErr> {
    media_segment::Entity::delete_many()
        .filter(media_segment::Column::MediaId.eq(id))
        .exec(tx)
        .await?;
    media::Entity::update_many()
        .set(media::ActiveModel {
            purged_at: Set(Some(now)),
            hash_state: Set(None),
            ..Default::default()
        })
        .filter(media::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// A size as the databases store it. Files are far below 2^63 bytes.
pub(super) fn stored(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
