//! Reading jobs: one, a page of many, and the attempts that failed.

use clipqueue_entities::{
    JobId, Timestamp,
    job::{self, JobState},
    job_attempt,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QueryOrder,
    QuerySelect, Value, sea_query::LikeExpr,
};

use crate::queue::{batch, core::Core};

/// The most jobs on one page.
const MAX_PAGE: u64 = 500;

/// Which jobs. An absent field admits all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Of this queue.
    pub queue: Option<String>,
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this lane.
    pub lane: Option<String>,
    /// Held for this reason.
    pub hold_reason: Option<String>,
    /// Whose last error holds this text, such as an error code.
    pub error: Option<String>,
    /// Enqueued before this instant.
    pub created_before: Option<Timestamp>,
    /// Enqueued at this instant or later.
    pub created_from: Option<Timestamp>,
}

impl JobFilter {
    /// The filter as a condition; queue and state included.
    pub(super) fn condition(&self) -> Condition {
        let lane = self.lane.as_deref();
        let error = self.error.as_deref().map(containing);
        Condition::all()
            .add_option(
                self.queue
                    .as_ref()
                    .map(|queue| job::Column::Queue.eq(queue)),
            )
            .add_option(self.state.map(|state| job::Column::State.eq(state)))
            .add_option(self.kind.as_ref().map(|kind| job::Column::Kind.eq(kind)))
            .add_option(lane.map(|lane| job::Column::Lane.eq(lane)))
            // Says to the planner that the partial index of lanes applies.
            .add_option(
                lane.filter(|lane| !lane.is_empty())
                    .map(|_| job::Column::Lane.ne("")),
            )
            .add_option(
                self.hold_reason
                    .as_ref()
                    .map(|reason| job::Column::HoldReason.eq(reason)),
            )
            .add_option(error.map(|error| job::Column::LastError.like(error)))
            .add_option(self.created_before.map(|at| job::Column::CreatedAt.lt(at)))
            .add_option(self.created_from.map(|at| job::Column::CreatedAt.gte(at)))
    }
}

/// A pattern that fits whatever holds `text`, whose own signs are taken as they are.
fn containing(text: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for sign in text.chars() {
        if matches!(sign, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(sign);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('\\')
}

/// Which page. Jobs come newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many jobs at most; 1 to 500.
    pub limit: u64,
    /// Only jobs that follow this one, being older.
    pub after: Option<JobId>,
    /// Only jobs that precede this one, being newer. With `after` absent the page ends at it.
    pub before: Option<JobId>,
}

/// One page of jobs, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<job::Model>,
    /// Whether there are more in the direction of paging: older ones, or newer ones when only
    /// `before` was given.
    pub has_more: bool,
}

pub(in crate::queue) async fn get(core: &Core, id: JobId) -> Result<Option<job::Model>, DbErr> {
    job::Entity::find_by_id(id).one(core.db.read()).await
}

pub(in crate::queue) async fn attempts(
    core: &Core,
    id: JobId,
) -> Result<Vec<job_attempt::Model>, DbErr> {
    job_attempt::Entity::find()
        .filter(job_attempt::Column::JobId.eq(id))
        .order_by(job_attempt::Column::Fence, Order::Asc)
        .all(core.db.read())
        .await
}

pub(in crate::queue) async fn list(
    core: &Core,
    filter: &JobFilter,
    page: PageRequest,
) -> Result<JobPage, DbErr> {
    let limit = page.limit.clamp(1, MAX_PAGE);
    let backwards = page.before.is_some() && page.after.is_none();
    let mut jobs = Vec::new();
    if filter.state.is_some() && filter.queue.is_none() && filter.lane.is_none() {
        // The index of states starts with the queue: one short page of each is merged.
        for queue in queues(core.db.read()).await? {
            let filter = JobFilter {
                queue: Some(queue),
                ..filter.clone()
            };
            jobs.extend(page_of(core, &filter, page, limit + 1, backwards).await?);
        }
        if backwards {
            jobs.sort_unstable_by_key(|job| job.id);
        } else {
            jobs.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
        }
    } else {
        jobs = page_of(core, filter, page, limit + 1, backwards).await?;
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = jobs.len() > limit;
    jobs.truncate(limit);
    if backwards {
        jobs.reverse();
    }
    Ok(JobPage { jobs, has_more })
}

async fn page_of(
    core: &Core,
    filter: &JobFilter,
    page: PageRequest,
    limit: u64,
    backwards: bool,
) -> Result<Vec<job::Model>, DbErr> {
    let mut select = job::Entity::find().filter(filter.condition());
    if let Some(after) = page.after {
        select = select.filter(job::Column::Id.lt(after));
    }
    if let Some(before) = page.before {
        select = select.filter(job::Column::Id.gt(before));
    }
    let order = if backwards { Order::Asc } else { Order::Desc };
    select
        .order_by(job::Column::Id, order)
        .limit(limit)
        .all(core.db.read())
        .await
}

/// The queues that have jobs, one step in the index each.
pub(in crate::queue) async fn queues(
    connection: &impl ConnectionTrait,
) -> Result<Vec<String>, DbErr> {
    let sql = "WITH RECURSIVE q(queue) AS (SELECT (SELECT min(queue) FROM jobs) \
               UNION ALL SELECT (SELECT min(j.queue) FROM jobs j WHERE j.queue > q.queue) \
               FROM q WHERE q.queue IS NOT NULL) \
               SELECT queue FROM q WHERE queue IS NOT NULL LIMIT $1";
    // A catalogue has a handful of queues; the limit is for a table that went wrong.
    batch::all(connection, sql.to_owned(), vec![Value::from(1000_i64)])
        .await?
        .iter()
        .map(|row| row.try_get("", "queue"))
        .collect()
}
