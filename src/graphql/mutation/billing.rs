//! Subscribing at PayPal: what a front end gives to PayPal's button.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use crate::{
    domain::{actor::Scope, billing::link},
    graphql::{
        guard::{Needs, actor, app},
        user_error::{UserError, settle},
    },
};

/// Who wants to subscribe is the caller.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct PrepareSubscriptionInput {
    /// Where letters about payments go: one that failed, and access that ends. Left out, what was given
    /// before stays.
    email: Option<String>,
}

/// What to give to PayPal.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct SubscriptionOffer {
    /// The `custom_id` of the subscription. By it PayPal's word is joined to the caller, so nobody else
    /// should see it.
    custom_id: String,
    /// PayPal's ids of the plans that can be subscribed to; each gives the plan PAID.
    plan_ids: Vec<String>,
}

/// What to give to PayPal.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PrepareSubscriptionPayload {
    /// The offer; the same each time.
    offer: Option<SubscriptionOffer>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct BillingMutations;

#[Object]
impl BillingMutations {
    /// Gives what a front end hands to PayPal's button, so that the subscription counts for the caller.
    /// It spends nothing and can be repeated. Needs the scope `accounts:connect`.
    #[graphql(guard = "Needs(Scope::AccountsConnect)")]
    async fn prepare_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where letters go.")] input: PrepareSubscriptionInput,
    ) -> Result<PrepareSubscriptionPayload> {
        let offered = link::offer(app(ctx), actor(ctx)?, input.email.as_deref()).await;
        let (offer, user_errors) = settle("email", offered)?;
        Ok(PrepareSubscriptionPayload {
            offer: offer.map(|offer| SubscriptionOffer {
                custom_id: offer.code,
                plan_ids: offer.plan_ids,
            }),
            user_errors,
        })
    }
}
