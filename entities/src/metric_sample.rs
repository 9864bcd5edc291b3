//! `metric_samples`: series of counters, absolute values, one row a reading.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, TrackedVideoId};

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Grain {
    /// One reading.
    #[sea_orm(num_value = 0)]
    Raw,
    /// The last reading of its hour.
    #[sea_orm(num_value = 1)]
    Hour,
    /// The last reading of its day.
    #[sea_orm(num_value = 2)]
    Day,
}

/// One reading of one video.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "metric_samples")]
pub struct Model {
    /// The video.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tracked_video_id: TrackedVideoId,
    /// When TikTok told it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub taken_at: Timestamp,
    /// Views; null in a gap, and when TikTok did not tell.
    pub views: Option<i64>,
    /// Likes.
    pub likes: Option<i64>,
    /// Comments.
    pub comments: Option<i64>,
    /// Shares.
    pub shares: Option<i64>,
    /// Whether TikTok did not show the video: a mark instead of values.
    pub gap: bool,
    /// What it stands for.
    pub grain: Grain,
    /// The age of the post, in hours, of which this is the reading; such rows are kept.
    pub checkpoint_h: Option<i32>,
}

impl ActiveModelBehavior for ActiveModel {}
