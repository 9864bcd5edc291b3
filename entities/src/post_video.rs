//! `post_videos`: the videos at TikTok that a post became, or may have become.

use sea_orm::entity::prelude::*;

use crate::{PostId, Timestamp};

/// One video of one post.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "post_videos")]
pub struct Model {
    /// The post.
    #[sea_orm(primary_key, auto_increment = false)]
    pub post_id: PostId,
    /// TikTok's id of the video, which has up to 64 bits.
    #[sea_orm(primary_key, auto_increment = false)]
    pub video_id: String,
    /// Equal to the video's id while it is known to be the post's, null while it is only suggested: a
    /// video belongs to one post.
    #[sea_orm(unique)]
    pub joined_key: Option<String>,
    /// Its address, when known.
    #[sea_orm(column_type = "Text", nullable)]
    pub share_url: Option<String>,
    /// Its caption as TikTok shows it, when known.
    #[sea_orm(column_type = "Text", nullable)]
    pub caption: Option<String>,
    /// When it was posted, when known.
    pub posted_at: Option<Timestamp>,
    /// When it was known to be the post's.
    pub joined_at: Option<Timestamp>,
    /// When it stopped being public; null while it is, or was never.
    pub hidden_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
