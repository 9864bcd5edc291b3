//! `account_keys`: one data key per account, wrapped by the master key. Destroying the row makes
//! every sealed value of the account unreadable.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Sealed, Timestamp};

/// One wrapped data key.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_keys")]
pub struct Model {
    /// The account that the key belongs to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Which master key wraps it.
    pub master_key_id: String,
    /// The wrapped key.
    pub wrapped: Sealed,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
