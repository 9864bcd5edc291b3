//! Files as their owner sees them: announcing one, listing them, taking one away.
//!
//! The bytes go past this module, to an address that proves itself (see
//! [`Capabilities`](crate::media::Capabilities)).

use clipqueue_entities::{
    MediaId, Timestamp, UserId, post,
    post::{PostKind, PostState},
    post_photo,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, PaginatorTrait as _, QueryFilter as _,
    QuerySelect as _, QueryTrait as _, sea_query::SimpleExpr,
};
use serde::Serialize;

use super::{
    actor::Actor,
    error::{Code, Error, Refusal, Result},
    idempotency::{Request, Seen},
    library,
    plans::reached::{self, Limit},
};
use crate::{
    app::App,
    media::{Media, MediaError, MediaState, NewUpload},
};

/// Posts in these states may still need the bytes of their files.
const NEEDS_BYTES: [PostState; 7] = [
    PostState::Draft,
    PostState::Scheduled,
    PostState::Held,
    PostState::Preflight,
    PostState::InitSent,
    PostState::Uploading,
    // TikTok may turn out to lack bytes.
    PostState::Unconfirmed,
];

/// What a client announces.
#[derive(Clone, Debug, Serialize)]
pub struct Announcement {
    /// The file's name, shown and never trusted.
    pub filename: String,
    /// Bytes in all.
    pub size: u64,
    /// The file's type, shown and never trusted.
    pub content_type: Option<String>,
    // What follows is left out when absent, so that requests of older versions keep their hash.
    /// The file's SHA-256 in hex; a file of the tenant that has it already is given instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The folder that it shall lie in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The tenant's own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A file that waits for its bytes.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The file.
    pub media: Media,
    /// Where to send the bytes by tus. It is a secret: whoever has it may send. Absent when the bytes
    /// are there already, or will not be taken any more.
    pub url: Option<String>,
    /// Until when the address is good.
    pub expires_at: Option<Timestamp>,
}

/// Announces a file. The same key with the same request gives the same file and a fresh address.
pub async fn begin(
    app: &App,
    actor: &Actor,
    new: Announcement,
    idempotency_key: &str,
) -> Result<Upload> {
    let user = actor.user_id;
    let request = Request::new(user, idempotency_key, "createUpload", &new)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return Ok(addressed(app, get(app, user, MediaId(id)).await?));
    }
    let folder = library::path("folder", new.folder.as_deref().unwrap_or_default())?;
    let reference = new.reference.map(library::reference).transpose()?;
    let tx = app.db.begin().await?;
    let known = match &new.sha256 {
        Some(digest) => app.media.reuse_in_tx(&tx, user, digest, new.size).await,
        None => Ok(None),
    };
    let media = match known.map_err(refusal)? {
        Some(known) => known,
        None => {
            let upload = NewUpload {
                size: new.size,
                filename: Some(new.filename),
                content_type: new.content_type,
                sha256: new.sha256,
                folder,
                reference,
                ..NewUpload::default()
            };
            match app.media.create_in_tx(&tx, user, upload).await {
                Ok(made) => made,
                Err(error) => {
                    tx.rollback().await?;
                    no_room(app, user, &error).await;
                    return Err(refusal(error));
                }
            }
        }
    };
    if let Seen::Before(id) = request
        .record_in_tx(&tx, app.clock.now(), media.id.0)
        .await?
    {
        tx.rollback().await?;
        return Ok(addressed(app, get(app, user, MediaId(id)).await?));
    }
    tx.commit().await?;
    Ok(addressed(app, media))
}

/// Tells the user, when a file was refused because there is no room for it.
pub async fn no_room(app: &App, user: UserId, error: &MediaError) {
    if let MediaError::QuotaBytes { .. } | MediaError::QuotaCount { .. } = error {
        reached::tell(app, user, Limit::Storage).await;
    }
}

fn addressed(app: &App, media: Media) -> Upload {
    if media.state != MediaState::Uploading {
        return Upload {
            media,
            url: None,
            expires_at: None,
        };
    }
    let expires_at = app.clock.now() + app.config.media.upload_url_ttl;
    let name = app
        .capabilities()
        .issue(media.user_id, media.id, expires_at);
    Upload {
        url: Some(format!("{}/{name}", app.uploads_base())),
        media,
        expires_at: Some(expires_at),
    }
}

/// A file of `user`.
pub async fn get(app: &App, user: UserId, id: MediaId) -> Result<Media> {
    app.media.get(user, id).await.map_err(refusal)
}

/// An older file of the same owner with the same bytes, if there is one.
pub async fn original(app: &App, media: &Media) -> Result<Option<Media>> {
    app.media.original(media).await.map_err(refusal)
}

/// Several files of `user` by id; those that are not there are left out.
pub async fn get_many(app: &App, user: UserId, ids: &[MediaId]) -> Result<Vec<Media>> {
    app.media.get_many(user, ids).await.map_err(refusal)
}

/// Takes a file away, unless a post still needs it. Taking it away again changes nothing.
pub async fn delete(app: &App, actor: &Actor, id: MediaId) -> Result<Media> {
    let user = actor.user_id;
    let media = get(app, user, id).await?;
    if !matches!(media.state, MediaState::Uploading | MediaState::Ready) {
        return Ok(media);
    }
    let with_photo = post_photo::Entity::find()
        .select_only()
        .column(post_photo::Column::PostId)
        .filter(post_photo::Column::MediaId.eq(id))
        .into_query();
    let posts = post::Entity::find()
        .filter(post::Column::UserId.eq(user))
        .filter(
            post::Column::MediaId
                .eq(id)
                .or(post::Column::Id.in_subquery(with_photo)),
        )
        .filter(needs_bytes())
        .count(app.db.read())
        .await?;
    if posts > 0 {
        return Err(Refusal::whole(
            Code::WrongState,
            format!("{posts} posts that have not ended need this file; cancel them first"),
        )
        .into());
    }
    app.media.delete(user, id).await.map_err(refusal)?;
    get(app, user, id).await
}

/// Whether a post may still need the bytes of its files.
fn needs_bytes() -> SimpleExpr {
    // TikTok may still be fetching photos while it works on the post.
    post::Column::State
        .is_in(NEEDS_BYTES)
        .or(post::Column::State
            .eq(PostState::Processing)
            .and(post::Column::Kind.eq(PostKind::Photo)))
}

/// What a caller can do about a failure of the store.
fn refusal(error: MediaError) -> Error {
    let text = error.to_string();
    let refused = |field, code| Error::from(Refusal::new(field, code, text.as_str()));
    match error {
        MediaError::NotFound => Error::NotFound,
        MediaError::Empty | MediaError::TooLarge { .. } => refused("size", Code::Invalid),
        MediaError::Invalid { .. } => Refusal::whole(Code::Invalid, text.as_str()).into(),
        MediaError::QuotaBytes { .. } | MediaError::QuotaCount { .. } => {
            refused("size", Code::QuotaExceeded)
        }
        MediaError::StorageFull => Refusal::whole(Code::StorageFull, text).into(),
        MediaError::Gone { .. }
        | MediaError::Complete
        | MediaError::NotReady
        | MediaError::OffsetConflict { .. }
        | MediaError::Busy
        | MediaError::Stopping
        | MediaError::Idle
        | MediaError::BodyTooLong { .. }
        | MediaError::ChecksumMismatch
        | MediaError::Rejected { .. } => Refusal::whole(Code::WrongState, text).into(),
        MediaError::Database(_) | MediaError::Storage(_) | MediaError::Corrupt(_) => {
            Error::Internal(error.into())
        }
    }
}
