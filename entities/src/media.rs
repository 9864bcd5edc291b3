//! `media`: uploaded files, from the first byte to the tombstone.

use sea_orm::entity::prelude::*;

use crate::{MediaId, Timestamp, UserId};

/// Where the file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum MediaState {
    /// Bytes are missing, or the last check is still to come.
    #[sea_orm(string_value = "uploading")]
    Uploading,
    /// Whole, checked, and fit for TikTok as far as its container tells.
    #[sea_orm(string_value = "ready")]
    Ready,
    /// Whole, but TikTok would refuse it, or it is not what the client announced.
    #[sea_orm(string_value = "rejected")]
    Rejected,
    /// Nobody finished the upload in time.
    #[sea_orm(string_value = "expired")]
    Expired,
    /// Somebody took it away.
    #[sea_orm(string_value = "deleted")]
    Deleted,
}

/// One uploaded file.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "media")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MediaId,
    /// The tenant.
    pub user_id: UserId,
    /// Where it stands.
    pub state: MediaState,
    /// The name that the client gave; shown, never trusted.
    pub filename: Option<String>,
    /// The type that the client gave; shown, never trusted.
    pub declared_type: Option<String>,
    /// The SHA-256 that the client announced, in hex.
    pub declared_sha256: Option<String>,
    /// The client's `Upload-Metadata`, to be given back as it came.
    #[sea_orm(column_type = "Text", nullable)]
    pub metadata: Option<String>,
    /// Bytes in all.
    pub size: i64,
    /// Bytes that are durably stored.
    pub received: i64,
    /// The running SHA-256 over the stored bytes, so that a restart need not read them again.
    pub hash_state: Option<Vec<u8>>,
    /// SHA-256 of the whole file in hex, once it is whole.
    pub sha256: Option<String>,
    /// The type by content, once it is known.
    pub content_type: Option<String>,
    /// What the container says.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub facts: Option<Json>,
    /// One verdict per TikTok rule.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub verdicts: Option<Json>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
    /// When an unfinished upload ends; moves with progress.
    pub expires_at: Option<Timestamp>,
    /// When it became ready.
    pub ready_at: Option<Timestamp>,
    /// When its bytes were gone from storage.
    pub purged_at: Option<Timestamp>,
    /// The folder that it lies in, such as `2027/may`; empty at the top.
    pub folder: String,
    /// The tenant's note, to be taken as a caption.
    #[sea_orm(column_type = "Text", nullable)]
    pub caption: Option<String>,
    /// The tenant's own reference.
    pub reference: Option<String>,
    /// What it is found by, in small letters.
    #[sea_orm(column_type = "Text", nullable)]
    pub search: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
