//! API keys, without their secret.

use async_graphql::{ID, Object};
use clipqueue_entities::api_key;

use super::scope::ApiScope;
use crate::graphql::{ids::Global as _, scalars::DateTime};

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
}
