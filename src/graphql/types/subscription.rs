//! Subscriptions as their users see them.

use async_graphql::{Enum, Object};
use clipqueue_entities::subscription::{self, SubscriptionStatus};

use crate::graphql::scalars::DateTime;

/// What PayPal calls a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "SubscriptionStatus", name = "SubscriptionStatus")]
pub(crate) enum Status {
    /// Nothing but payments is known of it yet.
    Unknown,
    /// It was made, and nobody has agreed to it.
    Created,
    /// It is being paid.
    Active,
    /// It is not being paid, and can go on.
    Suspended,
    /// It was ended by somebody.
    Cancelled,
    /// It came to its end.
    Expired,
}

#[derive(Clone, Debug)]
pub(crate) struct Subscription(pub(crate) subscription::Model);

/// A subscription at PayPal, as PayPal told of it.
#[Object(name = "PaypalSubscription")]
impl Subscription {
    /// What PayPal calls it.
    async fn status(&self) -> Status {
        self.0.status.into()
    }

    /// PayPal's id of it.
    async fn paypal_id(&self) -> &str {
        &self.0.paypal_id
    }

    /// The end of the paid period.
    async fn paid_until(&self) -> Option<DateTime> {
        self.0.paid_until.map(DateTime)
    }

    /// The end of the grace after it; null where there is none, as after a cancellation.
    async fn grace_until(&self) -> Option<DateTime> {
        self.0.grace_until.map(DateTime)
    }

    /// When access ends: no more posts are accepted then, and those that were accepted go on.
    async fn access_until(&self) -> Option<DateTime> {
        self.0.cutoff_at.map(DateTime)
    }
}
