//! Uploaded files.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::{
    library::MediaLife,
    media_facts::{MediaFacts, MediaVerdict, PhotoFacts},
};
use crate::{
    domain::uploads,
    graphql::{
        guard::app,
        ids::Global as _,
        loaders::{LabelsOf, LifeOf, load},
        scalars::{BigInt, DateTime},
        user_error::raise,
    },
    media,
};

/// Where a file stands. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "media::MediaState")]
pub(crate) enum MediaState {
    /// Bytes are missing, or the last check is still to come.
    Uploading,
    /// Whole, checked, and fit for TikTok as far as its container tells.
    Ready,
    /// Whole, but TikTok would refuse it, or it is not what was announced; see `verdicts`.
    Rejected,
    /// Nobody finished the upload in time.
    Expired,
    /// Somebody took it away.
    Deleted,
}

#[derive(Clone, Debug)]
pub(crate) struct Media(pub(crate) media::Media);

/// An uploaded file.
#[Object]
impl Media {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// Where it stands.
    async fn state(&self) -> MediaState {
        self.0.state.into()
    }

    /// The name that the client gave.
    async fn filename(&self) -> Option<&str> {
        self.0.filename.as_deref()
    }

    /// The type that the client gave; `contentType` is what the bytes say.
    async fn declared_type(&self) -> Option<&str> {
        self.0.declared_type.as_deref()
    }

    /// Bytes in all.
    async fn size(&self) -> BigInt {
        self.0.size.into()
    }

    /// Bytes that are durably stored.
    async fn received(&self) -> BigInt {
        self.0.received.into()
    }

    /// The SHA-256 in hexadecimal, once the file is whole.
    async fn sha256(&self) -> Option<&str> {
        self.0.sha256.as_deref()
    }

    /// The type by content, once the file is whole.
    async fn content_type(&self) -> Option<&str> {
        self.0.content_type.as_deref()
    }

    /// What a photo's headers say, once the file is whole; null for a video.
    async fn photo(&self) -> Option<PhotoFacts> {
        self.0.photo.clone().map(PhotoFacts::from)
    }

    /// What a video's container says, once the file is whole and could be read; null for a photo.
    async fn facts(&self) -> Option<MediaFacts> {
        self.0.facts.clone().map(MediaFacts::from)
    }

    /// One verdict per rule of TikTok's, once the file is whole.
    async fn verdicts(&self) -> Vec<MediaVerdict> {
        let verdicts = self.0.verdicts.iter().cloned();
        verdicts.map(MediaVerdict::from).collect()
    }

    /// Why it was REJECTED, in a sentence.
    async fn rejection(&self) -> Option<String> {
        self.0.rejection()
    }

    /// When it was announced.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }

    /// When the unfinished upload ends; each arriving byte puts it off.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// When it became READY.
    async fn ready_at(&self) -> Option<DateTime> {
        self.0.ready_at.map(DateTime)
    }

    /// The folder that it lies in, such as `2027/may`; empty at the top.
    async fn folder(&self) -> &str {
        &self.0.folder
    }

    /// Its labels, in order.
    async fn labels(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        let labels = load(ctx, self.0.user_id, LabelsOf(self.0.id)).await?;
        Ok(labels.unwrap_or_default())
    }

    /// Your note, to be taken as a caption.
    async fn caption(&self) -> Option<&str> {
        self.0.caption.as_deref()
    }

    /// Your own reference.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// How long it is kept; null when it has no bytes, or not all of them.
    async fn life(&self, ctx: &Context<'_>) -> Result<Option<MediaLife>> {
        let life = load(ctx, self.0.user_id, LifeOf(self.0.id)).await?;
        Ok(life.map(MediaLife::from))
    }

    /// An older READY file of yours with the same bytes, which serves as well; null when there is none.
    #[graphql(complexity = "2 + child_complexity")]
    async fn duplicate_of(&self, ctx: &Context<'_>) -> Result<Option<Media>> {
        let original = uploads::original(app(ctx), &self.0).await;
        let original = original.map_err(|error| raise("Media", error))?;
        Ok(original.map(Media))
    }
}
