//! `usage_days`: what a user used on a day of UTC.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// One user's day.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_days")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The day's first instant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Timestamp,
    /// Posts that were accepted.
    pub posts: i64,
    /// Limits that the user was told of on this day, a bit each.
    pub told: i64,
}

impl ActiveModelBehavior for ActiveModel {}
