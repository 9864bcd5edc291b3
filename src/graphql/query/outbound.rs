//! What the caller's own addresses are told and asked.

use async_graphql::{Context, ID, Object, Result};
use clipqueue_entities::WebhookEndpointId;

use crate::{
    domain::{
        actor::Scope,
        imports, sources,
        webhooks::{self, replay},
    },
    graphql::{
        cost,
        guard::{Needs, actor, app},
        ids::Global as _,
        pagination::{Connection, Paging, connect},
        types::{
            source::{MediaImport, VerifiedSource},
            webhook::{WebhookDelivery, WebhookEndpoint},
        },
        user_error::raise,
    },
};

/// The length of a list of endpoints or sources that a cost assumes.
const SHORT_LIST: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct OutboundQueries;

#[Object]
impl OutboundQueries {
    /// Addresses that are told what happens, oldest first. Needs the scope `webhooks:admin`.
    #[graphql(
        guard = "Needs(Scope::WebhooksAdmin)",
        complexity = "cost::list(SHORT_LIST, child_complexity)"
    )]
    async fn webhook_endpoints(&self, ctx: &Context<'_>) -> Result<Vec<WebhookEndpoint>> {
        let rows = webhooks::list(app(ctx), actor(ctx)?.user_id).await;
        let rows = rows.map_err(|error| raise("Webhook endpoint", error))?;
        Ok(rows.into_iter().map(WebhookEndpoint).collect())
    }

    /// Deliveries to an address, newest first. Needs the scope `webhooks:admin`.
    #[graphql(
        guard = "Needs(Scope::WebhooksAdmin)",
        complexity = "cost::page(first, last, child_complexity)"
    )]
    async fn webhook_deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] endpoint_id: ID,
        #[graphql(desc = "How many from the front; 1 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end; 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<WebhookDelivery>> {
        let (app, user) = (app(ctx), actor(ctx)?.user_id);
        let endpoint = WebhookEndpointId::from_global(&endpoint_id);
        // Somebody else's endpoint must not look like one without deliveries.
        webhooks::get(app, user, endpoint)
            .await
            .map_err(|error| raise("Webhook endpoint", error))?;
        connect(
            Paging {
                first,
                after,
                last,
                before,
            },
            |row| row.id,
            WebhookDelivery,
            |span| replay::list(app, user, endpoint, span.cursor, span.backward, span.limit),
            |error| raise("Webhook delivery", error),
        )
        .await
    }

    /// Hosts that files may be fetched from, oldest first. Needs the scope `media:read`.
    #[graphql(
        guard = "Needs(Scope::MediaRead)",
        complexity = "cost::list(SHORT_LIST, child_complexity)"
    )]
    async fn verified_sources(&self, ctx: &Context<'_>) -> Result<Vec<VerifiedSource>> {
        let rows = sources::list(app(ctx), actor(ctx)?.user_id).await;
        let rows = rows.map_err(|error| raise("Verified source", error))?;
        Ok(rows.into_iter().map(VerifiedSource).collect())
    }

    /// Files that were or are fetched, newest first. Needs the scope `media:read`.
    #[graphql(
        guard = "Needs(Scope::MediaRead)",
        complexity = "cost::page(first, last, child_complexity)"
    )]
    async fn media_imports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the front; 1 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end; 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<MediaImport>> {
        let (app, user) = (app(ctx), actor(ctx)?.user_id);
        connect(
            Paging {
                first,
                after,
                last,
                before,
            },
            |row| row.id,
            MediaImport,
            |span| imports::list(app, user, span.cursor, span.backward, span.limit),
            |error| raise("Media import", error),
        )
        .await
    }
}
