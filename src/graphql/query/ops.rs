//! What operators may ask about the whole installation.

use async_graphql::{Context, ID, InputObject, Object, Result};
use clipqueue_entities::JobId;

use crate::{
    calls::budgets::ENDPOINTS,
    domain::{actor::Scope, operators},
    graphql::{
        cost,
        guard::{Needs, app},
        ids::Global as _,
        pagination::{Connection, Paging, connect},
        scalars::DateTime,
        types::{
            breaker::Breaker,
            job::{Job, JobState},
            queue::Queue,
        },
        user_error::raise,
    },
    job::Jobs,
    queue::ledger,
};

/// What a list of jobs is narrowed to. A field that is left out admits all.
#[derive(Clone, Debug, Default, InputObject)]
pub(crate) struct JobFilter {
    /// Only jobs of this queue.
    queue: Option<String>,
    /// Only jobs in this state.
    state: Option<JobState>,
    /// Only jobs of this kind.
    kind: Option<String>,
    /// Only jobs of this lane, which is the UUID of a creator's account.
    lane: Option<String>,
    /// Only jobs that are held for this reason.
    hold_reason: Option<String>,
    /// Only jobs whose last error holds this text, such as an error code of TikTok's.
    error: Option<String>,
    /// Only jobs that were enqueued before this instant.
    created_before: Option<DateTime>,
    /// Only jobs that were enqueued at this instant or later.
    created_from: Option<DateTime>,
}

impl From<JobFilter> for ledger::JobFilter {
    fn from(filter: JobFilter) -> Self {
        Self {
            queue: filter.queue,
            state: filter.state.map(Into::into),
            kind: filter.kind,
            lane: filter.lane,
            hold_reason: filter.hold_reason,
            error: filter.error,
            created_before: filter.created_before.map(|at| at.0),
            created_from: filter.created_from.map(|at| at.0),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct OperatorQueries;

#[Object]
impl OperatorQueries {
    /// Jobs of the whole installation, newest first. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::page(first, last, child_complexity)"
    )]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the list is narrowed to.")] filter: Option<JobFilter>,
        #[graphql(desc = "How many from the front; 1 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what comes behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end; 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Job>> {
        let (app, filter) = (app(ctx), filter.unwrap_or_default().into());
        connect(
            Paging {
                first,
                after,
                last,
                before,
            },
            |row| row.id,
            Job,
            |span| operators::jobs(app, &filter, span.cursor, span.backward, span.limit),
            |error| raise("Job", error),
        )
        .await
    }

    /// One job. Needs the scope `ops:read`.
    #[graphql(guard = "Needs(Scope::OpsRead)")]
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job's id.")] id: ID,
    ) -> Result<Job> {
        let job = operators::job(app(ctx), JobId::from_global(&id)).await;
        job.map(Job).map_err(|error| raise("Job", error))
    }

    /// How the breaker of every endpoint of TikTok stands. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::list(ENDPOINTS.len(), child_complexity)"
    )]
    async fn breakers(&self, ctx: &Context<'_>) -> Result<Vec<Breaker>> {
        let breakers = operators::breakers(app(ctx)).await;
        Ok(breakers.into_iter().map(Breaker).collect())
    }

    /// How every queue stands. Needs the scope `ops:read`.
    #[graphql(
        guard = "Needs(Scope::OpsRead)",
        complexity = "cost::list(Jobs::QUEUES.len(), child_complexity)"
    )]
    async fn queues(&self, ctx: &Context<'_>) -> Result<Vec<Queue>> {
        let queues = operators::queues(app(ctx)).await;
        let queues = queues.map_err(|error| raise("Queue", error))?;
        Ok(queues.into_iter().map(Queue).collect())
    }
}
