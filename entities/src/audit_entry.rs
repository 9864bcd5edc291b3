//! `audit_log`: what operators did, appended in the transaction of the act, each entry chained to the one
//! before it. Never changed, but that whom it names can be erased.

use sea_orm::entity::prelude::*;

use crate::{ApiKeyId, AuditId, Timestamp, UserId};

/// One act.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// Primary key; its order is the order of time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditId,
    /// Whose key it was; null for what the installation did by itself.
    pub user_id: Option<UserId>,
    /// The key.
    pub key_id: Option<ApiKeyId>,
    /// What was done, as a dotted word such as `job.retry`.
    pub action: String,
    /// On what: a word and an id or a name, such as `queue:uploads`.
    pub subject: String,
    /// With which parameters; never a secret.
    pub details: Json,
    /// `done`, or why it was refused, as a word.
    pub outcome: String,
    /// When.
    pub created_at: Timestamp,
    /// Its place in the chain; null until it was taken into it.
    pub seq: Option<i64>,
    /// What the commitment to `user_id` and `key_id` was salted with; null once they were erased.
    pub by_salt: Option<String>,
    /// The commitment to `user_id` and `key_id`.
    pub by_commitment: Option<String>,
    /// What the commitment to `subject` and `details` was salted with; null once they were erased.
    pub on_salt: Option<String>,
    /// The commitment to `subject` and `details`.
    pub on_commitment: Option<String>,
    /// SHA-256 over the hash before it, the commitments and the rest of the entry, hexadecimal.
    pub hash: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
