//! `master_keys`: one canary per master key that sealed something here.

use sea_orm::entity::prelude::*;

use crate::{Sealed, Timestamp};

/// One master key, by its public name.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "master_keys")]
pub struct Model {
    /// The public name that the key derives for itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// A known text, sealed; opening it proves that the key is the right one.
    pub canary_sealed: Sealed,
    /// When it was first used.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
