//! Attempts whose media TikTok fetches by itself: photos. Init is their commit point, so the attempt
//! is on record as past it before init is called.

use std::time::Duration;

use clipqueue_entities::{
    AttemptId, PostId, attempt_photo, evidence,
    post::{self, PostState},
    post_attempt::{self, AttemptPhase},
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, sea_query::Expr,
};
use tiktok::PublishId;

use super::{FIRST_POLL_S, ask_later, fenced, list, update};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        error::Result,
        post_change::{Change, Evidence, apply_in_tx, insert_evidence},
        post_state::PostEvent,
    },
    media::Media,
    queue::Lease,
};

/// Opens an attempt that TikTok fetches: PREFLIGHT → INIT_SENT. The init call may follow once this has
/// returned, and may then not be repeated.
///
/// None when the post is not to be sent any more: its owner stopped it. Either this commit or that of
/// the stop comes first, never both.
pub async fn begin_pull(
    app: &App,
    lease: &Lease,
    post: post::Model,
    photos: &[Media],
) -> Result<Option<(post::Model, post_attempt::Model)>> {
    let now = app.clock.now();
    let tx = fenced(app, lease).await?;
    let wanted = post::Entity::update_many()
        .col_expr(post::Column::UpdatedAt, Expr::value(now))
        .filter(post::Column::Id.eq(post.id))
        .filter(post::Column::State.eq(PostState::Preflight))
        .filter(post::Column::CancelRequested.eq(false))
        .exec(&tx)
        .await?;
    if wanted.rows_affected != 1 {
        tx.rollback().await?;
        return Ok(None);
    }
    let number = list(&tx, post.id)
        .await?
        .last()
        .map_or(1, |attempt| attempt.number + 1);
    let attempt = post_attempt::Model {
        id: AttemptId::new(),
        post_id: post.id,
        account_id: Some(post.account_id),
        number,
        phase: AttemptPhase::PullSent,
        open_key: Some(post.id.to_string()),
        publish_id: None,
        upload_url_sealed: None,
        upload_url_expires_at: None,
        pull_ends_at: Some(now + app.config.posts.photo_address_life),
        video_size: post.bytes_total,
        chunk_size: 0,
        chunk_count: 0,
        bytes_acked: 0,
        last_chunk_at: None,
        outcome: None,
        error_code: None,
        log_id: None,
        created_at: now,
        closed_at: None,
    };
    post_attempt::Entity::insert(attempt.clone().into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    let offered = photos
        .iter()
        .zip(0..)
        .map(|(photo, position)| attempt_photo::ActiveModel {
            attempt_id: Set(attempt.id),
            position: Set(position),
            media_id: Set(photo.id),
            content_type: Set(photo.content_type.clone().unwrap_or_default()),
            size: Set(i64::try_from(photo.size).unwrap_or(i64::MAX)),
            heads: Set(0),
            fetches: Set(0),
            bytes_served: Set(0),
            served_to: Set(0),
            first_asked_at: Set(None),
            last_asked_at: Set(None),
            completed_at: Set(None),
        });
    attempt_photo::Entity::insert_many(offered)
        .exec_without_returning(&tx)
        .await?;
    let evidence = Evidence::own("attempt.opened")
        .of(attempt.id)
        .with("attempt", number)
        .with("photos", photos.len());
    let change = Change::new(PostEvent::InitStarted, evidence).edit(|row| {
        row.bytes_sent = Set(0);
    });
    let post = apply_in_tx(app, &tx, post, change).await?;
    crash::commit(tx, Commit::AttemptOpened).await?;
    app.announce(post.user_id).await;
    Ok(Some((post, attempt)))
}

/// TikTok accepted to fetch the photos: INIT_SENT → PROCESSING, and somebody must ask how it fares.
pub async fn accepted_pull(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
    publish_id: &PublishId,
    evidence: Evidence,
) -> Result<post::Model> {
    let tx = fenced(app, lease).await?;
    update(&tx, attempt.id, |row| {
        row.phase = Set(AttemptPhase::Sent);
        row.publish_id = Set(Some(publish_id.to_string()));
    })
    .await?;
    let change = Change::new(PostEvent::InitAccepted, evidence.of(attempt.id));
    let wait = Duration::from_secs(FIRST_POLL_S);
    ask_later(app, tx, post, change, wait, Commit::InitAccepted).await
}

/// The open attempt of a post whose init was sent and not answered, if it is one that TikTok fetches.
pub async fn unanswered_pull(
    db: &impl ConnectionTrait,
    post: PostId,
) -> Result<Option<post_attempt::Model>> {
    let attempt = super::open(db, post).await?;
    Ok(attempt
        .filter(|attempt| attempt.phase == AttemptPhase::PullSent && attempt.publish_id.is_none()))
}

/// Keeps a publish id whose worker lost its job before it could: without it TikTok could never be
/// asked. It moves no state and proves no lease, since what TikTok said stays true.
pub async fn keep_publish_id(app: &App, attempt: AttemptId, publish_id: &PublishId) -> Result<()> {
    let keep = post_attempt::Entity::update_many()
        .col_expr(
            post_attempt::Column::PublishId,
            Expr::value(publish_id.to_string()),
        )
        .filter(post_attempt::Column::Id.eq(attempt))
        .filter(post_attempt::Column::PublishId.is_null())
        .exec(app.db.write());
    crash::write(Commit::PublishIdKept, keep).await?;
    Ok(())
}

/// The proof of asking TikTok to stop.
pub const STOP_CALL: &str = "publish.cancel";

/// Whether TikTok was asked to stop this attempt, and answered.
pub async fn stop_was_asked(db: &impl ConnectionTrait, attempt: AttemptId) -> Result<bool> {
    let asked = evidence::Entity::find()
        .filter(evidence::Column::AttemptId.eq(attempt))
        .filter(evidence::Column::Subject.eq(STOP_CALL))
        .one(db)
        .await?;
    Ok(asked.is_some())
}

/// Stores TikTok's answer to a stop. A refused one takes the owner's wish back: it came too late.
pub async fn stop_asked(
    app: &App,
    lease: &Lease,
    post: &post::Model,
    attempt: &post_attempt::Model,
    answer: Evidence,
    accepted: bool,
) -> Result<()> {
    let tx = fenced(app, lease).await?;
    insert_evidence(&tx, app.clock.now(), post, answer.of(attempt.id)).await?;
    if !accepted {
        post::Entity::update_many()
            .col_expr(post::Column::CancelRequested, Expr::value(false))
            .filter(post::Column::Id.eq(post.id))
            .exec(&tx)
            .await?;
    }
    crash::commit(tx, Commit::StopAsked).await?;
    Ok(())
}
