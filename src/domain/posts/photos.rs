//! The photos of a post: what a request says of them, the rules, and where they are kept.

use clipqueue_entities::{MediaId, PostId, post, post::PostKind, post_photo};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _,
};
use serde::Serialize;
use tiktok::limits::{PHOTO_MAX_IMAGES, PHOTO_TITLE_UTF16};

use crate::domain::{
    error::{Code, Refusal, Result},
    post_settings::DirectSettings,
};

/// The photos of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Photos {
    /// The files, in the order in which they are shown.
    pub media_ids: Vec<MediaId>,
    /// Which of them is the cover, from zero.
    pub cover_index: i32,
    /// The title.
    pub title: Option<String>,
    /// Whether TikTok adds music; a direct post must say.
    pub auto_add_music: Option<bool>,
}

impl Photos {
    /// Every broken rule, apart from those about the files themselves.
    pub fn refusals(&self, direct: Option<&DirectSettings>) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let count = self.media_ids.len();
        if !(1..=PHOTO_MAX_IMAGES).contains(&count) {
            refusals.push(of(
                "mediaIds",
                Code::Invalid,
                format!("{count} photos were given, and a post has 1 to {PHOTO_MAX_IMAGES}"),
            ));
        }
        if !usize::try_from(self.cover_index).is_ok_and(|index| index < count) {
            refusals.push(of(
                "coverIndex",
                Code::Invalid,
                format!(
                    "{} names none of the {count} photos; they are counted from 0",
                    self.cover_index
                ),
            ));
        }
        if let Some(title) = &self.title {
            refusals.extend(title_refusal(title));
        }
        match direct {
            Some(direct) => refusals.extend(self.direct_refusals(direct)),
            None if self.auto_add_music.is_some() => refusals.push(of(
                "autoAddMusic",
                Code::Invalid,
                "is a choice for direct posts; in a draft the creator adds music in the TikTok app, so leave it out",
            )),
            None => {}
        }
        refusals
    }

    fn direct_refusals(&self, direct: &DirectSettings) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if self.auto_add_music.is_none() {
            refusals.push(of(
                "autoAddMusic",
                Code::Required,
                "say whether TikTok adds music to the photos",
            ));
        }
        for (field, chosen) in [
            ("allowDuet", direct.allow_duet),
            ("allowStitch", direct.allow_stitch),
        ] {
            if chosen {
                refusals.push(not_for_photos(
                    field,
                    "exists for videos only; set it to false",
                ));
            }
        }
        if direct.cover_timestamp_ms.is_some() {
            refusals.push(not_for_photos(
                "coverTimestampMs",
                "is for videos; choose the cover of photos by photos.coverIndex",
            ));
        }
        refusals
    }
}

fn title_refusal(title: &str) -> Option<Refusal> {
    let units = tiktok::text::utf16_len(title);
    if units > PHOTO_TITLE_UTF16 {
        return Some(of(
            "title",
            Code::TooLong,
            format!(
                "has {units} UTF-16 units and TikTok takes {PHOTO_TITLE_UTF16}; shorten it by {}",
                units - PHOTO_TITLE_UTF16
            ),
        ));
    }
    title.contains('\0').then(|| {
        of(
            "title",
            Code::Invalid,
            "must not contain the character U+0000",
        )
    })
}

/// A refusal of a field of the photos.
pub(super) fn of(field: &'static str, code: Code, message: impl Into<String>) -> Refusal {
    Refusal {
        field: vec!["input", "photos", field],
        code,
        message: message.into(),
        retry_at: None,
    }
}

fn not_for_photos(field: &'static str, message: &str) -> Refusal {
    Refusal {
        field: vec!["input", "direct", field],
        code: Code::Invalid,
        message: message.to_owned(),
        retry_at: None,
    }
}

/// The files of several photo posts, in order within each.
pub async fn media_of(
    db: &impl ConnectionTrait,
    posts: &[PostId],
) -> Result<Vec<post_photo::Model>> {
    Ok(post_photo::Entity::find()
        .filter(post_photo::Column::PostId.is_in(posts.iter().copied()))
        .order_by_asc(post_photo::Column::PostId)
        .order_by_asc(post_photo::Column::Position)
        .all(db)
        .await?)
}

/// The photos of a post; none of a video.
pub async fn photos_of(db: &impl ConnectionTrait, post: &post::Model) -> Result<Option<Photos>> {
    if post.kind != PostKind::Photo {
        return Ok(None);
    }
    let rows = media_of(db, &[post.id]).await?;
    Ok(Some(Photos {
        media_ids: rows.into_iter().map(|row| row.media_id).collect(),
        cover_index: post.cover_index.unwrap_or_default(),
        title: post.title.clone(),
        auto_add_music: post.auto_add_music,
    }))
}

/// Writes which files a post has, in place of those that it had.
pub(super) async fn store_in_tx(
    tx: &impl ConnectionTrait,
    post: PostId,
    photos: &Photos,
) -> Result<()> {
    post_photo::Entity::delete_many()
        .filter(post_photo::Column::PostId.eq(post))
        .exec(tx)
        .await?;
    let rows = photos
        .media_ids
        .iter()
        .zip(0..)
        .map(|(media_id, position)| post_photo::ActiveModel {
            post_id: Set(post),
            position: Set(position),
            media_id: Set(*media_id),
        });
    post_photo::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
