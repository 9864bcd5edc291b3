//! The error codes of the OAuth endpoints.

use std::fmt;

use super::class::Class;
use crate::text::clean;

/// Longest unknown code that is kept, in characters.
const CODE_MAX_CHARS: usize = 80;

/// A code of the flat OAuth error.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OAuthCode {
    /// The user or the server denied.
    AccessDenied,
    /// The client key or secret is wrong.
    InvalidClient,
    /// The code or the refresh token is wrong, used up, expired or revoked.
    InvalidGrant,
    /// A parameter is missing or wrong, such as another redirect URI.
    InvalidRequest,
    /// A scope is unknown or malformed.
    InvalidScope,
    /// The client may not use this method.
    UnauthorizedClient,
    /// The grant type is unknown.
    UnsupportedGrantType,
    /// The response type is unknown.
    UnsupportedResponseType,
    /// A failure inside TikTok.
    ServerError,
    /// TikTok cannot take the request now.
    TemporarilyUnavailable,
    /// Too many calls. Not documented here, but clients handle it.
    RateLimitExceeded,
    /// A code that no page documents.
    Unknown(String),
}

impl OAuthCode {
    /// Reads a code.
    #[must_use]
    pub fn from_wire(code: &str) -> Self {
        match code {
            "access_denied" => Self::AccessDenied,
            "invalid_client" => Self::InvalidClient,
            "invalid_grant" => Self::InvalidGrant,
            "invalid_request" => Self::InvalidRequest,
            "invalid_scope" => Self::InvalidScope,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            "unsupported_response_type" => Self::UnsupportedResponseType,
            "server_error" => Self::ServerError,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            "rate_limit_exceeded" => Self::RateLimitExceeded,
            other => Self::Unknown(clean(other, CODE_MAX_CHARS)),
        }
    }

    /// TikTok's name of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::Unknown(code) => code,
        }
    }

    pub(super) fn class(&self, http_status: u16) -> Class {
        match self {
            Self::AccessDenied | Self::InvalidGrant => Class::GrantDead,
            Self::InvalidClient
            | Self::UnauthorizedClient
            | Self::InvalidScope
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType => Class::OurFault,
            Self::InvalidRequest => Class::BadRequest,
            // The token may have rotated before the failure.
            Self::ServerError => Class::Ambiguous,
            Self::TemporarilyUnavailable => Class::Transient,
            Self::RateLimitExceeded => Class::RateLimited,
            Self::Unknown(_) => Class::of_status(http_status),
        }
    }
}

impl fmt::Display for OAuthCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
