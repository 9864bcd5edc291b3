//! Steering jobs and queues.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use clipqueue_entities::JobId;

use crate::{
    domain::{actor::Scope, operators},
    graphql::{
        guard::{Needs, actor, app},
        ids::Global as _,
        types::{job::Job, queue::Queue},
        user_error::{UserError, settle},
    },
    queue::Mode,
};

/// A job to run again.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct RetryJobInput {
    /// The job.
    id: ID,
}

/// A job to stop.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct CancelJobInput {
    /// The job.
    id: ID,
}

/// A held job to let go.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ReleaseJobInput {
    /// The job.
    id: ID,
}

/// The job that a mutation was about.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct JobPayload {
    /// The job as it is now.
    job: Option<Job>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

/// A queue to pause.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct PauseQueueInput {
    /// The queue's name.
    queue: String,
}

/// A queue to drain.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct DrainQueueInput {
    /// The queue's name.
    queue: String,
}

/// A queue to resume.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct ResumeQueueInput {
    /// The queue's name.
    queue: String,
}

/// The queue that a mutation was about.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct QueuePayload {
    /// The queue as it stands now.
    queue: Option<Queue>,
    /// What the caller can put right; when it is not empty, nothing was done.
    user_errors: Vec<UserError>,
}

async fn set(ctx: &Context<'_>, queue: &str, mode: Mode) -> Result<QueuePayload> {
    let queue = operators::set_mode(app(ctx), actor(ctx)?, queue, mode).await;
    let (queue, user_errors) = settle("queue", queue)?;
    Ok(QueuePayload {
        queue: queue.map(Queue),
        user_errors,
    })
}

#[derive(Debug, Default)]
pub(crate) struct OperatorMutations;

#[Object]
impl OperatorMutations {
    /// Makes a RETRYABLE, HELD, DISCARDED or CANCELLED job due now. Needs the scope `ops:write`.
    #[graphql(guard = "Needs(Scope::OpsWrite)")]
    async fn retry_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] input: RetryJobInput,
    ) -> Result<JobPayload> {
        let retried =
            operators::retry_job(app(ctx), actor(ctx)?, JobId::from_global(&input.id)).await;
        let (job, user_errors) = settle("id", retried)?;
        Ok(JobPayload {
            job: job.map(Job),
            user_errors,
        })
    }

    /// Stops a job: a waiting one at once, a running one as soon as its handler can. A post whose job
    /// was stopped gets a new one by and by; to stop a post, use `cancelPost`. Needs the scope
    /// `ops:write`.
    #[graphql(guard = "Needs(Scope::OpsWrite)")]
    async fn cancel_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] input: CancelJobInput,
    ) -> Result<JobPayload> {
        let id = JobId::from_global(&input.id);
        let cancelled = operators::cancel_job(app(ctx), actor(ctx)?, id).await;
        let (job, user_errors) = settle("id", cancelled)?;
        Ok(JobPayload {
            job: job.map(Job),
            user_errors,
        })
    }

    /// Lets a HELD job go, although what it waits for may not have happened. It keeps its due time.
    /// Needs the scope `ops:write`.
    #[graphql(guard = "Needs(Scope::OpsWrite)")]
    async fn release_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] input: ReleaseJobInput,
    ) -> Result<JobPayload> {
        let id = JobId::from_global(&input.id);
        let released = operators::release_job(app(ctx), actor(ctx)?, id).await;
        let (job, user_errors) = settle("id", released)?;
        Ok(JobPayload {
            job: job.map(Job),
            user_errors,
        })
    }

    /// Stops workers from taking jobs of a queue, in every process, until it is resumed. What runs
    /// goes on. Needs the scope `ops:write`.
    #[graphql(guard = "Needs(Scope::OpsWrite)")]
    async fn pause_queue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The queue.")] input: PauseQueueInput,
    ) -> Result<QueuePayload> {
        set(ctx, &input.queue, Mode::Paused).await
    }

    /// Pauses a queue and takes back what was handed to the transport. What runs goes on; `drained`
    /// says when nothing of the queue is left but rows. Needs the scope `ops:write`.
    #[graphql(guard = "Needs(Scope::OpsWrite)")]
    async fn drain_queue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The queue.")] input: DrainQueueInput,
    ) -> Result<QueuePayload> {
        set(ctx, &input.queue, Mode::Draining).await
    }

    /// Lets workers take jobs of a queue again, after a pause or a drain. Needs the scope `ops:write`.
    #[graphql(guard = "Needs(Scope::OpsWrite)")]
    async fn resume_queue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The queue.")] input: ResumeQueueInput,
    ) -> Result<QueuePayload> {
        set(ctx, &input.queue, Mode::Open).await
    }
}
