//! Uploaded files.

use async_graphql::{Enum, ID, Object};

use super::media_facts::{MediaFacts, MediaVerdict, PhotoFacts};
use crate::{
    graphql::{
        ids::Global as _,
        scalars::{BigInt, DateTime},
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
}
