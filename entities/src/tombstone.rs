//! `tombstones`: who was erased, as keyed hashes from which nobody can tell who it was.

use sea_orm::entity::prelude::*;

use crate::{ErasureId, Timestamp};

/// What a tombstone stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(12))")]
pub enum TombstoneKind {
    /// A user of this installation.
    #[sea_orm(string_value = "user")]
    User,
    /// A connected account of this installation.
    #[sea_orm(string_value = "account")]
    Account,
    /// A creator, by TikTok's id for our app.
    #[sea_orm(string_value = "creator")]
    Creator,
}

/// One tombstone.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tombstones")]
pub struct Model {
    /// HMAC-SHA-256 of the kind and the id, hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: String,
    /// What it stands for.
    pub kind: TombstoneKind,
    /// The erasure that made it.
    pub erasure_id: ErasureId,
    /// When.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
