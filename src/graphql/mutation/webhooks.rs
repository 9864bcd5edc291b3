//! Addresses that are told what happens: making, changing and trying them.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::{WebhookDeliveryId, WebhookEndpointId};
use secrecy::ExposeSecret as _;

use crate::{
    domain::{
        actor::Scope,
        webhooks::{self, EndpointChange, NewEndpoint, replay},
    },
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        scalars::DateTime,
        types::webhook::{WebhookDelivery, WebhookEndpoint},
        user_error::{UserError, settle},
    },
};

/// An address to tell what happens.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CreateWebhookEndpointInput {
    /// A text of your choice, such as a fresh UUID. The same key with the same request gives the same
    /// endpoint again, without its secret.
    idempotency_key: String,
    /// Where events are sent: an https URL of the public internet.
    url: String,
    /// A name for people; at most 200 characters.
    description: Option<String>,
    /// The kinds of events to send, such as `post.state` or `post.*`; all, when left out or empty.
    kinds: Option<Vec<String>>,
}

/// An endpoint, and its secret if that is new.
#[derive(Clone, SimpleObject)]
pub(crate) struct WebhookSecretPayload {
    /// The endpoint.
    endpoint: Option<WebhookEndpoint>,
    /// The secret that signs, as `whsec_…`. It is shown this once and cannot be had again; null when
    /// the same request was carried out before.
    secret: Option<String>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// What to change of an endpoint. A field that is left out stays.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct UpdateWebhookEndpointInput {
    /// The endpoint.
    id: ID,
    /// Where events are sent.
    url: Option<String>,
    /// A name for people; empty for none.
    description: Option<String>,
    /// The kinds of events to send; empty for all.
    kinds: Option<Vec<String>>,
    /// Whether events are sent. An endpoint that is enabled again is told of everything since it was
    /// disabled.
    enabled: Option<bool>,
}

/// The endpoint.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct WebhookEndpointPayload {
    /// The endpoint.
    endpoint: Option<WebhookEndpoint>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// The endpoint whose secret is to be replaced.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RotateWebhookSecretInput {
    /// A text of your choice, such as a fresh UUID. The same key does not rotate twice.
    idempotency_key: String,
    /// The endpoint.
    id: ID,
}

/// The endpoint to take away.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct DeleteWebhookEndpointInput {
    /// The endpoint.
    id: ID,
}

/// The endpoint to try out.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct SendTestWebhookInput {
    /// A text of your choice, such as a fresh UUID. The same key gives the same delivery.
    idempotency_key: String,
    /// The endpoint.
    id: ID,
}

/// The delivery to repeat.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ReplayWebhookDeliveryInput {
    /// The delivery.
    id: ID,
}

/// The delivery.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct WebhookDeliveryPayload {
    /// The delivery.
    delivery: Option<WebhookDelivery>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// What to repeat of what was given up.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ReplayFailedWebhooksInput {
    /// The endpoint.
    id: ID,
    /// Only deliveries that were made at or after this instant.
    since: DateTime,
}

/// How much is repeated.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct ReplayFailedWebhooksPayload {
    /// Deliveries that are sent again, at most 500; ask again for more.
    count: Option<i32>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct WebhookMutations;

#[Object]
impl WebhookMutations {
    /// Names an address to tell what happens from now on. Needs the scope `webhooks:admin`.
    #[graphql(guard = "Needs(Scope::WebhooksAdmin)")]
    async fn create_webhook_endpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] input: CreateWebhookEndpointInput,
    ) -> Result<WebhookSecretPayload> {
        let new = NewEndpoint {
            url: input.url,
            description: input.description,
            kinds: input.kinds.unwrap_or_default(),
        };
        let made = webhooks::create(app(ctx), actor(ctx)?, new, &input.idempotency_key).await;
        with_secret("idempotencyKey", made)
    }

    /// Changes an endpoint, disables it, or enables it again. Needs the scope `webhooks:admin`.
    #[graphql(guard = "Needs(Scope::WebhooksAdmin)")]
    async fn update_webhook_endpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateWebhookEndpointInput,
    ) -> Result<WebhookEndpointPayload> {
        let id = WebhookEndpointId::from_global(&input.id);
        let change = EndpointChange {
            url: input.url,
            description: input.description,
            kinds: input.kinds,
            enabled: input.enabled,
        };
        let updated = webhooks::update(app(ctx), actor(ctx)?, id, change).await;
        let (endpoint, user_errors) = settle("id", updated)?;
        Ok(WebhookEndpointPayload {
            endpoint: endpoint.map(WebhookEndpoint),
            user_errors,
        })
    }

    /// Gives an endpoint a new secret. For a day messages bear two signatures, one by each secret.
    /// Needs the scope `webhooks:admin`.
    #[graphql(guard = "Needs(Scope::WebhooksAdmin)")]
    async fn rotate_webhook_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: RotateWebhookSecretInput,
    ) -> Result<WebhookSecretPayload> {
        let id = WebhookEndpointId::from_global(&input.id);
        let rotated = webhooks::rotate(app(ctx), actor(ctx)?, id, &input.idempotency_key).await;
        with_secret("id", rotated)
    }

    /// Takes an endpoint away, with its deliveries. Needs the scope `webhooks:admin`.
    #[graphql(guard = "Needs(Scope::WebhooksAdmin)")]
    async fn delete_webhook_endpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: DeleteWebhookEndpointInput,
    ) -> Result<WebhookEndpointPayload> {
        let id = WebhookEndpointId::from_global(&input.id);
        let deleted = webhooks::delete(app(ctx), actor(ctx)?, id).await;
        let (endpoint, user_errors) = settle("id", deleted)?;
        Ok(WebhookEndpointPayload {
            endpoint: endpoint.map(WebhookEndpoint),
            user_errors,
        })
    }

    /// Sends an event that tells nothing but that the address works. Needs the scope `webhooks:admin`.
    #[graphql(guard = "Needs(Scope::WebhooksAdmin)")]
    async fn send_test_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: SendTestWebhookInput,
    ) -> Result<WebhookDeliveryPayload> {
        let id = WebhookEndpointId::from_global(&input.id);
        let sent = replay::test(app(ctx), actor(ctx)?, id, &input.idempotency_key).await;
        let (delivery, user_errors) = settle("id", sent)?;
        Ok(WebhookDeliveryPayload {
            delivery: delivery.map(WebhookDelivery),
            user_errors,
        })
    }

    /// Sends a delivery again, under the same `webhook-id`. Needs the scope `webhooks:admin`.
    #[graphql(guard = "Needs(Scope::WebhooksAdmin)")]
    async fn replay_webhook_delivery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The delivery.")] input: ReplayWebhookDeliveryInput,
    ) -> Result<WebhookDeliveryPayload> {
        let id = WebhookDeliveryId::from_global(&input.id);
        let sent = replay::again(app(ctx), actor(ctx)?, id).await;
        let (delivery, user_errors) = settle("id", sent)?;
        Ok(WebhookDeliveryPayload {
            delivery: delivery.map(WebhookDelivery),
            user_errors,
        })
    }

    /// Sends everything again that was given up since an instant. Needs the scope `webhooks:admin`.
    #[graphql(guard = "Needs(Scope::WebhooksAdmin)")]
    async fn replay_failed_webhooks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to repeat.")] input: ReplayFailedWebhooksInput,
    ) -> Result<ReplayFailedWebhooksPayload> {
        let id = WebhookEndpointId::from_global(&input.id);
        let sent = replay::failed_since(app(ctx), actor(ctx)?, id, input.since.0).await;
        let (count, user_errors) = settle("id", sent)?;
        Ok(ReplayFailedWebhooksPayload {
            count: count.and_then(|count| i32::try_from(count).ok()),
            user_errors,
        })
    }
}

type Made = (
    clipqueue_entities::webhook_endpoint::Model,
    Option<secrecy::SecretString>,
);

fn with_secret(
    missing: &'static str,
    made: crate::domain::error::Result<Made>,
) -> Result<WebhookSecretPayload> {
    let (made, user_errors) = settle(missing, made)?;
    let (endpoint, secret) = made.unzip();
    Ok(WebhookSecretPayload {
        endpoint: endpoint.map(WebhookEndpoint),
        secret: secret.flatten().map(|text| text.expose_secret().to_owned()),
        user_errors,
    })
}
