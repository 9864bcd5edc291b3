//! What a client is told when something does not work: a status that tus clients understand, a stable
//! code, and a sentence that says what to do.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    http::{rate::whole_seconds, uploads::Refusal},
    media::MediaError,
};

/// The only version of the protocol that is spoken.
pub(super) const TUS_VERSION: &str = "1.0.0";
/// Names the version in every answer.
pub(super) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
/// What the extensions on offer are called.
pub(super) const EXTENSIONS: &str = "creation,creation-with-upload,expiration,checksum,termination";
/// The algorithms of the checksum extension.
pub(super) const ALGORITHMS: &str = "sha1,sha256";

/// Why a request could not be served.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The media store says no.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The application says no.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// A header is missing or wrong.
    #[error("{header} {problem}")]
    Header {
        /// Which one.
        header: &'static str,
        /// What is wrong, and what to send.
        problem: &'static str,
    },
    /// The client speaks another version.
    #[error("send the header Tus-Resumable: 1.0.0; no other version is spoken here")]
    Version,
    /// The body is not announced as what PATCH takes.
    #[error("send the bytes with Content-Type: application/offset+octet-stream")]
    ContentType,
    /// The method has no meaning here.
    #[error("this address answers to {allowed}")]
    Method {
        /// What has.
        allowed: &'static str,
    },
    /// The capability in the address is over.
    #[error("this upload address has expired; ask for a new one")]
    AddressExpired,
    /// The task that served the request died.
    #[error("the upload was interrupted inside the server; resume it from its offset")]
    Interrupted,
}

impl From<Refusal> for UploadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl UploadError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Media(error) => media_status(error),
            Self::Refused(refusal) => refusal.status,
            Self::Header { .. } => StatusCode::BAD_REQUEST,
            Self::Version => StatusCode::PRECONDITION_FAILED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::AddressExpired => StatusCode::GONE,
            Self::Interrupted => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Media(error) => error.code(),
            Self::Refused(refusal) => refusal.code,
            Self::Header { .. } => "BAD_HEADER",
            Self::Version => "TUS_VERSION",
            Self::ContentType => "CONTENT_TYPE",
            Self::Method { .. } => "METHOD_NOT_ALLOWED",
            Self::AddressExpired => "ADDRESS_EXPIRED",
            Self::Interrupted => "INTERNAL",
        }
    }
}

fn media_status(error: &MediaError) -> StatusCode {
    match error {
        MediaError::NotFound => StatusCode::NOT_FOUND,
        MediaError::Gone { .. } => StatusCode::GONE,
        MediaError::Complete | MediaError::NotReady | MediaError::OffsetConflict { .. } => {
            StatusCode::CONFLICT
        }
        MediaError::Busy => StatusCode::LOCKED,
        MediaError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        MediaError::Idle => StatusCode::REQUEST_TIMEOUT,
        MediaError::Empty | MediaError::Invalid { .. } => StatusCode::BAD_REQUEST,
        MediaError::TooLarge { .. } | MediaError::BodyTooLong { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        MediaError::QuotaBytes { .. } | MediaError::QuotaCount { .. } => StatusCode::FORBIDDEN,
        MediaError::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        MediaError::ChecksumMismatch => checksum_mismatch(),
        MediaError::Rejected { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        MediaError::Database(_) | MediaError::Storage(_) | MediaError::Corrupt(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The status that the checksum extension defines for itself.
pub(super) fn checksum_mismatch() -> StatusCode {
    StatusCode::from_u16(460).expect("460 is a three-digit number")
}

#[derive(Serialize)]
struct Told {
    code: &'static str,
    message: String,
}

impl IntoResponse for UploadError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error()
            && !matches!(
                self,
                Self::Media(MediaError::StorageFull | MediaError::Stopping)
            )
        {
            tracing::error!(error = &self as &dyn std::error::Error, "upload failed");
        }
        let told = Told {
            code: self.code(),
            message: self.to_string(),
        };
        let mut response = (status, Json(told)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Version => {
                headers.insert("tus-version", HeaderValue::from_static(TUS_VERSION));
            }
            Self::Method { allowed } => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Refused(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"clipqueue\""),
                );
            }
            Self::Refused(Refusal {
                retry_after: Some(wait),
                ..
            }) => {
                let seconds = HeaderValue::from(whole_seconds(wait));
                headers.insert(header::RETRY_AFTER, seconds);
            }
            Self::Media(MediaError::Busy | MediaError::Stopping) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
        response
    }
}
