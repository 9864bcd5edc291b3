//! What can go wrong with a call, told apart by what the caller can do about it.
//!
//! [`Error`] says what happened, [`Error::class`] sorts it into a decision, [`Error::outcome`] says whether
//! TikTok may have acted on the request. What to do is the caller's business: the same
//! [`Class::Ambiguous`] means "ask again" for a read and "never blindly again" for an init.

mod class;
mod code;
mod fail_reason;
mod logs;
mod oauth_code;
mod refusal;

use std::error::Error as StdError;

use crate::endpoint::Endpoint;

pub use class::{Class, Outcome};
pub use code::ErrorCode;
pub use fail_reason::{FailReason, Retry, Who};
pub use logs::LogIds;
pub use oauth_code::OAuthCode;
pub use refusal::UploadRefusal;

/// Everything that a call can end in other than its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API refused, with a code. Seen with HTTP 200 too.
    #[error("TikTok refused {endpoint} with {code} (HTTP {http_status}): {message}")]
    Api {
        /// The call.
        endpoint: Endpoint,
        /// TikTok's code.
        code: ErrorCode,
        /// TikTok's words, often generic. Cut to 300 characters.
        message: String,
        /// HTTP status of the answer.
        http_status: u16,
        /// Log ids of the answer.
        logs: LogIds,
    },
    /// The OAuth endpoint refused. Mostly with HTTP 200.
    #[error("TikTok refused {endpoint} with {code} (HTTP {http_status}): {message}")]
    OAuth {
        /// The call.
        endpoint: Endpoint,
        /// TikTok's code.
        code: OAuthCode,
        /// TikTok's words. Cut to 300 characters.
        message: String,
        /// HTTP status of the answer.
        http_status: u16,
        /// Log ids of the answer.
        logs: LogIds,
    },
    /// A chunk was refused, which is told by the HTTP status alone.
    #[error("the upload host refused a chunk (HTTP {http_status}): {refusal}")]
    Upload {
        /// What the status means.
        refusal: UploadRefusal,
        /// HTTP status of the answer.
        http_status: u16,
        /// Log ids of the answer.
        logs: LogIds,
    },
    /// An HTTP status that is no success, without a body that says why: gateways answer so.
    #[error("{endpoint} was answered with HTTP {http_status} and no readable error")]
    Status {
        /// The call.
        endpoint: Endpoint,
        /// HTTP status of the answer.
        http_status: u16,
        /// Log ids of the answer.
        logs: LogIds,
    },
    /// A success by its status, but with a body that cannot be read or lacks what the call is for.
    #[error("the answer to {endpoint} (HTTP {http_status}) is unusable: {problem}")]
    Decode {
        /// The call.
        endpoint: Endpoint,
        /// What is wrong with it. Never holds a part of the body.
        problem: Malformed,
        /// HTTP status of the answer.
        http_status: u16,
        /// Log ids of the answer.
        logs: LogIds,
    },
    /// The answer is larger than the configured cap and was not read to its end.
    #[error("the answer to {endpoint} (HTTP {http_status}) is larger than {limit} bytes")]
    BodyTooLarge {
        /// The call.
        endpoint: Endpoint,
        /// The cap in bytes.
        limit: usize,
        /// HTTP status of the answer.
        http_status: u16,
        /// Log ids of the answer.
        logs: LogIds,
    },
    /// No connection, or a connection that broke or fell silent before the whole answer was there.
    #[error("{endpoint} failed on the network ({sent})")]
    Transport {
        /// The call.
        endpoint: Endpoint,
        /// Whether TikTok can have the request.
        sent: Sent,
        /// The cause, without its URL.
        #[source]
        source: reqwest::Error,
    },
    /// A chunk stopped moving, or its answer did not come.
    #[error("a chunk stalled after {sent_bytes} bytes")]
    Stalled {
        /// Bytes handed to the connection.
        sent_bytes: u64,
    },
    /// Our own source of a chunk's bytes failed or had another length than the chunk. The chunk was cut
    /// off, so TikTok does not count it.
    #[error("the bytes of a chunk could not be read after {read} bytes")]
    Source {
        /// Bytes read before.
        read: u64,
        /// The cause.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// An upload URL points to a host that the configuration does not allow. Nothing was sent.
    #[error("the upload host {host} is not in the list of allowed upload hosts")]
    HostNotAllowed {
        /// The host and, if it is not the default one, its port.
        host: String,
    },
    /// The arguments cannot make a request. Nothing was sent.
    #[error("the request cannot be made: {reason}")]
    InvalidRequest {
        /// What is wrong.
        reason: &'static str,
    },
}

/// Whether TikTok can have a request whose answer did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// There never was a connection: refused, unresolved, TLS failed, connect timeout.
    NotSent,
    /// There was a connection, so the request, or all of it, may have arrived.
    MaybeSent,
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotSent => "nothing was sent",
            Self::MaybeSent => "the request may have arrived",
        })
    }
}

/// What is wrong with a body that came with a success status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It has no bytes.
    #[error("the body is empty")]
    Empty,
    /// The JSON ends too early.
    #[error("the JSON is cut off at line {line}, column {column}")]
    Truncated {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It is not JSON.
    #[error("no JSON at line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It came before the request was sent as a whole.
    #[error("it came before all bytes were sent")]
    Early,
    /// It is JSON, but no object.
    #[error("the JSON is no object")]
    NotAnObject,
    /// A field is missing or of another type, without which the answer is useless.
    #[error("no usable field `{0}`")]
    Missing(&'static str),
}

impl Error {
    /// The log ids of the answer, if there was one.
    #[must_use]
    pub fn logs(&self) -> Option<&LogIds> {
        match self {
            Self::Api { logs, .. }
            | Self::OAuth { logs, .. }
            | Self::Upload { logs, .. }
            | Self::Status { logs, .. }
            | Self::Decode { logs, .. }
            | Self::BodyTooLarge { logs, .. } => Some(logs),
            Self::Transport { .. }
            | Self::Stalled { .. }
            | Self::Source { .. }
            | Self::HostNotAllowed { .. }
            | Self::InvalidRequest { .. } => None,
        }
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Api { http_status, .. }
            | Self::OAuth { http_status, .. }
            | Self::Upload { http_status, .. }
            | Self::Status { http_status, .. }
            | Self::Decode { http_status, .. }
            | Self::BodyTooLarge { http_status, .. } => Some(*http_status),
            Self::Transport { .. }
            | Self::Stalled { .. }
            | Self::Source { .. }
            | Self::HostNotAllowed { .. }
            | Self::InvalidRequest { .. } => None,
        }
    }

    /// A short stable name of what went wrong, for evidence and metrics: TikTok's own code where there is one.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Api { code, .. } => code.as_str(),
            Self::OAuth { code, .. } => code.as_str(),
            Self::Upload { refusal, .. } => refusal.label(),
            Self::Status { .. } => "http_status",
            Self::Decode { .. } => "unreadable_answer",
            Self::BodyTooLarge { .. } => "answer_too_large",
            Self::Transport { sent, .. } => match sent {
                Sent::NotSent => "not_sent",
                Sent::MaybeSent => "connection_lost",
            },
            Self::Stalled { .. } => "stalled",
            Self::Source { .. } => "source_failed",
            Self::HostNotAllowed { .. } => "host_not_allowed",
            Self::InvalidRequest { .. } => "invalid_request_arguments",
        }
    }
}
