//! `tracked_videos`: creators' own public videos, with what was last read of each.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Timestamp, TrackedVideoId};

/// One video at TikTok.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tracked_videos")]
pub struct Model {
    /// Primary key, which the series refers to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TrackedVideoId,
    /// Whose video it is. Unique together with the video's id.
    pub account_id: AccountId,
    /// TikTok's id of it, which has up to 64 bits.
    pub video_id: String,
    /// When it was posted; when it was first seen, if TikTok does not say.
    pub posted_at: Timestamp,
    /// Its address.
    #[sea_orm(column_type = "Text", nullable)]
    pub share_url: Option<String>,
    /// Its caption as TikTok shows it.
    #[sea_orm(column_type = "Text", nullable)]
    pub caption: Option<String>,
    /// Views; null when TikTok does not tell.
    pub views: Option<i64>,
    /// Likes.
    pub likes: Option<i64>,
    /// Comments.
    pub comments: Option<i64>,
    /// Shares.
    pub shares: Option<i64>,
    /// Which ages have their reading, one bit each.
    pub checkpoints: i32,
    /// When it became known.
    pub first_seen_at: Timestamp,
    /// When TikTok last showed it.
    pub last_seen_at: Option<Timestamp>,
    /// When its series last grew.
    pub last_sample_at: Option<Timestamp>,
    /// Since when TikTok does not show it; null while it does.
    pub vanished_at: Option<Timestamp>,
    /// When its series is to be rolled up.
    pub roll_due_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
