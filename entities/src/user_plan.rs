//! `user_plans`: the plan that a user was given. Without a row it is the installation's default.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// A plan by name. What it allows is in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum PlanName {
    /// For nothing.
    #[sea_orm(string_value = "free")]
    Free,
    /// For nothing, for some time.
    #[sea_orm(string_value = "trial")]
    Trial,
    /// For money, or for whoever runs the installation.
    #[sea_orm(string_value = "paid")]
    Paid,
}

/// The plan of one user.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_plans")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The plan.
    pub plan: PlanName,
    /// When it ends, and the user is on the free one.
    pub ends_at: Option<Timestamp>,
    /// When it was given.
    pub changed_at: Timestamp,
    /// Whether a subscription gave it.
    pub by_subscription: bool,
}

impl ActiveModelBehavior for ActiveModel {}
