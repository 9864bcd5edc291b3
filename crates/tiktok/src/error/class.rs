//! Errors sorted into the decisions that a caller can make.

use std::time::Duration;

use super::{Error, Sent};
use crate::limits::{CAP_WINDOW, RATE_WINDOW, STATUS_LAG};

/// What an error means for whoever has to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Not processed, and worth another try soon.
    Transient,
    /// Not processed; too many calls within a minute.
    RateLimited,
    /// The access token is no longer good: refresh it once, then repeat.
    TokenRejected,
    /// The grant is too narrow (or the app lacks the product): the creator reconnects, or the operator acts.
    ScopeMissing,
    /// The grant is gone: the creator must connect again.
    GrantDead,
    /// The creator has posted too much today, over all API clients.
    CreatorCap,
    /// Too many drafts wait in the creator's inbox.
    PendingDraftsCap,
    /// The app has reached its daily number of creators. No creator is at fault.
    AppUserCap,
    /// The creator may not post at all.
    CreatorBanned,
    /// The app is not audited and the account is not private.
    UnauditedClient,
    /// The privacy choice no longer fits the account: ask the creator again.
    PrivacyMismatch,
    /// The domain of a pulled URL is not verified: the operator acts.
    UrlNotOwned,
    /// The creator must update the TikTok app.
    CreatorAppTooOld,
    /// The publish id is unknown, which passes if the init was just now.
    NotFoundYet,
    /// The task is final already, so there is nothing to cancel.
    NotCancellable,
    /// The file breaks TikTok's rules: the creator acts.
    BadMedia,
    /// The same request will be refused for ever.
    BadRequest,
    /// The app's keys, its configuration or our bookkeeping are wrong: alert, and touch no account.
    OurFault,
    /// The upload task is gone: only a new init helps.
    UploadDead,
    /// The chunk is not the one expected next.
    UploadOutOfStep {
        /// The offset to go on from, if TikTok said it.
        next_offset: Option<u64>,
    },
    /// Our own bytes could not be read. TikTok did not get the chunk.
    SourceFailed,
    /// The request may or may not have taken effect. Repeat it only if repeating cannot hurt.
    Ambiguous,
}

/// Whether TikTok acted on a request that ended in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Certainly not.
    NotProcessed,
    /// Perhaps.
    Unknown,
}

impl Class {
    /// The class of an HTTP status that comes without a code that is known.
    pub(super) fn of_status(http_status: u16) -> Self {
        match http_status {
            401 => Self::TokenRejected,
            // The gateway gave up waiting for a part of the request that it may have passed on.
            408 => Self::Ambiguous,
            429 => Self::RateLimited,
            // Redirects are never followed; one means that an address in the configuration is wrong.
            300..=399 => Self::OurFault,
            // A code that is not `ok` is a refusal, even with a success status.
            200..=299 | 400..=499 => Self::BadRequest,
            _ => Self::Ambiguous,
        }
    }

    /// Whether the request may have taken effect. Written out so that a new class must decide.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Ambiguous => Outcome::Unknown,
            Self::Transient
            | Self::RateLimited
            | Self::TokenRejected
            | Self::ScopeMissing
            | Self::GrantDead
            | Self::CreatorCap
            | Self::PendingDraftsCap
            | Self::AppUserCap
            | Self::CreatorBanned
            | Self::UnauditedClient
            | Self::PrivacyMismatch
            | Self::UrlNotOwned
            | Self::CreatorAppTooOld
            | Self::NotFoundYet
            | Self::NotCancellable
            | Self::BadMedia
            | Self::BadRequest
            | Self::OurFault
            | Self::UploadDead
            | Self::UploadOutOfStep { .. }
            | Self::SourceFailed => Outcome::NotProcessed,
        }
    }

    /// How long waiting may cure it at the latest, where time cures it: the length of TikTok's window. TikTok
    /// sends no such hint itself.
    #[must_use]
    pub fn wait_hint(self) -> Option<Duration> {
        match self {
            Self::RateLimited => Some(RATE_WINDOW),
            Self::CreatorCap | Self::PendingDraftsCap | Self::AppUserCap => Some(CAP_WINDOW),
            Self::NotFoundYet => Some(STATUS_LAG),
            Self::Transient
            | Self::TokenRejected
            | Self::ScopeMissing
            | Self::GrantDead
            | Self::CreatorBanned
            | Self::UnauditedClient
            | Self::PrivacyMismatch
            | Self::UrlNotOwned
            | Self::CreatorAppTooOld
            | Self::NotCancellable
            | Self::BadMedia
            | Self::BadRequest
            | Self::OurFault
            | Self::UploadDead
            | Self::UploadOutOfStep { .. }
            | Self::SourceFailed
            | Self::Ambiguous => None,
        }
    }
}

impl Error {
    /// Sorts the error. Every code and every variant is named, here or in the function of its code.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Api {
                code, http_status, ..
            } => code.class(*http_status),
            Self::OAuth {
                code, http_status, ..
            } => code.class(*http_status),
            Self::Upload { refusal, .. } => refusal.class(),
            Self::Status { http_status, .. } => Class::of_status(*http_status),
            Self::Decode { .. } | Self::BodyTooLarge { .. } | Self::Stalled { .. } => {
                Class::Ambiguous
            }
            Self::Transport { sent, .. } => match sent {
                Sent::NotSent => Class::Transient,
                Sent::MaybeSent => Class::Ambiguous,
            },
            Self::Source { .. } => Class::SourceFailed,
            Self::HostNotAllowed { .. } | Self::InvalidRequest { .. } => Class::OurFault,
        }
    }

    /// Whether TikTok may have acted on the request.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.class().outcome()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::error::{ErrorCode, LogIds, OAuthCode};

    fn api(code: &str, message: &str, http_status: u16) -> Error {
        Error::Api {
            endpoint: Endpoint::VideoInit,
            code: ErrorCode::from_wire(code, message),
            message: message.to_owned(),
            http_status,
            logs: LogIds::default(),
        }
    }

    #[test]
    fn every_documented_code_has_its_class() {
        let table = [
            ("access_token_invalid", 401, Class::TokenRejected),
            ("scope_not_authorized", 401, Class::ScopeMissing),
            ("scope_permission_missed", 400, Class::ScopeMissing),
            ("invalid_params", 400, Class::BadRequest),
            ("invalid_file_upload", 400, Class::BadMedia),
            ("invalid_publish_id", 400, Class::NotFoundYet),
            (
                "token_not_authorized_for_specified_publish_id",
                400,
                Class::OurFault,
            ),
            ("publish_not_cancellable", 400, Class::NotCancellable),
            ("app_version_check_failed", 400, Class::CreatorAppTooOld),
            ("spam_risk_too_many_posts", 403, Class::CreatorCap),
            ("spam_risk_too_many_posts", 200, Class::CreatorCap),
            (
                "spam_risk_too_many_pending_share",
                403,
                Class::PendingDraftsCap,
            ),
            (
                "spam_risk_user_banned_from_posting",
                403,
                Class::CreatorBanned,
            ),
            ("reached_active_user_cap", 403, Class::AppUserCap),
            (
                "unaudited_client_can_only_post_to_private_accounts",
                403,
                Class::UnauditedClient,
            ),
            ("url_ownership_unverified", 403, Class::UrlNotOwned),
            ("privacy_level_option_mismatch", 403, Class::PrivacyMismatch),
            ("rate_limit_exceeded", 429, Class::RateLimited),
            ("internal_error", 500, Class::Ambiguous),
            ("brand_new_code", 200, Class::BadRequest),
            ("brand_new_code", 400, Class::BadRequest),
            ("brand_new_code", 503, Class::Ambiguous),
        ];
        for (code, status, class) in table {
            let error = api(code, "", status);
            assert_eq!(error.class(), class, "{code} {status}");
            assert_eq!(error.code(), code);
            let expected = if class == Class::Ambiguous {
                Outcome::Unknown
            } else {
                Outcome::NotProcessed
            };
            assert_eq!(error.outcome(), expected);
        }
    }

    #[test]
    fn spellings_in_the_wild() {
        assert_eq!(
            ErrorCode::from_wire("invalid_param", ""),
            ErrorCode::InvalidParams
        );
        for code in ["invalid_param", "invalid_params"] {
            let error = api(code, "invalid_publish_id", 400);
            assert_eq!(error.class(), Class::NotFoundYet);
        }
        // A part of another identifier must not count.
        let error = api("invalid_params", "no_invalid_publish_id_here", 400);
        assert_eq!(error.class(), Class::BadRequest);
    }

    #[test]
    fn oauth_codes_are_sorted_into_dead_ours_and_transient() {
        let class = |code: &str, http_status| {
            Error::OAuth {
                endpoint: Endpoint::Token,
                code: OAuthCode::from_wire(code),
                message: String::new(),
                http_status,
                logs: LogIds::default(),
            }
            .class()
        };
        assert_eq!(class("invalid_grant", 200), Class::GrantDead);
        assert_eq!(class("access_denied", 200), Class::GrantDead);
        assert_eq!(class("invalid_client", 200), Class::OurFault);
        assert_eq!(class("unauthorized_client", 401), Class::OurFault);
        assert_eq!(class("invalid_scope", 200), Class::OurFault);
        assert_eq!(class("unsupported_grant_type", 200), Class::OurFault);
        assert_eq!(class("invalid_request", 200), Class::BadRequest);
        assert_eq!(class("temporarily_unavailable", 200), Class::Transient);
        assert_eq!(class("server_error", 200), Class::Ambiguous);
        assert_eq!(class("rate_limit_exceeded", 200), Class::RateLimited);
        assert_eq!(class("surprise", 200), Class::BadRequest);
    }
}
