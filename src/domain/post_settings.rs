//! The explicit choices of a post and the rules between them.
//!
//! TikTok's guidelines ask that privacy is chosen by hand, that interactions are off until switched
//! on, and that commercial content is disclosed. So nothing here has a default that speaks for the
//! creator: a missing choice is refused. The rules are pure; what a particular creator may choose is
//! checked by [`against_creator`].

use clipqueue_entities::post::PostKind;
use serde::{Deserialize, Serialize};
use tiktok::limits::{PHOTO_DESCRIPTION_UTF16, VIDEO_TITLE_UTF16};

use super::error::{Code, Refusal};

/// Who may see the post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrivacyLevel {
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
    /// TikTok's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PublicToEveryone => "PUBLIC_TO_EVERYONE",
            Self::MutualFollowFriends => "MUTUAL_FOLLOW_FRIENDS",
            Self::FollowerOfCreator => "FOLLOWER_OF_CREATOR",
            Self::SelfOnly => "SELF_ONLY",
        }
    }
}

/// The choices of a direct post. Stored with the post as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectSettings {
    /// Who may see it.
    pub privacy_level: PrivacyLevel,
    /// Whether comments are allowed.
    pub allow_comment: bool,
    /// Whether duets are allowed.
    pub allow_duet: bool,
    /// Whether stitches are allowed.
    pub allow_stitch: bool,
    /// The frame to show as cover, in milliseconds from the start; the first frame when absent.
    pub cover_timestamp_ms: Option<i32>,
    /// Whether the creator says that the post promotes something.
    pub discloses_commercial: bool,
    /// It promotes the creator's own business.
    pub your_brand: bool,
    /// It is a paid partnership.
    pub branded_content: bool,
    /// The creator labels it as made by AI.
    pub ai_generated: bool,
}

/// The text that the creator must have agreed to, by TikTok's guidelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// The Music Usage Confirmation.
    Music,
    /// The Branded Content Policy and the Music Usage Confirmation.
    BrandedAndMusic,
}

impl Consent {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Music => "music-usage",
            Self::BrandedAndMusic => "branded-content-and-music-usage",
        }
    }
}

impl DirectSettings {
    /// Which text the creator must have agreed to.
    pub fn consent(&self) -> Consent {
        if self.branded_content {
            Consent::BrandedAndMusic
        } else {
            Consent::Music
        }
    }

    /// Every broken rule between the choices.
    pub fn refusals(&self, audited: bool) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let branded = self.your_brand || self.branded_content;
        if self.discloses_commercial && !branded {
            refusals.push(setting(
                "disclosesCommercial",
                Code::DisclosureConflict,
                "commercial content is disclosed but of no kind; set yourBrand, brandedContent or both",
            ));
        }
        if !self.discloses_commercial && branded {
            refusals.push(setting(
                "disclosesCommercial",
                Code::DisclosureConflict,
                "yourBrand and brandedContent need disclosesCommercial to be true",
            ));
        }
        if self.branded_content {
            match self.privacy_level {
                PrivacyLevel::SelfOnly => refusals.push(setting(
                    "brandedContent",
                    Code::DisclosureConflict,
                    "branded content cannot be visible to the creator alone; choose another privacyLevel",
                )),
                // TikTok names public and friends only.
                PrivacyLevel::FollowerOfCreator => refusals.push(setting(
                    "brandedContent",
                    Code::DisclosureConflict,
                    "branded content is allowed for everyone or for friends; choose another privacyLevel",
                )),
                PrivacyLevel::PublicToEveryone | PrivacyLevel::MutualFollowFriends => {}
            }
        }
        if !audited && self.privacy_level != PrivacyLevel::SelfOnly {
            refusals.push(setting(
                "privacyLevel",
                Code::UnauditedClient,
                "this app is not audited by TikTok yet, so it can only post with SELF_ONLY, to accounts that are private",
            ));
        }
        if self.cover_timestamp_ms.is_some_and(|at| at < 0) {
            refusals.push(setting(
                "coverTimestampMs",
                Code::Invalid,
                "must not be negative; it counts milliseconds from the start",
            ));
        }
        refusals
    }
}

/// What TikTok says that a creator may choose; a part of creator info.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatorOptions {
    /// The handle.
    pub username: String,
    /// The name to show before posting.
    pub nickname: String,
    /// A picture address that lives two hours.
    pub avatar_url: Option<String>,
    /// TikTok's words for the levels that the account offers.
    pub privacy_levels: Vec<String>,
    /// Comments are switched off in the account.
    pub comment_disabled: bool,
    /// Duets are switched off, or the account is private.
    pub duet_disabled: bool,
    /// Stitches are switched off, or the account is private.
    pub stitch_disabled: bool,
    /// The longest video, in seconds.
    pub max_duration_s: Option<i32>,
}

/// What of `settings` the creator's account does not offer.
pub fn against_creator(
    settings: &DirectSettings,
    options: &CreatorOptions,
    duration_ms: Option<u64>,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let level = settings.privacy_level.as_str();
    if !options
        .privacy_levels
        .iter()
        .any(|offered| offered == level)
    {
        refusals.push(setting(
            "privacyLevel",
            Code::PrivacyNotOffered,
            format!(
                "the creator's account does not offer {level}; it offers {}",
                options.privacy_levels.join(", ")
            ),
        ));
    }
    for (field, wanted, disabled) in [
        (
            "allowComment",
            settings.allow_comment,
            options.comment_disabled,
        ),
        ("allowDuet", settings.allow_duet, options.duet_disabled),
        (
            "allowStitch",
            settings.allow_stitch,
            options.stitch_disabled,
        ),
    ] {
        if wanted && disabled {
            refusals.push(setting(
                field,
                Code::InteractionDisabled,
                "the creator's account has this switched off; set it to false",
            ));
        }
    }
    if let (Some(limit), Some(duration)) = (options.max_duration_s, duration_ms) {
        let limit_ms = u64::try_from(limit).unwrap_or_default() * 1000;
        if duration > limit_ms {
            refusals.push(Refusal::new(
                "mediaId",
                Code::MediaUnfit,
                format!(
                    "the video lasts {:.1} s and this creator may post {limit} s; shorten it",
                    duration_seconds(duration)
                ),
            ));
        }
    }
    refusals
}

#[expect(clippy::cast_precision_loss, reason = "a duration for people")]
fn duration_seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// Refuses a caption that TikTok would not take. It is counted as TikTok counts, in UTF-16 units,
/// and never cut.
pub fn caption_refusal(caption: &str, kind: PostKind) -> Option<Refusal> {
    let limit = match kind {
        PostKind::Video => VIDEO_TITLE_UTF16,
        PostKind::Photo => PHOTO_DESCRIPTION_UTF16,
    };
    let units = tiktok::text::utf16_len(caption);
    if units > limit {
        return Some(Refusal::new(
            "caption",
            Code::TooLong,
            format!(
                "has {units} UTF-16 units and TikTok takes {limit}; shorten it by {}",
                units - limit
            ),
        ));
    }
    caption.contains('\0').then(|| {
        Refusal::new(
            "caption",
            Code::Invalid,
            "must not contain the character U+0000",
        )
    })
}

fn setting(field: &'static str, code: Code, message: impl Into<String>) -> Refusal {
    Refusal {
        field: vec!["input", "direct", field],
        code,
        message: message.into(),
        retry_at: None,
    }
}
