//! The caller's subscription.

use async_graphql::{Context, Object, Result};

use crate::{
    domain::{actor::Scope, billing},
    graphql::{
        guard::{Needs, actor, app},
        types::subscription::Subscription,
        user_error::raise,
    },
};

#[derive(Debug, Default)]
pub(crate) struct BillingQueries;

#[Object]
impl BillingQueries {
    /// Your subscription at PayPal: of several, the one whose access ends last; null without one. Needs the
    /// scope `accounts:read`.
    #[graphql(guard = "Needs(Scope::AccountsRead)")]
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        let found = billing::of(app(ctx).db.read(), actor(ctx)?.user_id).await;
        let found = found.map_err(|error| raise("Subscription", error))?;
        Ok(found.map(Subscription))
    }
}
