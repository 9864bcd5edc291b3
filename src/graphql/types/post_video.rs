//! The videos at TikTok that a post became, or may have become.

use async_graphql::{Enum, Object};
use clipqueue_entities::post_video;

use crate::graphql::scalars::{DateTime, Url};

/// How sure it is that a video is the post's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum PostVideoStanding {
    /// TikTok, the creator, an operator, or an unmistakable comparison says so.
    Joined,
    /// It may be: the caption, the length or the time fits, or more than one video does. A person
    /// decides, by `confirmPost`.
    Suggested,
}

#[derive(Clone, Debug)]
pub(crate) struct PostVideo(pub(crate) post_video::Model);

/// A video at TikTok that a post became, or may have become.
#[Object]
impl PostVideo {
    /// TikTok's id of the video. Ids have 64 bits, so it is a string.
    async fn video_id(&self) -> &str {
        &self.0.video_id
    }

    /// How sure it is.
    async fn standing(&self) -> PostVideoStanding {
        if self.0.joined_key.is_some() {
            PostVideoStanding::Joined
        } else {
            PostVideoStanding::Suggested
        }
    }

    /// Its address, when known.
    async fn share_url(&self) -> Option<Url> {
        self.0.share_url.clone().map(Url)
    }

    /// Its caption as TikTok shows it; null when the videos were not listed for it.
    async fn caption(&self) -> Option<&str> {
        self.0.caption.as_deref()
    }

    /// When it was posted, when known.
    async fn posted_at(&self) -> Option<DateTime> {
        self.0.posted_at.map(DateTime)
    }

    /// When it was joined to the post; null for a suggestion.
    async fn joined_at(&self) -> Option<DateTime> {
        let joined = self.0.joined_key.as_ref().and(self.0.joined_at);
        joined.map(DateTime)
    }

    /// When TikTok said that it is no longer public; null while nothing of the kind was said.
    async fn hidden_at(&self) -> Option<DateTime> {
        self.0.hidden_at.map(DateTime)
    }
}
