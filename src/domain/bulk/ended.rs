//! Acts whose job is over although they are not: their operator is told, and they end.

use clipqueue_entities::{
    BulkActId, Timestamp,
    bulk_act::{self, BulkState},
    job::JobState,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};
use serde_json::json;

use super::subject;
use crate::{
    app::App,
    domain::{audit, error::Result},
};

/// Acts looked at in one page.
const PAGE: u64 = 100;

/// Ends acts that nobody carries out any more. Gives how many.
pub async fn end_without_job(app: &App) -> Result<u64> {
    let mut ended = 0;
    let mut cursor: Option<BulkActId> = None;
    loop {
        let mut query =
            bulk_act::Entity::find().filter(bulk_act::Column::State.eq(BulkState::Running));
        if let Some(cursor) = cursor {
            query = query.filter(bulk_act::Column::Id.gt(cursor));
        }
        let page = query
            .order_by_asc(bulk_act::Column::Id)
            .limit(PAGE)
            .all(app.db.read())
            .await?;
        let Some(last) = page.last() else {
            return Ok(ended);
        };
        cursor = Some(last.id);
        for act in page {
            let job = app.queue.job(act.job_id).await?;
            let (state, error) = match &job {
                Some(job) if !job.state.is_final() => continue,
                Some(job) if job.state == JobState::Cancelled => {
                    (BulkState::Cancelled, job.last_error.clone())
                }
                Some(job) => (BulkState::Failed, job.last_error.clone()),
                None => (BulkState::Failed, Some("its job is gone".to_owned())),
            };
            ended += u64::from(end(app, &act, state, error).await?);
        }
    }
}

async fn end(
    app: &App,
    act: &bulk_act::Model,
    state: BulkState,
    error: Option<String>,
) -> Result<bool> {
    let now: Timestamp = app.clock.now();
    let (action, word) = match state {
        BulkState::Cancelled => ("bulk.cancelled", "cancelled"),
        _ => ("bulk.failed", "given up"),
    };
    let tx = app.db.begin().await?;
    // A batch that was committed since the look moved the act: then its job lives, or has just ended.
    let changed = bulk_act::Entity::update_many()
        .col_expr(bulk_act::Column::State, Expr::value(state))
        .col_expr(bulk_act::Column::UpdatedAt, Expr::value(now))
        .col_expr(bulk_act::Column::FinishedAt, Expr::value(now))
        .col_expr(
            bulk_act::Column::LastError,
            Expr::value(error.clone().or_else(|| act.last_error.clone())),
        )
        .filter(bulk_act::Column::Id.eq(act.id))
        .filter(bulk_act::Column::State.eq(BulkState::Running))
        .filter(bulk_act::Column::UpdatedAt.eq(act.updated_at))
        .exec(&tx)
        .await?;
    if changed.rows_affected == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    tracing::warn!(act = %act.id, error, "an act on many jobs was {word} with its job");
    let details = json!({ "done": act.done, "failed": act.failed, "error": error });
    audit::record_own_in_tx(app, &tx, action, &subject(act.id), details).await?;
    tx.commit().await?;
    Ok(true)
}
