//! `receipt_keys`: the public keys that receipts were signed with. They stay when the master key
//! is another one, so that older receipts can be verified.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// One public key.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt_keys")]
pub struct Model {
    /// Its name, as receipts give it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// 32 bytes of Ed25519, base64url.
    pub public_key: String,
    /// When it was first used.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
