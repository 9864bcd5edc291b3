//! Why a publishing task failed: `fail_reason` of a status, `reason` of a webhook.

use std::fmt;

use crate::text::clean;

/// Longest unknown reason that is kept, in characters.
const REASON_MAX_CHARS: usize = 80;

/// A reason. In every case nothing was published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FailReason {
    /// The format is not supported.
    FileFormat,
    /// The video is too long or too short.
    Duration,
    /// The frame rate is out of bounds.
    FrameRate,
    /// The frame or photo size is out of bounds.
    PictureSize,
    /// A failure inside TikTok.
    Internal,
    /// The video could not be pulled from its URL.
    VideoPull,
    /// A photo could not be pulled from its URL.
    PhotoPull,
    /// The task was cancelled through the API.
    Cancelled,
    /// The creator removed the app's access meanwhile.
    AuthRemoved,
    /// Too many posts through the API within a day.
    TooManyPosts,
    /// The creator is banned from posting.
    UserBanned,
    /// The caption looks like spam.
    RiskyText,
    /// The request looks risky.
    Risky,
    /// A reason that no page documents.
    Unknown(String),
}

/// Who can do something about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// The creator: other media, other text, connecting again, or asking TikTok.
    Creator,
    /// TikTok itself.
    TikTok,
    /// Whoever runs the app: URLs, domains, limits.
    Operator,
    /// Nobody; the cap's window must pass.
    Time,
    /// Nobody; it was asked for.
    Nobody,
}

/// Whether a new attempt can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same post can be tried again.
    Now,
    /// Once the daily window has passed.
    AfterWindow,
    /// Not as it is: something must be changed first.
    AfterChange,
    /// Only if a person asks for it.
    OnRequest,
    /// Never by itself.
    Never,
}

impl FailReason {
    /// Reads a reason. Compares whole words only: `internal` and `spam_risk` are prefixes of others.
    #[must_use]
    pub fn from_wire(reason: &str) -> Self {
        match reason {
            "file_format_check_failed" => Self::FileFormat,
            "duration_check_failed" => Self::Duration,
            // The longer spelling stands in clients only.
            "frame_rate_check_failed" | "video_frame_rate_check_failed" => Self::FrameRate,
            "picture_size_check_failed" => Self::PictureSize,
            // The longer spelling stands in clients only.
            "internal" | "internal_error" => Self::Internal,
            "video_pull_failed" => Self::VideoPull,
            "photo_pull_failed" => Self::PhotoPull,
            "publish_cancelled" => Self::Cancelled,
            "auth_removed" => Self::AuthRemoved,
            "spam_risk_too_many_posts" => Self::TooManyPosts,
            "spam_risk_user_banned_from_posting" => Self::UserBanned,
            "spam_risk_text" => Self::RiskyText,
            "spam_risk" => Self::Risky,
            other => Self::Unknown(clean(other, REASON_MAX_CHARS)),
        }
    }

    /// TikTok's name of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::FileFormat => "file_format_check_failed",
            Self::Duration => "duration_check_failed",
            Self::FrameRate => "frame_rate_check_failed",
            Self::PictureSize => "picture_size_check_failed",
            Self::Internal => "internal",
            Self::VideoPull => "video_pull_failed",
            Self::PhotoPull => "photo_pull_failed",
            Self::Cancelled => "publish_cancelled",
            Self::AuthRemoved => "auth_removed",
            Self::TooManyPosts => "spam_risk_too_many_posts",
            Self::UserBanned => "spam_risk_user_banned_from_posting",
            Self::RiskyText => "spam_risk_text",
            Self::Risky => "spam_risk",
            Self::Unknown(reason) => reason,
        }
    }

    /// Whether and when a new attempt can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Internal | Self::VideoPull | Self::PhotoPull => Retry::Now,
            Self::TooManyPosts => Retry::AfterWindow,
            Self::FileFormat
            | Self::Duration
            | Self::FrameRate
            | Self::PictureSize
            | Self::AuthRemoved
            | Self::RiskyText => Retry::AfterChange,
            Self::Cancelled | Self::Unknown(_) => Retry::OnRequest,
            Self::UserBanned | Self::Risky => Retry::Never,
        }
    }

    /// Whether the same post can be tried again at once, without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.retry() == Retry::Now
    }

    /// Who can do something about it.
    #[must_use]
    pub fn who(&self) -> Who {
        match self {
            Self::FileFormat
            | Self::Duration
            | Self::FrameRate
            | Self::PictureSize
            | Self::AuthRemoved
            | Self::UserBanned
            | Self::RiskyText
            | Self::Risky => Who::Creator,
            Self::Internal => Who::TikTok,
            Self::VideoPull | Self::PhotoPull | Self::Unknown(_) => Who::Operator,
            Self::TooManyPosts => Who::Time,
            Self::Cancelled => Who::Nobody,
        }
    }
}

impl fmt::Display for FailReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_reasons() {
        let table = [
            ("file_format_check_failed", Who::Creator, Retry::AfterChange),
            ("duration_check_failed", Who::Creator, Retry::AfterChange),
            ("frame_rate_check_failed", Who::Creator, Retry::AfterChange),
            (
                "picture_size_check_failed",
                Who::Creator,
                Retry::AfterChange,
            ),
            ("internal", Who::TikTok, Retry::Now),
            ("video_pull_failed", Who::Operator, Retry::Now),
            ("photo_pull_failed", Who::Operator, Retry::Now),
            ("publish_cancelled", Who::Nobody, Retry::OnRequest),
            ("auth_removed", Who::Creator, Retry::AfterChange),
            ("spam_risk_too_many_posts", Who::Time, Retry::AfterWindow),
            (
                "spam_risk_user_banned_from_posting",
                Who::Creator,
                Retry::Never,
            ),
            ("spam_risk_text", Who::Creator, Retry::AfterChange),
            ("spam_risk", Who::Creator, Retry::Never),
            ("spam_risk_new", Who::Operator, Retry::OnRequest),
        ];
        for (text, who, retry) in table {
            let reason = FailReason::from_wire(text);
            assert_eq!(reason.as_str(), text);
            assert_eq!((reason.who(), reason.retry()), (who, retry), "{text}");
            assert_eq!(reason.retryable(), retry == Retry::Now);
        }
        assert_eq!(
            FailReason::from_wire("internal_error"),
            FailReason::Internal
        );
        let new = FailReason::from_wire("spam_risk_new");
        assert_eq!(new, FailReason::Unknown("spam_risk_new".into()));
    }
}
