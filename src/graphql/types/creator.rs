//! What TikTok says that a creator may choose.

use async_graphql::{Object, SimpleObject};

use super::direct::PrivacyLevel;
use crate::{
    domain::{creator::View, error::Refusal, post_settings::CreatorOptions},
    graphql::{
        scalars::{DateTime, Url},
        user_error::UserErrorCode,
    },
};

pub(crate) struct CreatorInfo(pub(crate) View);

impl CreatorInfo {
    fn options(&self) -> Option<&CreatorOptions> {
        self.0.options.as_ref().map(|(options, _)| options)
    }
}

/// Why a creator cannot post now, or why that is not known.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PostingObstacle {
    /// A word for programs.
    code: UserErrorCode,
    /// A sentence for people: what is wrong and what to do.
    message: String,
    /// When asking again can help, if time alone cures it.
    retry_at: Option<DateTime>,
}

impl From<&Refusal> for PostingObstacle {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code.into(),
            message: refusal.message.clone(),
            retry_at: refusal.retry_at.map(DateTime),
        }
    }
}

/// What TikTok says about a creator. Its guidelines want it shown before a direct post, and the
/// choices offered to be these.
#[Object]
impl CreatorInfo {
    /// When TikTok said this; null when it has never been asked with success.
    async fn fetched_at(&self) -> Option<DateTime> {
        self.0.options.as_ref().map(|(_, at)| (*at).into())
    }

    /// The name to show before posting.
    async fn nickname(&self) -> Option<&str> {
        self.options().map(|options| options.nickname.as_str())
    }

    /// The handle.
    async fn username(&self) -> Option<&str> {
        self.options().map(|options| options.username.as_str())
    }

    /// A picture. The address lives two hours.
    async fn avatar_url(&self) -> Option<Url> {
        self.options()?.avatar_url.clone().map(Url)
    }

    /// The privacy levels to offer, none chosen beforehand.
    async fn privacy_levels(&self) -> Vec<PrivacyLevel> {
        let levels = self.options().map(|options| &options.privacy_levels);
        let levels = levels.into_iter().flatten();
        levels.filter_map(|word| PrivacyLevel::read(word)).collect()
    }

    /// Comments are switched off in the account: show the choice disabled.
    async fn comment_disabled(&self) -> Option<bool> {
        self.options().map(|options| options.comment_disabled)
    }

    /// Duets are switched off in the account: show the choice disabled.
    async fn duet_disabled(&self) -> Option<bool> {
        self.options().map(|options| options.duet_disabled)
    }

    /// Stitches are switched off in the account: show the choice disabled.
    async fn stitch_disabled(&self) -> Option<bool> {
        self.options().map(|options| options.stitch_disabled)
    }

    /// The longest video that the creator may post, in seconds.
    async fn max_video_duration_seconds(&self) -> Option<i32> {
        self.options()?.max_duration_s
    }

    /// Whether the creator can post now; null when TikTok cannot be asked.
    async fn can_post(&self) -> Option<bool> {
        self.0.can_post()
    }

    /// Why `canPost` is not true.
    async fn reason(&self) -> Option<PostingObstacle> {
        self.0.obstacle.as_ref().map(PostingObstacle::from)
    }
}
