//! `metric_plans`: for each account, when its videos' counters were read and are read next.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Timestamp};

/// One account.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "metric_plans")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// When it is read next; null while it cannot be read.
    pub next_due_at: Option<Timestamp>,
    /// When the next young post reaches an age at which it is to be read.
    pub checkpoint_at: Option<Timestamp>,
    /// When its owner last looked at its counters.
    pub looked_at: Option<Timestamp>,
    /// When it was last read.
    pub read_at: Option<Timestamp>,
    /// When all of its videos were last read.
    pub whole_at: Option<Timestamp>,
    /// Its videos that are followed.
    pub videos: i32,
    /// When the listing under way began; null when none is.
    pub listing_since: Option<Timestamp>,
    /// Where the listing under way goes on, as TikTok's cursor.
    pub listing_cursor: Option<i64>,
    /// Why it cannot be read.
    pub paused_reason: Option<String>,
    /// When the row was made.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
