//! Acts on many jobs: looking before and after.

use async_graphql::{Context, ID, Object, Result};
use clipqueue_entities::BulkActId;

use super::ops::JobFilter;
use crate::{
    domain::{actor::Scope, bulk},
    graphql::{
        cost,
        guard::{Needs, app},
        ids::Global as _,
        pagination::{Connection, Paging, connect},
        types::bulk::{BulkAct, BulkAction, BulkPreview},
        user_error::raise,
    },
};

#[derive(Debug, Default)]
pub(crate) struct BulkQueries;

#[Object]
impl BulkQueries {
    /// What an act on many jobs would be about. Nothing is done. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "20 + 10 * child_complexity"
    )]
    async fn bulk_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What would be done.")] action: BulkAction,
        #[graphql(desc = "To which jobs. At least one field is needed.")] filter: JobFilter,
    ) -> Result<BulkPreview> {
        let preview = bulk::preview(app(ctx), action.into(), &filter.into()).await;
        preview
            .map(BulkPreview::from)
            .map_err(|error| raise("Job", error))
    }

    /// One act on many jobs. Needs the scope `ops:read`.
    #[graphql(guard = "Needs(Scope::OpsRead)")]
    async fn bulk_act(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The act's id.")] id: ID,
    ) -> Result<BulkAct> {
        let act = bulk::get(app(ctx), BulkActId::from_global(&id)).await;
        act.map(BulkAct).map_err(|error| raise("BulkAct", error))
    }

    /// Acts on many jobs, newest first. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::page(first, last, child_complexity)"
    )]
    async fn bulk_acts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the front; 1 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end; 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<BulkAct>> {
        let app = app(ctx);
        connect(
            Paging {
                first,
                after,
                last,
                before,
            },
            |row: &clipqueue_entities::bulk_act::Model| row.id,
            BulkAct,
            |span| bulk::list(app, span.cursor, span.backward, span.limit),
            |error| raise("BulkAct", error),
        )
        .await
    }
}
