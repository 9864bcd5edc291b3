//! `account_days`: the counters of all of an account's videos together, one row a day of UTC.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Timestamp};

/// One account's day: what the last look of it found.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_days")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The day's first instant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Timestamp,
    /// When the last look of the day was.
    pub taken_at: Timestamp,
    /// The videos that were public.
    pub videos: i32,
    /// Views of all of them, as last read.
    pub views: Option<i64>,
    /// Likes.
    pub likes: Option<i64>,
    /// Comments.
    pub comments: Option<i64>,
    /// Shares.
    pub shares: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
