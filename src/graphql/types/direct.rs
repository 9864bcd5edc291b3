//! The choices of a direct post, in both directions.

use async_graphql::{Enum, InputObject, SimpleObject};

use crate::domain::post_settings::{self, DirectSettings};

/// Who may see a post. TikTok may add levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "post_settings::PrivacyLevel")]
pub(crate) enum PrivacyLevel {
    /// Everyone.
    PublicToEveryone,
    /// Followers whom the creator follows back.
    MutualFollowFriends,
    /// Followers; offered to private accounts.
    FollowerOfCreator,
    /// The creator alone.
    SelfOnly,
}

impl PrivacyLevel {
    /// The level that TikTok's word means, if it is a known one.
    pub(crate) fn read(word: &str) -> Option<Self> {
        use async_graphql::resolver_utils::EnumType as _;
        let item = Self::items().iter().find(|item| item.name == word)?;
        Some(item.value)
    }
}

/// The creator's choices for a direct post. TikTok's guidelines want each of them made by hand, so
/// none has a default.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct DirectPostInput {
    /// Who may see it; one of `creatorInfo.privacyLevels`.
    privacy_level: PrivacyLevel,
    /// Whether comments are allowed.
    allow_comment: bool,
    /// Whether duets are allowed.
    allow_duet: bool,
    /// Whether stitches are allowed.
    allow_stitch: bool,
    /// The frame to show as cover, in milliseconds from the start; the first frame when left out.
    cover_timestamp_ms: Option<i32>,
    /// Whether the creator says that the post promotes something. When true, at least one of
    /// `yourBrand` and `brandedContent` must be true.
    discloses_commercial: bool,
    /// It promotes the creator's own business.
    your_brand: bool,
    /// It is a paid partnership; such a post cannot be private.
    branded_content: bool,
    /// The creator labels it as made by AI.
    ai_generated: bool,
}

impl From<DirectPostInput> for DirectSettings {
    fn from(input: DirectPostInput) -> Self {
        Self {
            privacy_level: input.privacy_level.into(),
            allow_comment: input.allow_comment,
            allow_duet: input.allow_duet,
            allow_stitch: input.allow_stitch,
            cover_timestamp_ms: input.cover_timestamp_ms,
            discloses_commercial: input.discloses_commercial,
            your_brand: input.your_brand,
            branded_content: input.branded_content,
            ai_generated: input.ai_generated,
        }
    }
}

/// The creator's choices for a direct post.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct DirectPostSettings {
    /// Who may see it.
    privacy_level: PrivacyLevel,
    /// Whether comments are allowed.
    allow_comment: bool,
    /// Whether duets are allowed.
    allow_duet: bool,
    /// Whether stitches are allowed.
    allow_stitch: bool,
    /// The frame shown as cover, in milliseconds from the start; the first frame when null.
    cover_timestamp_ms: Option<i32>,
    /// Whether the creator says that the post promotes something.
    discloses_commercial: bool,
    /// It promotes the creator's own business.
    your_brand: bool,
    /// It is a paid partnership.
    branded_content: bool,
    /// The creator labels it as made by AI.
    ai_generated: bool,
}

impl From<DirectSettings> for DirectPostSettings {
    fn from(settings: DirectSettings) -> Self {
        Self {
            privacy_level: settings.privacy_level.into(),
            allow_comment: settings.allow_comment,
            allow_duet: settings.allow_duet,
            allow_stitch: settings.allow_stitch,
            cover_timestamp_ms: settings.cover_timestamp_ms,
            discloses_commercial: settings.discloses_commercial,
            your_brand: settings.your_brand,
            branded_content: settings.branded_content,
            ai_generated: settings.ai_generated,
        }
    }
}
