//! The photos of a post, and what TikTok fetched of them.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::{MediaId, UserId, attempt_photo, post_photo};

use super::media::Media;
use crate::{
    domain::{actor::Scope, posts::Photos, pulls},
    graphql::{
        guard::Needs,
        ids::Global as _,
        loaders::load,
        scalars::{BigInt, DateTime},
    },
};

/// The photos of a post.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct PhotosInput {
    /// The photos, 1 to 35, in the order in which they are shown; each must be READY.
    media_ids: Vec<ID>,
    /// Which of them is the cover, counted from 0.
    #[graphql(default)]
    cover_index: i32,
    /// The title: at most 90 UTF-16 units, never cut. TikTok takes it for direct posts and for drafts.
    title: Option<String>,
    /// Whether TikTok adds music, which the creator can change later. A direct post must say; a draft
    /// must not.
    auto_add_music: Option<bool>,
}

impl From<PhotosInput> for Photos {
    fn from(input: PhotosInput) -> Self {
        Self {
            media_ids: input.media_ids.iter().map(MediaId::from_global).collect(),
            cover_index: input.cover_index,
            title: input.title,
            auto_add_music: input.auto_add_music,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct PostPhoto {
    pub(crate) user: UserId,
    pub(crate) row: post_photo::Model,
    pub(crate) cover: bool,
}

/// One photo of a post.
#[Object]
impl PostPhoto {
    /// Its place, counted from 0.
    async fn position(&self) -> i32 {
        self.row.position
    }

    /// Whether it is the cover.
    async fn is_cover(&self) -> bool {
        self.cover
    }

    /// The id of the file.
    async fn media_id(&self) -> ID {
        self.row.media_id.to_global()
    }

    /// The file. Needs the scope `media:read`.
    #[graphql(guard = "Needs(Scope::MediaRead)")]
    async fn media(&self, ctx: &Context<'_>) -> Result<Option<Media>> {
        Ok(load(ctx, self.user, self.row.media_id).await?.map(Media))
    }
}

/// What TikTok fetched of one photo of an attempt.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct FetchedPhoto {
    /// Its place in the post, counted from 0.
    position: i32,
    /// The id of the file.
    media_id: ID,
    /// Bytes of the file.
    size: BigInt,
    /// How often its bytes were asked for.
    fetches: i32,
    /// How often its headers alone were asked for.
    heads: i32,
    /// Bytes that went out, repeated ones included.
    bytes_served: BigInt,
    /// Whether all of it went out.
    complete: bool,
    /// When it was first asked for.
    first_asked_at: Option<DateTime>,
    /// When it was last asked for.
    last_asked_at: Option<DateTime>,
    /// When the last of its bytes had gone out.
    completed_at: Option<DateTime>,
}

impl From<attempt_photo::Model> for FetchedPhoto {
    fn from(row: attempt_photo::Model) -> Self {
        Self {
            position: row.position,
            media_id: row.media_id.to_global(),
            size: BigInt(row.size),
            fetches: row.fetches,
            heads: row.heads,
            bytes_served: BigInt(row.bytes_served),
            complete: row.completed_at.is_some(),
            first_asked_at: row.first_asked_at.map(DateTime),
            last_asked_at: row.last_asked_at.map(DateTime),
            completed_at: row.completed_at.map(DateTime),
        }
    }
}

/// What TikTok fetched of an attempt's photos. Only TikTok knows their addresses, so that it came
/// proves that it accepted the post, even when its answer was lost.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PhotoPull {
    /// The same in a sentence.
    summary: String,
    /// Photos that went out as a whole.
    fetched: i32,
    /// All photos.
    total: i32,
    /// When the addresses end; they end with the attempt, too.
    addresses_end_at: Option<DateTime>,
    /// Each photo, in order.
    photos: Vec<FetchedPhoto>,
}

impl PhotoPull {
    pub(crate) fn of(ends_at: Option<DateTime>, rows: Vec<attempt_photo::Model>) -> Self {
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let whole = rows.iter().filter(|row| row.completed_at.is_some()).count();
        Self {
            summary: pulls::summary(&rows),
            fetched: count(whole),
            total: count(rows.len()),
            addresses_end_at: ends_at,
            photos: rows.into_iter().map(FetchedPhoto::from).collect(),
        }
    }
}
