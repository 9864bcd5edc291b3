//! Acts on many jobs.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::BulkActId;

use crate::{
    domain::{actor::Scope, bulk},
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        query::JobFilter,
        scalars::DateTime,
        types::bulk::{BulkAct, BulkAction},
        user_error::{UserError, settle},
    },
};

/// An act on many jobs to start.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct StartBulkActInput {
    /// What is done to each job.
    action: BulkAction,
    /// To which jobs. At least one field is needed.
    filter: JobFilter,
    /// The `asOf` of a preview of the last hour: jobs that came or changed since are left alone.
    as_of: DateTime,
    /// Makes it safe to send the request again. The same key with another request is refused.
    idempotency_key: String,
}

/// An act on many jobs to stop.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CancelBulkActInput {
    /// The act.
    id: ID,
}

/// The act that a mutation was about.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct BulkActPayload {
    /// The act as it is now.
    bulk_act: Option<BulkAct>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

#[derive(Debug, Default)]
pub(crate) struct BulkMutations;

#[Object]
impl BulkMutations {
    /// Starts an act on many jobs; a job of the queue `ops` carries it out in small batches. Watch it
    /// by `bulkActUpdated`. Needs the scope `ops:admin`.
    #[graphql(guard = "Needs(Scope::OpsAdmin)")]
    async fn start_bulk_act(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The act.")] input: StartBulkActInput,
    ) -> Result<BulkActPayload> {
        let started = bulk::start(
            app(ctx),
            actor(ctx)?,
            input.action.into(),
            &input.filter.into(),
            input.as_of.0,
            &input.idempotency_key,
        )
        .await;
        payload(started)
    }

    /// Stops an act on many jobs. What was done to jobs stays done. Needs the scope `ops:admin`.
    #[graphql(guard = "Needs(Scope::OpsAdmin)")]
    async fn cancel_bulk_act(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The act.")] input: CancelBulkActInput,
    ) -> Result<BulkActPayload> {
        let id = BulkActId::from_global(&input.id);
        payload(bulk::cancel(app(ctx), actor(ctx)?, id).await)
    }
}

fn payload(
    act: crate::domain::error::Result<clipqueue_entities::bulk_act::Model>,
) -> Result<BulkActPayload> {
    let (act, user_errors) = settle("id", act)?;
    Ok(BulkActPayload {
        bulk_act: act.map(BulkAct),
        user_errors,
    })
}
