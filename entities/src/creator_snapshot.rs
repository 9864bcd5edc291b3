//! `creator_snapshots`: TikTok's last word on what a creator may do, for display. Before a post is
//! sent the question is always asked anew.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Timestamp};

/// One answer of creator info.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "creator_snapshots")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The answer.
    pub info: Json,
    /// When it was asked.
    pub fetched_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
