//! `billing_links`: the code by which PayPal names a user, and where the user is told about payments.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

use crate::{Sealed, Timestamp, UserId};

/// The link of one user.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_links")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// What the code is made from; the code itself is nowhere.
    pub salt: Uuid,
    /// SHA-256 of the code, hexadecimal.
    #[sea_orm(unique)]
    pub code_hash: String,
    /// The address for letters about payments, sealed.
    pub contact_sealed: Option<Sealed>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
