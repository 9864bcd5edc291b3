//! `budget_marks`: caps of TikTok's that its own refusals say are used up, and until when.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// One cap of one creator, or of the app.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_marks")]
pub struct Model {
    /// An account's id, or `app`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// The cap's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub budget: String,
    /// Until when nothing more fits.
    pub spent_until: Timestamp,
    /// TikTok's code.
    pub code: String,
    /// TikTok's log id of the refusal.
    pub log_id: Option<String>,
    /// When TikTok said so.
    pub learned_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
