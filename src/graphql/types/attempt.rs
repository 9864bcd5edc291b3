//! Attempts at handing a post to TikTok.

use async_graphql::{Context, Enum, Object, Result};
use clipqueue_entities::{UserId, post_attempt};

use super::photos::PhotoPull;
use crate::graphql::{
    loaders::{PhotosOfAttempt, load},
    scalars::{BigInt, DateTime},
};

/// How far an attempt has come. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(
    name = "PostAttemptPhase",
    remote = "clipqueue_entities::post_attempt::AttemptPhase"
)]
pub(crate) enum AttemptPhase {
    /// TikTok may have been told of it; no publish id is known.
    InitSent,
    /// The publish id is known; bytes may have been sent, but not the last chunk.
    Uploading,
    /// The last chunk may have been sent: TikTok may post it from here on.
    LastChunk,
    /// TikTok may have been told where to fetch the photos, and may post them from here on; no publish
    /// id is known.
    PullSent,
    /// TikTok acknowledged every byte, or accepted to fetch the photos.
    Sent,
    /// Over; `outcome` says how.
    Closed,
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt(pub(crate) post_attempt::Model, pub(crate) UserId);

/// One attempt at handing a post to TikTok. It is on record before the call that it describes.
#[Object(name = "PostAttempt")]
impl Attempt {
    /// Counts from one within the post.
    async fn number(&self) -> i32 {
        self.0.number
    }

    /// How far it has come.
    async fn phase(&self) -> AttemptPhase {
        self.0.phase.into()
    }

    /// TikTok's id of the publish.
    async fn publish_id(&self) -> Option<&str> {
        self.0.publish_id.as_deref()
    }

    /// Bytes of a video that TikTok acknowledged.
    async fn bytes_acked(&self) -> BigInt {
        BigInt(self.0.bytes_acked)
    }

    /// Bytes of the video or the photos.
    async fn bytes_total(&self) -> BigInt {
        BigInt(self.0.video_size)
    }

    /// Number of chunks.
    async fn chunk_count(&self) -> i32 {
        self.0.chunk_count
    }

    /// What TikTok fetched of the photos; null for a video, which is sent.
    async fn photo_pull(&self, ctx: &Context<'_>) -> Result<Option<PhotoPull>> {
        let Some(ends_at) = self.0.pull_ends_at else {
            return Ok(None);
        };
        let rows = load(ctx, self.1, PhotosOfAttempt(self.0.id)).await?;
        Ok(rows.map(|rows| PhotoPull::of(Some(ends_at.into()), rows)))
    }

    /// How it ended, as a word; null while it is open.
    async fn outcome(&self) -> Option<&str> {
        self.0.outcome.as_deref()
    }

    /// TikTok's code, when it refused.
    async fn error_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    /// TikTok's log id of the last answer, which its support asks for.
    async fn log_id(&self) -> Option<&str> {
        self.0.log_id.as_deref()
    }

    /// When it began.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it ended.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime)
    }
}
