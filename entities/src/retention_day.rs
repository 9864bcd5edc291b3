//! `retention_days`: how much a rule of retention removed on a day.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// One rule on one day.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "retention_days")]
pub struct Model {
    /// The day, as its first instant in UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Timestamp,
    /// The rule's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub rule: String,
    /// What it removed: rows, files or objects.
    pub removed: i64,
}

impl ActiveModelBehavior for ActiveModel {}
