//! The jobs that one act on many is about, as they were when somebody looked.
//!
//! They are walked in the order of their ids, a short page at a time: one step into the index of
//! states for each queue and state, however many rows there are.

use clipqueue_entities::{
    JobId, Timestamp,
    job::{self, JobState},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait as _, Order,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::list::{JobFilter, queues};

/// Which jobs, and since when they must have been so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// The filter. Its state, when it has one, is among `states`.
    pub filter: JobFilter,
    /// The states that count.
    pub states: Vec<JobState>,
    /// When somebody looked: what came or changed its state later does not match.
    pub as_of: Timestamp,
    /// A job that moved from one of `states` to another matches all the same.
    pub may_move: bool,
}

impl Matching {
    fn condition(&self, queue: &str, state: JobState) -> Condition {
        let part = JobFilter {
            queue: Some(queue.to_owned()),
            state: Some(state),
            ..self.filter.clone()
        };
        let mut condition = part.condition().add(job::Column::CreatedAt.lte(self.as_of));
        if !self.may_move {
            let unchanged = job::Column::UpdatedAt.lte(self.as_of);
            condition = condition.add(if state == JobState::Running {
                // Its progress is a change too.
                unchanged.or(job::Column::StartedAt.lte(self.as_of))
            } else {
                unchanged
            });
        }
        condition
    }

    /// Each queue with each state that is asked for.
    async fn parts(
        &self,
        connection: &impl ConnectionTrait,
    ) -> Result<Vec<(String, JobState)>, DbErr> {
        let queues = match &self.filter.queue {
            Some(queue) => vec![queue.clone()],
            None => queues(connection).await?,
        };
        let states: Vec<JobState> = self
            .states
            .iter()
            .copied()
            .filter(|state| self.filter.state.is_none_or(|wanted| wanted == *state))
            .collect();
        Ok(queues
            .into_iter()
            .flat_map(|queue| states.iter().map(move |state| (queue.clone(), *state)))
            .collect())
    }
}

/// How many match; counting stops at `cap`, when there is one.
pub async fn count(
    connection: &impl ConnectionTrait,
    matching: &Matching,
    cap: Option<u64>,
) -> Result<u64, DbErr> {
    let mut jobs = 0;
    for (queue, state) in matching.parts(connection).await? {
        let left = cap.map(|cap| cap - jobs);
        if left == Some(0) {
            break;
        }
        let part = job::Entity::find().filter(matching.condition(&queue, state));
        jobs += match left {
            Some(left) => part.limit(left).count(connection).await?,
            None => part.count(connection).await?,
        };
    }
    Ok(jobs)
}

/// The first `limit` jobs behind `after`, in the order of their ids. Where rows can be locked they
/// are, so that they still match when the caller's transaction changes them.
pub async fn pick(
    connection: &impl ConnectionTrait,
    matching: &Matching,
    after: Option<JobId>,
    limit: u64,
    lock: bool,
) -> Result<Vec<job::Model>, DbErr> {
    let mut jobs = Vec::new();
    for (queue, state) in matching.parts(connection).await? {
        let mut part = job::Entity::find().filter(matching.condition(&queue, state));
        if let Some(after) = after {
            part = part.filter(job::Column::Id.gt(after));
        }
        if lock {
            part = part.lock_exclusive();
        }
        jobs.extend(
            part.order_by(job::Column::Id, Order::Asc)
                .limit(limit)
                .all(connection)
                .await?,
        );
    }
    jobs.sort_unstable_by_key(|job| job.id);
    jobs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(jobs)
}
