//! Refusals of a chunk, told by the HTTP status.

use super::class::Class;

/// Why the upload host did not take a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UploadRefusal {
    /// 400: the headers are wrong, or the length is not that of the body.
    #[error("the headers or the length are wrong")]
    BadHeaders,
    /// 403: the upload URL has expired.
    #[error("the upload URL has expired")]
    Expired,
    /// 404: no such upload task.
    #[error("the upload task is unknown")]
    NotFound,
    /// 416: the range is not the next one.
    #[error("the range is not the one expected next")]
    RangeMismatch {
        /// The offset to go on from, if the answer says how far the upload is.
        next_offset: Option<u64>,
    },
    /// 429: too many requests. Not documented for chunks.
    #[error("too many requests")]
    RateLimited,
    /// Another status below 500.
    #[error("the status has no documented meaning here")]
    Other,
}

impl UploadRefusal {
    /// A short stable name.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::BadHeaders => "upload_bad_headers",
            Self::Expired => "upload_url_expired",
            Self::NotFound => "upload_not_found",
            Self::RangeMismatch { .. } => "upload_range_mismatch",
            Self::RateLimited => "upload_rate_limited",
            Self::Other => "upload_refused",
        }
    }

    pub(super) fn class(self) -> Class {
        match self {
            Self::BadHeaders | Self::Other => Class::BadRequest,
            Self::Expired | Self::NotFound => Class::UploadDead,
            Self::RangeMismatch { next_offset } => Class::UploadOutOfStep { next_offset },
            Self::RateLimited => Class::RateLimited,
        }
    }
}
