//! Photos that TikTok fetches from addresses of our own, and the record of what it fetched.
//!
//! The addresses belong to one attempt: signed, unguessable, good for the open attempt only and for a
//! limited time. Nothing goes out before it is on record that somebody came for it: TikTok alone
//! knows the addresses, so an entry is proof that it accepted init, even when its answer was lost.
//! The other way round, when an address has ended and nobody ever came, TikTok has nothing to post.
//! What this module knows is when bytes left this process, not what became of them on their way.

mod address;
mod record;
mod silence;

use clipqueue_entities::{AttemptId, UserId, attempt_photo, post, post_attempt};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};

pub use address::{address, may_be_fetched};
pub use record::{Ask, asked, served};
pub use silence::settle;

use super::error::{Error, Result};
use crate::{
    app::App,
    media::{MediaError, Reader},
};

/// A photo that an address names.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The attempt that it belongs to.
    pub attempt_id: AttemptId,
    /// Its place in the post.
    pub position: i32,
    /// The type that it goes out with.
    pub content_type: String,
    /// Bytes in all.
    pub size: u64,
    user_id: UserId,
    media: clipqueue_entities::MediaId,
}

/// What the two last parts of an address name; nothing, whatever may be wrong with them.
pub async fn find(app: &App, token: &str, name: &str) -> Result<Option<Offer>> {
    let now = app.clock.now();
    let Some(attempt_id) = address::read(&app.vault, token, now) else {
        return Ok(None);
    };
    let db = app.db.read();
    let attempt = post_attempt::Entity::find_by_id(attempt_id).one(db).await?;
    let Some(attempt) = attempt.filter(|attempt| is_offered(attempt, now)) else {
        return Ok(None);
    };
    let photos = of_attempt(db, attempt_id).await?;
    let found = photos
        .into_iter()
        .find(|photo| address::name(photo.position, &photo.content_type) == name);
    let post = post::Entity::find_by_id(attempt.post_id).one(db).await?;
    let (Some(photo), Some(post)) = (found, post) else {
        return Ok(None);
    };
    Ok(Some(Offer {
        attempt_id,
        position: photo.position,
        content_type: photo.content_type,
        size: photo.size.unsigned_abs(),
        user_id: post.user_id,
        media: photo.media_id,
    }))
}

/// Whether the photos of an attempt may still go out: it is open, and its time is not over.
fn is_offered(attempt: &post_attempt::Model, now: clipqueue_entities::Timestamp) -> bool {
    attempt.open_key.is_some() && attempt.pull_ends_at.is_some_and(|end| now < end)
}

/// The bytes of an offer; none when they are no longer stored.
pub async fn open(app: &App, offer: &Offer) -> Result<Option<Reader>> {
    match app.media.open(offer.user_id, offer.media).await {
        Ok(reader) => Ok(Some(reader)),
        Err(MediaError::NotFound | MediaError::Gone { .. } | MediaError::NotReady) => Ok(None),
        Err(error) => Err(Error::Internal(error.into())),
    }
}

/// The photos that an attempt offers, in order.
pub async fn of_attempt(
    db: &impl ConnectionTrait,
    attempt: AttemptId,
) -> Result<Vec<attempt_photo::Model>> {
    Ok(attempt_photo::Entity::find()
        .filter(attempt_photo::Column::AttemptId.eq(attempt))
        .order_by_asc(attempt_photo::Column::Position)
        .all(db)
        .await?)
}

/// What was fetched of `photos`, in a sentence.
pub fn summary(photos: &[attempt_photo::Model]) -> String {
    let whole = photos
        .iter()
        .filter(|photo| photo.completed_at.is_some())
        .count();
    let of = format!("{whole} of {} photos", photos.len());
    match photos.iter().filter_map(|photo| photo.last_asked_at).max() {
        None => "TikTok has not come for the photos".to_owned(),
        Some(at) => {
            let at = chrono::DateTime::from_timestamp_millis(at.as_millis())
                .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
                .unwrap_or_default();
            format!("TikTok fetched {of}, the last time at {at}")
        }
    }
}
