//! API keys, without their secret.

use async_graphql::{ID, Object};
use clipqueue_entities::api_key;

use super::scope::ApiScope;
use crate::{
    domain::key_accounts,
    graphql::{ids::Global, scalars::DateTime},
};

#[derive(Clone, Debug)]
pub(crate) struct ApiKey(pub(crate) api_key::Model);

/// A key to this API. Its text is shown once, when it is made.
#[Object]
impl ApiKey {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// A name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The beginning of the key's text, by which it can be recognised.
    async fn prefix(&self) -> String {
        format!("cq_{}", self.0.id.0.simple())
    }

    /// What the key may do.
    async fn scopes(&self) -> Vec<ApiScope> {
        let words = self.0.scopes.split(' ');
        words
            .filter_map(|word| word.parse::<crate::domain::actor::Scope>().ok())
            .map(ApiScope::from)
            .collect()
    }

    /// When it stops working; never, when null.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// When it was revoked; null while it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }

    /// When it was last used, to the minute.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// The TikTok accounts that it is restricted to; all of yours, when null.
    async fn account_ids(&self) -> Option<Vec<ID>> {
        let accounts = key_accounts::of(&self.0)?;
        Some(accounts.iter().map(Global::to_global).collect())
    }

    /// The key that takes its place, when it was rotated.
    async fn replaced_by_id(&self) -> Option<ID> {
        self.0.replaced_by.map(|id| id.to_global())
    }
}
