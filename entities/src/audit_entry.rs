//! `audit_log`: what operators did, appended in the transaction of the act. Never changed.

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
}

impl ActiveModelBehavior for ActiveModel {}
