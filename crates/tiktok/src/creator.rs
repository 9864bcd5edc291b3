//! What a creator may post right now. To be asked freshly before every direct post: the creator can change
//! the account at any time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::endpoint::Endpoint;
use crate::error::{Error, Malformed};
use crate::secrets::AccessToken;

/// Who may see a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrivacyLevel {
    /// Everyone. Offered to public accounts.
    PublicToEveryone,
    /// Followers that the creator follows back.
    MutualFollowFriends,
    /// Followers. Offered to private accounts.
    FollowerOfCreator,
    /// The creator alone.
    SelfOnly,
}

/// A text is none of TikTok's privacy levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no privacy level; write PUBLIC_TO_EVERYONE, MUTUAL_FOLLOW_FRIENDS, FOLLOWER_OF_CREATOR or SELF_ONLY"
)]
pub struct UnknownPrivacyLevel;

impl PrivacyLevel {
    /// TikTok's name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PublicToEveryone => "PUBLIC_TO_EVERYONE",
            Self::MutualFollowFriends => "MUTUAL_FOLLOW_FRIENDS",
            Self::FollowerOfCreator => "FOLLOWER_OF_CREATOR",
            Self::SelfOnly => "SELF_ONLY",
        }
    }
}

impl FromStr for PrivacyLevel {
    type Err = UnknownPrivacyLevel;

    fn from_str(text: &str) -> Result<Self, UnknownPrivacyLevel> {
        match text {
            "PUBLIC_TO_EVERYONE" => Ok(Self::PublicToEveryone),
            "MUTUAL_FOLLOW_FRIENDS" => Ok(Self::MutualFollowFriends),
            "FOLLOWER_OF_CREATOR" => Ok(Self::FollowerOfCreator),
            "SELF_ONLY" => Ok(Self::SelfOnly),
            _ => Err(UnknownPrivacyLevel),
        }
    }
}

impl fmt::Display for PrivacyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The creator's account as the post screen needs it. It describes the account, not the app: an app that is not
/// audited is offered public levels too, and refused at the init.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatorInfo {
    /// Avatar; the address lives for two hours.
    pub avatar_url: Option<String>,
    /// The handle without `@`.
    pub username: Option<String>,
    /// The name that must be shown to whoever posts.
    pub nickname: Option<String>,
    /// The levels to choose from.
    pub privacy_levels: Vec<PrivacyLevel>,
    /// Levels offered that this crate does not know and so cannot post with.
    pub unknown_privacy_levels: Vec<String>,
    /// The account takes no comments.
    pub comment_disabled: bool,
    /// The account takes no duets; also true for private accounts. Means nothing for photos.
    pub duet_disabled: bool,
    /// The account takes no stitches; also true for private accounts. Means nothing for photos.
    pub stitch_disabled: bool,
    /// The longest video that the creator may post. Means nothing for photos.
    pub max_video_duration: Option<Duration>,
}

impl Client {
    /// Asks what the creator may post. A creator who cannot post now is an error, although TikTok answers it
    /// with HTTP 200.
    ///
    /// # Errors
    /// [`crate::Class::CreatorCap`], [`crate::Class::CreatorBanned`], [`crate::Class::AppUserCap`], and what any
    /// call can end in.
    pub async fn creator_info(&self, token: &AccessToken) -> Result<Answer<CreatorInfo>, Error> {
        let opened = self
            .post_json(Endpoint::CreatorInfo, token, &[], &json!({}))
            .await?;
        opened.read(|data| {
            let options = data
                .list("privacy_level_options")
                .ok_or(Malformed::Missing("privacy_level_options"))?;
            let names = || options.iter().filter_map(Value::as_str);
            Ok(CreatorInfo {
                avatar_url: data.owned("creator_avatar_url"),
                username: data.owned("creator_username"),
                nickname: data.owned("creator_nickname"),
                privacy_levels: names().filter_map(|name| name.parse().ok()).collect(),
                unknown_privacy_levels: names()
                    .filter(|name| name.parse::<PrivacyLevel>().is_err())
                    .map(str::to_owned)
                    .collect(),
                comment_disabled: data.flag("comment_disabled").unwrap_or(false),
                duet_disabled: data.flag("duet_disabled").unwrap_or(false),
                stitch_disabled: data.flag("stitch_disabled").unwrap_or(false),
                max_video_duration: data
                    .unsigned("max_video_post_duration_sec")
                    .filter(|seconds| *seconds > 0)
                    .map(Duration::from_secs),
            })
        })
    }
}
