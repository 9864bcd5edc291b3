//! `audit_head`: the one row that says where the chain of the audit log ends and begins. Whoever appends
//! holds it until the commit.

use sea_orm::entity::prelude::*;

/// The ends of the chain.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The place of the newest entry; 0 before the first.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// The place of the newest entry that was deleted by age; 0 when none was.
    pub floor_seq: i64,
    /// Its hash, on which the oldest kept entry stands.
    pub floor_hash: String,
}

impl ActiveModelBehavior for ActiveModel {}
