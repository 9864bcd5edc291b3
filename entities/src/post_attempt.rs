//! `post_attempts`: the ledger of what was sent to TikTok. A row is committed before the call that
//! it describes, so that a crash never hides a call that may have been made.

use sea_orm::entity::prelude::*;

use crate::{AccountId, AttemptId, PostId, Sealed, Timestamp};

/// How far the attempt has come. The order of the variants is the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum AttemptPhase {
    /// Init may have been sent; no publish id is known.
    #[sea_orm(string_value = "init_sent")]
    InitSent,
    /// The publish id is stored; bytes may have been sent, but not the last chunk.
    #[sea_orm(string_value = "uploading")]
    Uploading,
    /// The last chunk may have been sent: the commit point is passed.
    #[sea_orm(string_value = "last_chunk")]
    LastChunk,
    /// Init of photos may have been sent, which TikTok fetches by itself: the commit point is passed, and
    /// no publish id is known.
    #[sea_orm(string_value = "pull_sent")]
    PullSent,
    /// TikTok acknowledged every byte, or accepted to fetch the photos.
    #[sea_orm(string_value = "sent")]
    Sent,
    /// Over, in one way or another; see `outcome`.
    #[sea_orm(string_value = "closed")]
    Closed,
}

/// One attempt.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "post_attempts")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    /// The post.
    pub post_id: PostId,
    /// The post's account, whose budgets it uses; absent in rows of an older version.
    pub account_id: Option<AccountId>,
    /// Counts from one within the post.
    pub number: i32,
    /// How far it has come.
    pub phase: AttemptPhase,
    /// Equal to the post's id while the attempt is open, else null: at most one is open.
    #[sea_orm(unique)]
    pub open_key: Option<String>,
    /// TikTok's id of the publish.
    pub publish_id: Option<String>,
    /// The sealed upload address.
    pub upload_url_sealed: Option<Sealed>,
    /// When the upload address ends.
    pub upload_url_expires_at: Option<Timestamp>,
    /// When the addresses of the photos end.
    pub pull_ends_at: Option<Timestamp>,
    /// Size of the video, or of all photos, in bytes.
    pub video_size: i64,
    /// Size of each chunk but the last, in bytes.
    pub chunk_size: i64,
    /// Number of chunks.
    pub chunk_count: i32,
    /// Bytes that TikTok acknowledged.
    pub bytes_acked: i64,
    /// When the last chunk was started.
    pub last_chunk_at: Option<Timestamp>,
    /// How it ended, as a word.
    pub outcome: Option<String>,
    /// TikTok's code, when it refused.
    pub error_code: Option<String>,
    /// TikTok's log id of the last answer.
    pub log_id: Option<String>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
