//! `idempotency_keys`: the answer that a key got, so that a repeated request gets it again.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// One remembered answer.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The key as the client chose it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// The operation that it was used for.
    pub operation: String,
    /// SHA-256 of the canonical request.
    pub request_hash: Vec<u8>,
    /// The id of what was made.
    pub result_id: Uuid,
    /// When it was first used.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
