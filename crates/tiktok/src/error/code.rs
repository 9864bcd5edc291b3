//! The error codes of the API endpoints.

use std::fmt;

use super::class::Class;
use crate::text::clean;

/// Longest unknown code that is kept, in characters.
const CODE_MAX_CHARS: usize = 80;

/// A code of the API envelope. All documented codes are here; what is not is [`ErrorCode::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The access token is missing, wrong or expired.
    AccessTokenInvalid,
    /// The user did not grant the scope, or the product is not enabled for the app.
    ScopeNotAuthorized,
    /// Some of the asked fields need more scopes.
    ScopePermissionMissed,
    /// The request is wrong. Documented as `invalid_param` and `invalid_params`, seen as the latter.
    InvalidParams,
    /// The file does not follow the rules.
    InvalidFileUpload,
    /// TikTok does not know the publish id. Also seen as `invalid_params` with this as its message.
    InvalidPublishId,
    /// The publish id belongs to another user.
    ForeignPublishId,
    /// The task is already final.
    PublishNotCancellable,
    /// The user's TikTok app is too old for photo drafts.
    AppVersionCheckFailed,
    /// The creator's daily cap of posts over all API clients.
    TooManyPosts,
    /// Too many drafts wait in the creator's inbox.
    TooManyPendingShare,
    /// The creator is banned from posting.
    UserBannedFromPosting,
    /// The app's daily quota of active creators.
    ReachedActiveUserCap,
    /// The app is not audited, and the account (or the post) is not private.
    UnauditedClientPublicAccount,
    /// The domain of a pulled URL is not verified for the app.
    UrlOwnershipUnverified,
    /// The privacy level is not among the creator's options.
    PrivacyLevelOptionMismatch,
    /// Too many calls within a minute.
    RateLimitExceeded,
    /// A failure inside TikTok.
    InternalError,
    /// A code that no page documents.
    Unknown(String),
}

impl ErrorCode {
    /// Reads a code together with its message, which sometimes holds the real cause.
    #[must_use]
    pub fn from_wire(code: &str, message: &str) -> Self {
        match code {
            "access_token_invalid" => Self::AccessTokenInvalid,
            "scope_not_authorized" => Self::ScopeNotAuthorized,
            "scope_permission_missed" => Self::ScopePermissionMissed,
            "invalid_param" | "invalid_params" if names(message, "invalid_publish_id") => {
                Self::InvalidPublishId
            }
            "invalid_param" | "invalid_params" => Self::InvalidParams,
            "invalid_file_upload" => Self::InvalidFileUpload,
            "invalid_publish_id" => Self::InvalidPublishId,
            "token_not_authorized_for_specified_publish_id" => Self::ForeignPublishId,
            "publish_not_cancellable" => Self::PublishNotCancellable,
            "app_version_check_failed" => Self::AppVersionCheckFailed,
            "spam_risk_too_many_posts" => Self::TooManyPosts,
            "spam_risk_too_many_pending_share" => Self::TooManyPendingShare,
            "spam_risk_user_banned_from_posting" => Self::UserBannedFromPosting,
            "reached_active_user_cap" => Self::ReachedActiveUserCap,
            "unaudited_client_can_only_post_to_private_accounts" => {
                Self::UnauditedClientPublicAccount
            }
            "url_ownership_unverified" => Self::UrlOwnershipUnverified,
            "privacy_level_option_mismatch" => Self::PrivacyLevelOptionMismatch,
            "rate_limit_exceeded" => Self::RateLimitExceeded,
            "internal_error" => Self::InternalError,
            other => Self::Unknown(clean(other, CODE_MAX_CHARS)),
        }
    }

    /// TikTok's name of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AccessTokenInvalid => "access_token_invalid",
            Self::ScopeNotAuthorized => "scope_not_authorized",
            Self::ScopePermissionMissed => "scope_permission_missed",
            Self::InvalidParams => "invalid_params",
            Self::InvalidFileUpload => "invalid_file_upload",
            Self::InvalidPublishId => "invalid_publish_id",
            Self::ForeignPublishId => "token_not_authorized_for_specified_publish_id",
            Self::PublishNotCancellable => "publish_not_cancellable",
            Self::AppVersionCheckFailed => "app_version_check_failed",
            Self::TooManyPosts => "spam_risk_too_many_posts",
            Self::TooManyPendingShare => "spam_risk_too_many_pending_share",
            Self::UserBannedFromPosting => "spam_risk_user_banned_from_posting",
            Self::ReachedActiveUserCap => "reached_active_user_cap",
            Self::UnauditedClientPublicAccount => {
                "unaudited_client_can_only_post_to_private_accounts"
            }
            Self::UrlOwnershipUnverified => "url_ownership_unverified",
            Self::PrivacyLevelOptionMismatch => "privacy_level_option_mismatch",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::InternalError => "internal_error",
            Self::Unknown(code) => code,
        }
    }

    pub(super) fn class(&self, http_status: u16) -> Class {
        match self {
            Self::AccessTokenInvalid => Class::TokenRejected,
            Self::ScopeNotAuthorized | Self::ScopePermissionMissed => Class::ScopeMissing,
            Self::InvalidParams => Class::BadRequest,
            Self::InvalidFileUpload => Class::BadMedia,
            Self::InvalidPublishId => Class::NotFoundYet,
            Self::ForeignPublishId => Class::OurFault,
            Self::PublishNotCancellable => Class::NotCancellable,
            Self::AppVersionCheckFailed => Class::CreatorAppTooOld,
            Self::TooManyPosts => Class::CreatorCap,
            Self::TooManyPendingShare => Class::PendingDraftsCap,
            Self::UserBannedFromPosting => Class::CreatorBanned,
            Self::ReachedActiveUserCap => Class::AppUserCap,
            Self::UnauditedClientPublicAccount => Class::UnauditedClient,
            Self::UrlOwnershipUnverified => Class::UrlNotOwned,
            Self::PrivacyLevelOptionMismatch => Class::PrivacyMismatch,
            Self::RateLimitExceeded => Class::RateLimited,
            Self::InternalError => Class::Ambiguous,
            Self::Unknown(_) => Class::of_status(http_status),
        }
    }
}

/// Whether `word` stands in `text` as a whole identifier: a part of a longer code does not count.
fn names(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|part| part == word)
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
