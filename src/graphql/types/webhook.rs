//! Addresses that are told what happens, and what became of telling them.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use clipqueue_entities::{webhook_attempt, webhook_delivery, webhook_endpoint};

use crate::{
    domain::webhooks::replay,
    graphql::{
        cost,
        guard::app,
        ids::Global as _,
        scalars::{BigInt, DateTime},
        user_error::raise,
    },
};

/// The tries of a delivery that a cost assumes.
const TRIES: usize = 12;

#[derive(Clone, Debug)]
pub(crate) struct WebhookEndpoint(pub(crate) webhook_endpoint::Model);

/// An address that is told what happens, by the manners of Standard Webhooks: POST with a JSON body and
/// the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. Every event is told at least
/// once; a repetition has the same `webhook-id`.
#[Object]
impl WebhookEndpoint {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// Where events are sent.
    async fn url(&self) -> &str {
        &self.0.url
    }

    /// A name for people.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The kinds of events that are sent, such as `post.state` or `post.*`; all, when empty.
    async fn kinds(&self) -> Vec<&str> {
        self.0.kinds.split_whitespace().collect()
    }

    /// Whether events are sent.
    async fn enabled(&self) -> bool {
        self.0.enabled
    }

    /// When it was disabled; null while it is not.
    async fn disabled_at(&self) -> Option<DateTime> {
        self.0.disabled_at.map(DateTime)
    }

    /// Why it was disabled: `asked` (by you), `failing` (nothing got through for three days) or `gone`
    /// (the address answered 410). More may come.
    async fn disabled_reason(&self) -> Option<&str> {
        self.0.disabled_reason.as_deref()
    }

    /// Since when nothing gets through; null while it does.
    async fn failing_since(&self) -> Option<DateTime> {
        self.0.failing_since.map(DateTime)
    }

    /// Until when the secret before the last rotation signs, too; null when it does not.
    async fn old_secret_until(&self) -> Option<DateTime> {
        self.0.old_until.map(DateTime)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "clipqueue_entities::webhook_delivery::DeliveryState")]
pub(crate) enum WebhookDeliveryState {
    /// It has not got through yet.
    Pending,
    /// The address took it: its answer was 2xx.
    Delivered,
    /// It was given up after three days.
    Failed,
}

#[derive(Clone, Debug)]
pub(crate) struct WebhookDelivery(pub(crate) webhook_delivery::Model);

/// One event on its way to one address.
#[Object]
impl WebhookDelivery {
    /// The id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_global()
    }

    /// The header `webhook-id` of every try.
    async fn webhook_id(&self) -> String {
        self.0.id.to_string()
    }

    /// The id of the address.
    async fn endpoint_id(&self) -> ID {
        self.0.endpoint_id.to_global()
    }

    /// The kind of event; `webhook.test` for a test.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// What is sent, to the byte.
    async fn body(&self) -> &str {
        &self.0.body
    }

    /// Where it stands.
    async fn state(&self) -> WebhookDeliveryState {
        self.0.state.into()
    }

    /// When it is tried next; null when it is over.
    async fn next_at(&self) -> Option<DateTime> {
        self.0.next_at.map(DateTime)
    }

    /// The HTTP status of the last answer.
    async fn last_status(&self) -> Option<i32> {
        self.0.last_status
    }

    /// Why the last try failed, as a word.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// Every try, oldest first.
    #[graphql(complexity = "cost::list(TRIES, child_complexity)")]
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<WebhookAttempt>> {
        let rows = replay::attempts(app(ctx), self.0.id).await;
        let rows = rows.map_err(|error| raise("Webhook delivery", error))?;
        Ok(rows.into_iter().map(WebhookAttempt::from).collect())
    }

    /// When the event was taken up.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it got through or was given up.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }
}

/// One try to deliver an event.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct WebhookAttempt {
    /// Which try it was; counts from one.
    number: i32,
    /// The HTTP status of the answer, when there was one.
    status: Option<i32>,
    /// Why it failed, as a word: `status`, `unresolved`, `broken`, `too_slow`, `address_refused`,
    /// `url_refused`. More may come.
    error: Option<String>,
    /// How long it took, in milliseconds.
    took_ms: BigInt,
    /// When it was made.
    created_at: DateTime,
}

impl From<webhook_attempt::Model> for WebhookAttempt {
    fn from(row: webhook_attempt::Model) -> Self {
        Self {
            number: row.number,
            status: row.status,
            error: row.error,
            took_ms: BigInt(row.took_ms),
            created_at: row.created_at.into(),
        }
    }
}
