//! Acts on many jobs: a preview, then a job that carries the act out in bounded batches.
//!
//! What is acted on is what matched when its operator looked: a job that came or changed its state
//! since is left alone. Each batch is one transaction with the place that was reached, so that a run
//! that is repeated after a crash goes on where it stopped and counts nothing twice.

mod ended;
mod filter;
mod run;

use std::time::Duration;

use clipqueue_entities::{
    BulkActId, Timestamp,
    bulk_act::{self, BulkAction, BulkState},
    job,
};
use sea_orm::{
    ActiveEnum as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use serde_json::{Value, json};

pub use self::{
    ended::end_without_job,
    run::{Advanced, advance},
};
use super::{
    actor::Actor,
    audit,
    error::{Code, Error, Refusal, Result},
    idempotency::{Request, Seen},
};
use crate::{
    app::App,
    job::{Job, OPS},
    queue::{
        self,
        ledger::{self, CancelOutcome, JobFilter},
    },
};

/// A preview counts no further.
const PREVIEW_CAP: u64 = 100_000;
/// Jobs that a preview shows.
const SAMPLE: u64 = 10;
/// A preview that is older than this says too little about today.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// What an act would be about.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// How many jobs match; 100,000 when there are more.
    pub matched: u64,
    /// Whether there are more.
    pub capped: bool,
    /// The oldest of them.
    pub sample: Vec<job::Model>,
    /// When that was so. The act is started with it.
    pub as_of: Timestamp,
}

/// What `action` on the jobs of `filter` would be about now.
pub async fn preview(app: &App, action: BulkAction, filter: &JobFilter) -> Result<Preview> {
    let as_of = app.clock.now();
    let matching = filter::matching(action, filter, as_of)?;
    let db = app.db.read();
    let matched = ledger::count(db, &matching, Some(PREVIEW_CAP + 1)).await?;
    Ok(Preview {
        matched: matched.min(PREVIEW_CAP),
        capped: matched > PREVIEW_CAP,
        sample: ledger::pick(db, &matching, None, SAMPLE, false).await?,
        as_of,
    })
}

/// Starts `action` on the jobs that matched `filter` at `as_of`, which a preview gave.
pub async fn start(
    app: &App,
    actor: &Actor,
    action: BulkAction,
    filter: &JobFilter,
    as_of: Timestamp,
    idempotency_key: &str,
) -> Result<bulk_act::Model> {
    let started = begin(app, actor, action, filter, as_of, idempotency_key).await;
    let details = details(action, filter, as_of)?;
    audit::refusal(app, actor, "bulk.start", "bulk:", details, started).await
}

fn details(action: BulkAction, filter: &JobFilter, as_of: Timestamp) -> Result<Value> {
    Ok(json!({
        "action": action.to_value(),
        "filter": filter::store(filter)?,
        "as_of": as_of,
    }))
}

async fn begin(
    app: &App,
    actor: &Actor,
    action: BulkAction,
    filter: &JobFilter,
    as_of: Timestamp,
    idempotency_key: &str,
) -> Result<bulk_act::Model> {
    let now = app.clock.now();
    let details = details(action, filter, as_of)?;
    let request = Request::new(actor.user_id, idempotency_key, "startBulkAct", &details)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return get(app, BulkActId(id)).await;
    }
    let matching = filter::matching(action, filter, as_of)?;
    if as_of > now || now.since(as_of) > MAX_AGE {
        return Err(Refusal::new(
            "asOf",
            Code::Invalid,
            "must be the time of a preview of the last hour; look at a new preview and start with its time",
        )
        .into());
    }
    let matched = ledger::count(app.db.read(), &matching, None).await?;
    let id = BulkActId::new();
    let tx = app.db.begin().await?;
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return get(app, BulkActId(id)).await;
    }
    let job = queue::enqueue(&tx, now, Job::BulkAct { bulk_act_id: id }.to_new(now)).await?;
    bulk_act::Entity::insert(bulk_act::ActiveModel {
        id: Set(id),
        user_id: Set(actor.user_id),
        key_id: Set(actor.key_id),
        job_id: Set(job.id()),
        action: Set(action),
        filter: Set(filter::store(filter)?),
        state: Set(BulkState::Running),
        as_of: Set(as_of),
        matched: Set(i64::try_from(matched).unwrap_or(i64::MAX)),
        done: Set(0),
        failed: Set(0),
        cursor: Set(None),
        last_error: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        finished_at: Set(None),
    })
    .exec_without_returning(&tx)
    .await?;
    audit::record_in_tx(app, &tx, actor, "bulk.start", &subject(id), details).await?;
    tx.commit().await?;
    app.nudge(OPS);
    get(app, id).await
}

fn subject(id: BulkActId) -> String {
    format!("bulk:{id}")
}

/// One act.
pub async fn get(app: &App, id: BulkActId) -> Result<bulk_act::Model> {
    bulk_act::Entity::find_by_id(id)
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// Acts, newest first: at most `limit` behind `cursor`, or before it when `backward`.
pub async fn list(
    app: &App,
    cursor: Option<BulkActId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<bulk_act::Model>> {
    let mut query = bulk_act::Entity::find();
    if let Some(cursor) = cursor {
        query = query.filter(if backward {
            bulk_act::Column::Id.gt(cursor)
        } else {
            bulk_act::Column::Id.lt(cursor)
        });
    }
    query = if backward {
        query.order_by_asc(bulk_act::Column::Id)
    } else {
        query.order_by_desc(bulk_act::Column::Id)
    };
    let mut rows = query.limit(limit).all(app.db.read()).await?;
    if backward {
        rows.reverse();
    }
    Ok(rows)
}

/// Stops an act. What was done to jobs stays done.
pub async fn cancel(app: &App, actor: &Actor, id: BulkActId) -> Result<bulk_act::Model> {
    let stopped = stop(app, actor, id).await;
    audit::refusal(app, actor, "bulk.cancel", &subject(id), json!({}), stopped).await
}

async fn stop(app: &App, actor: &Actor, id: BulkActId) -> Result<bulk_act::Model> {
    let act = get(app, id).await?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    // The job's row comes first, as in the batches.
    let outcome = ledger::cancel_in(&tx, now, act.job_id).await?;
    let stopped = bulk_act::Entity::update_many()
        .col_expr(bulk_act::Column::State, Expr::value(BulkState::Cancelled))
        .col_expr(bulk_act::Column::UpdatedAt, Expr::value(now))
        .col_expr(bulk_act::Column::FinishedAt, Expr::value(now))
        .filter(bulk_act::Column::Id.eq(id))
        .filter(bulk_act::Column::State.eq(BulkState::Running))
        .exec(&tx)
        .await?;
    if stopped.rows_affected == 0 {
        tx.rollback().await?;
        let act = get(app, id).await?;
        return match act.state {
            BulkState::Cancelled => Ok(act),
            BulkState::Failed => Err(Refusal::whole(
                Code::WrongState,
                "it is FAILED; there is nothing to stop",
            )
            .into()),
            BulkState::Running | BulkState::Completed => Err(Refusal::whole(
                Code::WrongState,
                "it is COMPLETED; there is nothing to stop",
            )
            .into()),
        };
    }
    audit::record_in_tx(app, &tx, actor, "bulk.cancel", &subject(id), json!({})).await?;
    tx.commit().await?;
    if matches!(outcome, CancelOutcome::Cancelled | CancelOutcome::Requested) {
        app.queue.announce_cancel(act.job_id, outcome).await?;
    }
    get(app, id).await
}
