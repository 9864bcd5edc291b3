//! What can go wrong with a file, as decisions that a caller can make.

use clipqueue_entities::media::MediaState;
use sea_orm::DbErr;

use crate::media::StorageError;

/// Why something could not be done with a file.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The tenant has no such file.
    #[error("there is no such upload")]
    NotFound,
    /// The file's bytes are gone.
    #[error("{}", gone(*state))]
    Gone {
        /// How it ended.
        state: MediaState,
    },
    /// The upload is complete; nothing can be added or terminated.
    #[error("this upload is complete; to take the file away, delete the media")]
    Complete,
    /// The upload is not complete; nothing can be read.
    #[error("this file is not ready: its upload is not complete")]
    NotReady,
    /// The bytes do not begin where the stored ones end.
    #[error("the upload continues at offset {expected}; ask for it with HEAD and send from there")]
    OffsetConflict {
        /// Where they end.
        expected: u64,
    },
    /// Another connection is sending to the same upload.
    #[error("another connection is sending to this upload; try again in a few seconds")]
    Busy,
    /// The process is stopping, or another connection took over; what arrived is stored.
    #[error("the server ended this connection; resume the upload in a few seconds")]
    Stopping,
    /// The connection fell silent; what arrived is stored.
    #[error("no bytes arrived for too long; resume the upload from its offset")]
    Idle,
    /// The announced size is zero.
    #[error("the file is empty; choose a video file")]
    Empty,
    /// The announced size is over the limit.
    #[error("the file has {size} bytes; at most {max} are taken")]
    TooLarge {
        /// The announced size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// More bytes came than were announced.
    #[error("more bytes were sent than the {room} that this upload still misses")]
    BodyTooLong {
        /// The bytes that were missing.
        room: u64,
    },
    /// An announced value is not usable.
    #[error("{field} {problem}")]
    Invalid {
        /// Which one.
        field: &'static str,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// The tenant's bytes are used up.
    #[error(
        "this upload needs {needed} bytes and {free} of the quota of {quota} are free; delete media that you no longer need, or ask for a larger plan"
    )]
    QuotaBytes {
        /// The announced size.
        needed: u64,
        /// What is left.
        free: u64,
        /// All there is.
        quota: u64,
    },
    /// The tenant has too many files.
    #[error(
        "the quota of {quota} files is used up; delete media that you no longer need or finish open uploads"
    )]
    QuotaCount {
        /// All there may be.
        quota: u64,
    },
    /// The storage's disk is nearly full.
    #[error("the server's storage is nearly full; try again later or tell its operator")]
    StorageFull,
    /// The bytes do not have the announced checksum; they were thrown away.
    #[error("the bytes do not match the checksum and were discarded; send them again")]
    ChecksumMismatch,
    /// The whole file was refused; its verdicts say why.
    #[error("the file was rejected: {reason}")]
    Rejected {
        /// The failed rules in a sentence.
        reason: String,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// The storage failed.
    #[error("the media storage failed")]
    Storage(#[source] StorageError),
    /// A row holds what this version cannot read.
    #[error("a stored value cannot be read")]
    Corrupt(#[from] serde_json::Error),
}

impl From<StorageError> for MediaError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Full => Self::StorageFull,
            other => Self::Storage(other),
        }
    }
}

impl MediaError {
    /// A stable word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::Gone { .. } => "MEDIA_GONE",
            Self::Complete => "UPLOAD_COMPLETE",
            Self::NotReady => "MEDIA_NOT_READY",
            Self::OffsetConflict { .. } => "OFFSET_CONFLICT",
            Self::Busy => "UPLOAD_BUSY",
            Self::Stopping => "SERVER_STOPPING",
            Self::Idle => "CONNECTION_IDLE",
            Self::Empty => "FILE_EMPTY",
            Self::TooLarge { .. } => "FILE_TOO_LARGE",
            Self::BodyTooLong { .. } => "BODY_TOO_LONG",
            Self::Invalid { .. } => "INVALID_UPLOAD",
            Self::QuotaBytes { .. } => "QUOTA_BYTES_EXCEEDED",
            Self::QuotaCount { .. } => "QUOTA_FILES_EXCEEDED",
            Self::StorageFull => "STORAGE_FULL",
            Self::ChecksumMismatch => "CHECKSUM_MISMATCH",
            Self::Rejected { .. } => "MEDIA_REJECTED",
            Self::Database(_) | Self::Storage(_) | Self::Corrupt(_) => "INTERNAL",
        }
    }
}

fn gone(state: MediaState) -> &'static str {
    match state {
        MediaState::Expired => "this upload expired before it was complete; start a new one",
        MediaState::Rejected => "this file was rejected and its bytes were discarded",
        MediaState::Deleted => "this file was deleted",
        MediaState::Uploading | MediaState::Ready => "this file is not available",
    }
}
