//! Whoever asks.

use async_graphql::{Context, ID, Object, Result};

use super::scope::ApiScope;
use crate::{
    domain::{actor::Actor, events},
    graphql::{
        guard::app, ids::Global as _, pagination::cursor, scalars::DateTime, user_error::raise,
    },
};

pub(crate) struct Viewer(pub(crate) Actor);

/// The user that the API key acts for, and what the key may do.
#[Object]
impl Viewer {
    /// The user's id.
    async fn id(&self) -> ID {
        self.0.user_id.to_global()
    }

    /// The user's name.
    async fn name(&self) -> &str {
        &self.0.user_name
    }

    /// What the key may do.
    async fn scopes(&self) -> Vec<ApiScope> {
        self.0.scopes.iter().copied().map(ApiScope::from).collect()
    }

    /// When the key stops working; never, when null.
    async fn key_expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// The place behind the newest event. Read it, then the present state, then subscribe to
    /// `postEvents` after it: so nothing is missed in between.
    #[graphql(complexity = 2)]
    async fn event_cursor(&self, ctx: &Context<'_>) -> Result<String> {
        let newest = events::newest(app(ctx).db.read(), self.0.user_id).await;
        let newest = newest.map_err(|error| raise("Viewer", error.into()))?;
        Ok(cursor(newest))
    }
}
