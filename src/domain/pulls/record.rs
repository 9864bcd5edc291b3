//! What was asked for and what went out, written when it happens.

use std::ops::Range;

use clipqueue_entities::{attempt_photo, post, post_attempt};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, DatabaseTransaction,
    EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QuerySelect as _,
};
use serde_json::json;

use super::{Offer, is_offered, of_attempt};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        error::Result,
        events::{self, NewEvent},
        post_change::{Evidence, insert_evidence},
    },
};

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The headers.
    Head,
    /// Bytes.
    Bytes,
}

/// Puts on record that somebody came for a photo. False when it may no longer go out: nothing may be
/// sent without this having said yes.
pub async fn asked(app: &App, offer: &Offer, ask: Ask) -> Result<bool> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let Some((attempt, photo)) = locked(&tx, offer).await? else {
        tx.rollback().await?;
        return Ok(false);
    };
    if !is_offered(&attempt, now) {
        tx.rollback().await?;
        return Ok(false);
    }
    let came_before = of_attempt(&tx, offer.attempt_id)
        .await?
        .iter()
        .any(|photo| photo.first_asked_at.is_some());
    let (heads, fetches, first) = (photo.heads, photo.fetches, photo.first_asked_at);
    let mut row = photo.into_active_model();
    match ask {
        Ask::Head => row.heads = Set(heads.saturating_add(1)),
        Ask::Bytes => row.fetches = Set(fetches.saturating_add(1)),
    }
    row.first_asked_at = Set(Some(first.unwrap_or(now)));
    row.last_asked_at = Set(Some(now));
    row.update(&tx).await?;
    if !came_before {
        tiktok_came(app, &tx, &attempt, offer).await?;
    }
    crash::commit(tx, Commit::PhotoAsked).await?;
    if !came_before {
        app.announce(offer.user_id).await;
    }
    Ok(true)
}

/// The first who comes proves that TikTok accepted init.
async fn tiktok_came(
    app: &App,
    tx: &DatabaseTransaction,
    attempt: &post_attempt::Model,
    offer: &Offer,
) -> Result<()> {
    let Some(post) = post::Entity::find_by_id(attempt.post_id).one(tx).await? else {
        return Ok(());
    };
    let now = app.clock.now();
    let evidence = Evidence::own("photos.fetched")
        .of(attempt.id)
        .with("photo", offer.position + 1);
    let evidence_id = insert_evidence(tx, now, &post, evidence).await?;
    events::append_in_tx(
        tx,
        now,
        NewEvent {
            user_id: post.user_id,
            account_id: Some(post.account_id),
            post_id: Some(post.id),
            kind: "post.photos_fetched",
            data: json!({ "photo": offer.position + 1 }),
            evidence_id: Some(evidence_id),
        },
    )
    .await?;
    Ok(())
}

/// Puts on record that `sent` bytes from the start of `range` went out.
pub async fn served(app: &App, offer: &Offer, range: Range<u64>, sent: u64) -> Result<()> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let Some((attempt, photo)) = locked(&tx, offer).await? else {
        tx.rollback().await?;
        return Ok(());
    };
    let to = i64::try_from(range.start.saturating_add(sent)).unwrap_or(i64::MAX);
    let joins = range.start <= photo.served_to.unsigned_abs();
    let served_to = if joins {
        photo.served_to.max(to)
    } else {
        photo.served_to
    };
    let completed = photo.completed_at.is_none() && served_to >= photo.size;
    let in_all = photo
        .bytes_served
        .saturating_add(i64::try_from(sent).unwrap_or(i64::MAX));
    let mut row = photo.into_active_model();
    row.bytes_served = Set(in_all);
    row.served_to = Set(served_to);
    if completed {
        row.completed_at = Set(Some(now));
    }
    row.update(&tx).await?;
    if completed && attempt.open_key.is_some() {
        progress(app, &tx, &attempt).await?;
    }
    crash::commit(tx, Commit::PhotoServed).await?;
    if completed {
        app.announce(offer.user_id).await;
    }
    Ok(())
}

/// Another photo is whole at TikTok: the post's progress says so.
async fn progress(
    app: &App,
    tx: &DatabaseTransaction,
    attempt: &post_attempt::Model,
) -> Result<()> {
    let now = app.clock.now();
    let photos = of_attempt(tx, attempt.id).await?;
    let sent: i64 = photos
        .iter()
        .filter(|photo| photo.completed_at.is_some())
        .map(|photo| photo.size)
        .sum();
    let row = post::ActiveModel {
        bytes_sent: Set(sent),
        updated_at: Set(now),
        ..Default::default()
    };
    post::Entity::update_many()
        .set(row)
        .filter(post::Column::Id.eq(attempt.post_id))
        .exec(tx)
        .await?;
    let Some(post) = post::Entity::find_by_id(attempt.post_id).one(tx).await? else {
        return Ok(());
    };
    events::append_in_tx(
        tx,
        now,
        NewEvent {
            user_id: post.user_id,
            account_id: Some(post.account_id),
            post_id: Some(post.id),
            kind: "post.progress",
            data: json!({ "bytes_sent": sent, "bytes_total": post.bytes_total }),
            evidence_id: None,
        },
    )
    .await?;
    Ok(())
}

/// The attempt, locked until the transaction ends, and the photo as it is then.
async fn locked(
    tx: &DatabaseTransaction,
    offer: &Offer,
) -> Result<Option<(post_attempt::Model, attempt_photo::Model)>> {
    let attempt = post_attempt::Entity::find_by_id(offer.attempt_id)
        .lock_exclusive()
        .one(tx)
        .await?;
    let photo = attempt_photo::Entity::find_by_id((offer.attempt_id, offer.position))
        .one(tx)
        .await?;
    Ok(attempt.zip(photo))
}
