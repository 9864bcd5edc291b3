//! `users`: the tenants. Everything else hangs below one.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// One tenant.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// A name for people; unique, so that the command line can address it.
    #[sea_orm(unique)]
    pub name: String,
    /// When the row was made.
    pub created_at: Timestamp,
    /// Since when the user is being erased: nothing acts for them any more.
    pub leaving_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
