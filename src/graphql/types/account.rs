//! Connected TikTok accounts.

use async_graphql::{Context, Enum, ID, Object, Result};
use clipqueue_entities::account;

use crate::{
    domain::accounts,
    graphql::{
        guard::app,
        ids::Global as _,
        scalars::{DateTime, Url},
        user_error::raise,
    },
};

/// Whether Clipqueue may act for the creator. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(
    name = "TikTokAccountStatus",
    remote = "clipqueue_entities::account::AccountStatus"
)]
pub(crate) enum AccountStatus {
    /// The grant is good, as far as TikTok has told.
    Active,
    /// TikTok ended the grant: the creator must connect again. Posts wait meanwhile.
    ReauthRequired,
    /// The creator left.
    Disconnected,
}

#[derive(Clone, Debug)]
pub(crate) struct Account(pub(crate) account::Model);

/// A creator's TikTok account that is connected to Clipqueue.
#[Object(name = "TikTokAccount")]
impl Account {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// TikTok's id of this creator for this installation's app.
    async fn open_id(&self) -> &str {
        &self.0.open_id
    }

    /// The handle, when the granted permissions show it.
    async fn username(&self) -> Option<&str> {
        self.0.username.as_deref()
    }

    /// The display name.
    async fn display_name(&self) -> Option<&str> {
        self.0.display_name.as_deref()
    }

    /// A picture. TikTok lets the address die after two hours; `creatorInfo` gives a fresh one.
    async fn avatar_url(&self) -> Option<Url> {
        self.0.avatar_url.clone().map(Url)
    }

    /// The TikTok permissions that the creator granted, in TikTok's words.
    async fn scopes(&self) -> Vec<&str> {
        self.0
            .scopes
            .split(',')
            .filter(|scope| !scope.is_empty())
            .collect()
    }

    /// Whether Clipqueue may act for the creator.
    async fn status(&self) -> AccountStatus {
        self.0.status.into()
    }

    /// Why the status is not ACTIVE, as a word.
    async fn status_reason(&self) -> Option<&str> {
        self.0.status_reason.as_deref()
    }

    /// Since when the status holds.
    async fn status_since(&self) -> DateTime {
        self.0.status_since.into()
    }

    /// How many posts wait for the creator to connect again.
    #[graphql(complexity = 5)]
    async fn held_posts(&self, ctx: &Context<'_>) -> Result<i32> {
        let held = accounts::held_posts(app(ctx), self.0.id).await;
        let held = held.map_err(|error| raise("TikTok account", error))?;
        Ok(i32::try_from(held).unwrap_or(i32::MAX))
    }

    /// When the grant ends unless it is renewed, which happens by itself. Null without a grant.
    #[graphql(complexity = 5)]
    async fn grant_expires_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>> {
        let expiry = accounts::token_expiry(app(ctx), self.0.id).await;
        let expiry = expiry.map_err(|error| raise("TikTok account", error))?;
        Ok(expiry.map(|(_, refresh)| refresh.into()))
    }

    /// When the creator last gave consent.
    async fn connected_at(&self) -> DateTime {
        self.0.connected_at.into()
    }

    /// When the account was first connected.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When the account last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}
