//! The profile and the counters of the user behind a token.

use crate::client::{Answer, Client};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::ids::OpenId;
use crate::scope::{Scope, Scopes};
use crate::secrets::AccessToken;

const BASIC: &[&str] = &[
    "open_id",
    "union_id",
    "avatar_url",
    "avatar_url_100",
    "avatar_large_url",
    "display_name",
];
const PROFILE: &[&str] = &[
    "bio_description",
    "profile_deep_link",
    "is_verified",
    "username",
];
const STATS: &[&str] = &[
    "follower_count",
    "following_count",
    "likes_count",
    "video_count",
];

/// The fields to ask for: those that the granted scopes cover. One field too many fails the whole call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFields(Vec<&'static str>);

impl UserFields {
    /// Every field that these scopes cover; `None` if they cover none.
    #[must_use]
    pub fn covered_by(scopes: &Scopes) -> Option<Self> {
        let fields: Vec<_> = [
            (Scope::UserInfoBasic, BASIC),
            (Scope::UserInfoProfile, PROFILE),
            (Scope::UserInfoStats, STATS),
        ]
        .into_iter()
        .filter(|(scope, _)| scopes.contains(scope))
        .flat_map(|(_, fields)| fields.iter().copied())
        .collect();
        (!fields.is_empty()).then_some(Self(fields))
    }
}

/// A user. Every field is absent that was not asked for or not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// The user as this app sees them.
    pub open_id: Option<OpenId>,
    /// The user over all apps of one developer.
    pub union_id: Option<String>,
    /// Avatar; the address lives for hours.
    pub avatar_url: Option<String>,
    /// Avatar of 100 by 100 pixels; the address lives for hours.
    pub avatar_url_100: Option<String>,
    /// Large avatar; the address lives for hours.
    pub avatar_large_url: Option<String>,
    /// Name shown on the profile.
    pub display_name: Option<String>,
    /// Text on the profile.
    pub bio_description: Option<String>,
    /// Link that opens the profile.
    pub profile_deep_link: Option<String>,
    /// Whether TikTok has verified the account.
    pub is_verified: Option<bool>,
    /// The handle without `@`.
    pub username: Option<String>,
    /// Followers.
    pub follower_count: Option<i64>,
    /// Accounts followed.
    pub following_count: Option<i64>,
    /// Likes over all videos.
    pub likes_count: Option<i64>,
    /// Public videos.
    pub video_count: Option<i64>,
}

impl Client {
    /// Asks for the user behind a token.
    ///
    /// # Errors
    /// What any call can end in.
    pub async fn user_info(
        &self,
        token: &AccessToken,
        fields: &UserFields,
    ) -> Result<Answer<UserInfo>, Error> {
        let query = [("fields", fields.0.join(","))];
        let opened = self.get(Endpoint::UserInfo, token, &query).await?;
        opened.read(|mut data| {
            let user = data.take_object("user").unwrap_or_default();
            Ok(UserInfo {
                open_id: user.filled("open_id").and_then(|t| OpenId::parse(t).ok()),
                union_id: user.owned("union_id"),
                avatar_url: user.owned("avatar_url"),
                avatar_url_100: user.owned("avatar_url_100"),
                avatar_large_url: user.owned("avatar_large_url"),
                display_name: user.owned("display_name"),
                bio_description: user.owned("bio_description"),
                profile_deep_link: user.owned("profile_deep_link"),
                is_verified: user.flag("is_verified"),
                username: user.owned("username"),
                follower_count: user.signed("follower_count"),
                following_count: user.signed("following_count"),
                likes_count: user.signed("likes_count"),
                video_count: user.signed("video_count"),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_covered_fields_are_asked_for() {
        let some =
            UserFields::covered_by(&Scopes::parse("user.info.basic,user.info.stats")).unwrap();
        assert!(some.0.contains(&"open_id") && some.0.contains(&"video_count"));
        assert!(!some.0.contains(&"username"));
        assert_eq!(
            UserFields::covered_by(&Scopes::parse("video.publish")),
            None
        );
    }
}
