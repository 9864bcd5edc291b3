//! The audit log, for operators.

use async_graphql::{ID, Json, Object};
use clipqueue_entities::UserId;
use serde_json::Value;

use crate::{
    domain::audit::Entry,
    graphql::{ids::Global as _, scalars::DateTime},
};

#[derive(Clone, Debug)]
pub(crate) struct AuditEntry(pub(crate) Entry);

/// What an operator did, or was refused. Entries are never changed.
#[Object]
impl AuditEntry {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.row.id.to_global()
    }

    /// When.
    async fn at(&self) -> DateTime {
        self.0.row.created_at.into()
    }

    /// What, as a word such as `job.retry`. More may come.
    async fn action(&self) -> &str {
        &self.0.row.action
    }

    /// On what: a word and an id or a name, such as `queue:uploads`.
    async fn subject(&self) -> &str {
        &self.0.row.subject
    }

    /// With which parameters.
    async fn details(&self) -> Json<&Value> {
        Json(&self.0.row.details)
    }

    /// `done`, or why it was refused, as a word.
    async fn outcome(&self) -> &str {
        &self.0.row.outcome
    }

    /// Whose key it was; null for what the installation did by itself.
    async fn user_id(&self) -> Option<ID> {
        self.0.row.user_id.map(|id: UserId| id.to_global())
    }

    /// That user's name today; null when there is no such user any more.
    async fn user_name(&self) -> Option<&str> {
        self.0.user_name.as_deref()
    }

    /// The key.
    async fn key_id(&self) -> Option<ID> {
        self.0.row.key_id.map(|id| id.to_global())
    }

    /// That key's name.
    async fn key_name(&self) -> Option<&str> {
        self.0.key_name.as_deref()
    }
}
