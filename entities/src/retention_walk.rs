//! `retention_walks`: when a rule that walks over everything ran last, and where it goes on.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// One rule.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "retention_walks")]
pub struct Model {
    /// The rule's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub rule: String,
    /// The last id that was looked at; null at the start.
    pub cursor: Option<Uuid>,
    /// When it ran last.
    pub ran_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
