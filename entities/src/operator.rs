//! `operators`: users who run the installation, each with a role.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// How much an operator may do. Each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Role {
    /// Looks.
    #[sea_orm(string_value = "viewer")]
    Viewer,
    /// Steers queues and single jobs.
    #[sea_orm(string_value = "operator")]
    Operator,
    /// Does what concerns many at once or cannot be taken back.
    #[sea_orm(string_value = "admin")]
    Admin,
}

/// One operator.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operators")]
pub struct Model {
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The role.
    pub role: Role,
    /// When somebody made them one.
    pub created_at: Timestamp,
    /// When the role changed last.
    pub changed_at: Timestamp,
    /// When they ceased to be one.
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
