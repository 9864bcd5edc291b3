//! The files of a request: one video, or photos; whether they are there and fit for what they are
//! asked for.

use std::collections::HashMap;

use clipqueue_entities::{MediaId, UserId, media, post::PostKind};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use tiktok::limits::PHOTO_MAX_IMAGES;

use super::photos::{self, Photos};
use crate::{
    app::App,
    domain::{
        error::{Code, Error, Refusal, Result},
        post_settings::DirectSettings,
        pulls,
    },
    media::{Media, MediaError, MediaState},
};

const GONE: &str = "is no longer stored; upload it again";

/// A file of `user`, if it is there.
pub async fn find_media(app: &App, user: UserId, id: MediaId) -> Result<Option<Media>> {
    match app.media.get(user, id).await {
        Ok(media) => Ok(Some(media)),
        Err(MediaError::NotFound) => Ok(None),
        Err(error) => Err(Error::Internal(error.into())),
    }
}

/// The files of `user` by id, in that order; none in the place of one that is not there.
pub async fn find_files(app: &App, user: UserId, ids: &[MediaId]) -> Result<Vec<Option<Media>>> {
    let found = app.media.get_many(user, ids).await;
    let found = found.map_err(|error| Error::Internal(error.into()))?;
    Ok(ids
        .iter()
        .map(|id| found.iter().find(|media| media.id == *id).cloned())
        .collect())
}

/// The files that a request names. Of too many photos, which are refused anyway, only some.
pub(super) fn named(media_id: Option<MediaId>, photos: Option<&Photos>) -> Vec<MediaId> {
    let photos = photos.map(|photos| photos.media_ids.as_slice());
    let few = photos.unwrap_or_default().iter().take(PHOTO_MAX_IMAGES);
    media_id.into_iter().chain(few.copied()).collect()
}

/// Those files of `user` that are there.
pub(super) async fn by_id(
    app: &App,
    user: UserId,
    ids: &[MediaId],
) -> Result<HashMap<MediaId, Media>> {
    let found = app.media.get_many(user, ids).await;
    let found = found.map_err(|error| Error::Internal(error.into()))?;
    Ok(found.into_iter().map(|media| (media.id, media)).collect())
}

/// Holds files of posts that are accepted in this transaction, and says whether each is still there:
/// whatever ends files by itself waits until the posts can be seen, or was quicker.
pub(super) async fn hold_in_tx(tx: &impl ConnectionTrait, ids: &[MediaId]) -> Result<bool> {
    let mut wanted = ids.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let held = media::Entity::find()
        .filter(media::Column::Id.is_in(wanted.iter().copied()))
        .order_by_asc(media::Column::Id)
        .lock_shared()
        .all(tx)
        .await?;
    let ready = held.iter().filter(|row| row.state == MediaState::Ready);
    Ok(ready.count() == wanted.len())
}

/// The same for one post, whose request is refused when one is gone.
pub(super) async fn hold_all_in_tx(tx: &impl ConnectionTrait, files: &[Media]) -> Result<()> {
    let ids: Vec<MediaId> = files.iter().map(|file| file.id).collect();
    if hold_in_tx(tx, &ids).await? {
        return Ok(());
    }
    Err(Refusal::new("mediaId", Code::MediaNotReady, GONE).into())
}

/// The files that a request names, in order, with every reason against them.
pub async fn files_of_plan(
    app: &App,
    user: UserId,
    media_id: Option<MediaId>,
    photos: Option<&Photos>,
    direct: Option<&DirectSettings>,
    refusals: &mut Vec<Refusal>,
) -> Result<Vec<Media>> {
    let found = by_id(app, user, &named(media_id, photos)).await?;
    Ok(judge(app, media_id, photos, direct, &found, refusals))
}

/// The same of files that were looked up before.
pub(super) fn judge(
    app: &App,
    media_id: Option<MediaId>,
    photos: Option<&Photos>,
    direct: Option<&DirectSettings>,
    found: &HashMap<MediaId, Media>,
    refusals: &mut Vec<Refusal>,
) -> Vec<Media> {
    match (media_id, photos) {
        (Some(_), None) | (None, Some(_)) => {}
        (None, None) => refusals.push(Refusal::new(
            "mediaId",
            Code::Required,
            "give a video as mediaId, or give photos",
        )),
        (Some(_), Some(_)) => refusals.push(Refusal::new(
            "photos",
            Code::Invalid,
            "a post has one video or photos, not both; leave mediaId out",
        )),
    }
    let look = |ids: &[MediaId]| -> Vec<Option<Media>> {
        ids.iter().map(|id| found.get(id).cloned()).collect()
    };
    let mut files = Vec::new();
    if let Some(id) = media_id {
        let found = look(&[id]);
        check_files(&found, PostKind::Video, refusals);
        files.extend(found.into_iter().flatten());
    }
    if let Some(photos) = photos {
        refusals.extend(photos.refusals(direct));
        refusals.extend(unreachable(app, PostKind::Photo));
        let found = look(&named(None, Some(photos)));
        check_files(&found, PostKind::Photo, refusals);
        files.extend(found.into_iter().flatten());
    }
    files
}

/// Why TikTok could not fetch photos from this server, if it could not.
pub fn unreachable(app: &App, kind: PostKind) -> Option<Refusal> {
    let reachable = pulls::may_be_fetched(&app.config.http.public_url);
    (kind == PostKind::Photo && !reachable).then(|| {
        photos::of(
            "mediaIds",
            Code::TiktokUnavailable,
            "TikTok fetches photos by https and this server has no https address; its operator must set http.public_url",
        )
    })
}

/// Whether each file is there and can be sent as a part of such a post.
pub fn check_files(files: &[Option<Media>], kind: PostKind, refusals: &mut Vec<Refusal>) {
    for (file, number) in files.iter().zip(1..) {
        let broken = match file {
            None => Some((Code::NotFound, "no such media")),
            Some(media) => unfit(media, kind),
        };
        if let Some((code, message)) = broken {
            refusals.push(match kind {
                PostKind::Video => Refusal::new("mediaId", code, message),
                PostKind::Photo => {
                    photos::of("mediaIds", code, format!("photo {number}: {message}"))
                }
            });
        }
    }
}

fn unfit(media: &Media, kind: PostKind) -> Option<(Code, &'static str)> {
    match media.state {
        MediaState::Ready => match (kind, media.photo.is_some()) {
            (PostKind::Video, true) => {
                Some((Code::MediaUnfit, "is a photo; give it in photos instead"))
            }
            (PostKind::Photo, false) => {
                Some((Code::MediaUnfit, "is a video; give it as mediaId instead"))
            }
            (PostKind::Video, false) | (PostKind::Photo, true) => None,
        },
        MediaState::Uploading => Some((
            Code::MediaNotReady,
            "is not completely uploaded; finish the upload first",
        )),
        MediaState::Rejected => Some((
            Code::MediaUnfit,
            "breaks a rule of TikTok's; see the verdicts of the media",
        )),
        MediaState::Expired | MediaState::Deleted => Some((Code::MediaNotReady, GONE)),
    }
}

/// How long the video lasts, as far as its container says.
pub fn duration_ms(media: &Media) -> Option<u64> {
    media.facts.as_ref()?.duration_ms
}
