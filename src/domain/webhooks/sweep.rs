//! What makes sure of webhooks: followers that nobody woke, deliveries without a job, secrets that are
//! over. Bounded and safe to repeat.

use std::time::Duration;

use clipqueue_entities::{
    UserId, WebhookEndpointId, event,
    webhook_delivery::{self as delivery, DeliveryState},
    webhook_endpoint as endpoint,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, sea_query::Expr,
};

use super::follow;
use crate::{
    app::App,
    domain::error::Result,
    job::{Job, OUTBOUND},
};

/// Rows that are looked at in one go.
const BATCH: u64 = 500;
/// A pending delivery that is overdue by this much may have lost its job.
const OVERDUE: Duration = Duration::from_secs(60);

/// Looks for everything that nobody cares for.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.clock.now();
    for user in behind(app).await? {
        let tx = app.db.begin().await?;
        app.enqueue_in_tx(&tx, Job::FollowEvents { user_id: user }, None)
            .await?;
        tx.commit().await?;
    }
    let open = endpoint::Entity::find()
        .select_only()
        .column(endpoint::Column::Id)
        .filter(endpoint::Column::Enabled.eq(true))
        .into_query();
    let overdue = delivery::Entity::find()
        .filter(delivery::Column::State.eq(DeliveryState::Pending))
        .filter(delivery::Column::NextAt.lte(now - OVERDUE))
        .filter(delivery::Column::EndpointId.in_subquery(open))
        .order_by_asc(delivery::Column::NextAt)
        .limit(BATCH)
        .all(app.db.read())
        .await?;
    let jobs: Vec<_> = overdue.iter().map(|row| (follow::job(row), None)).collect();
    let tx = app.db.begin().await?;
    if !jobs.is_empty() {
        app.enqueue_many_in_tx(&tx, jobs).await?;
    }
    endpoint::Entity::update_many()
        .set(endpoint::ActiveModel {
            old_secret: Set(None),
            old_until: Set(None),
            ..Default::default()
        })
        .filter(endpoint::Column::OldUntil.lte(now))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    app.nudge(OUTBOUND);
    Ok(())
}

/// Users who have an endpoint with events before it.
async fn behind(app: &App) -> Result<Vec<UserId>> {
    let newer = event::Entity::find()
        .select_only()
        .column(event::Column::Seq)
        .filter(
            Expr::col((event::Entity, event::Column::UserId))
                .equals((endpoint::Entity, endpoint::Column::UserId)),
        )
        .filter(
            Expr::col((event::Entity, event::Column::Seq))
                .gt(Expr::col((endpoint::Entity, endpoint::Column::Cursor))),
        )
        .into_query();
    Ok(endpoint::Entity::find()
        .select_only()
        .column(endpoint::Column::UserId)
        .distinct()
        .filter(endpoint::Column::Enabled.eq(true))
        .filter(Expr::exists(newer))
        .limit(BATCH)
        .into_tuple()
        .all(app.db.read())
        .await?)
}

/// Makes the pending deliveries of an endpoint due, in the transaction that enables it again. What is
/// more than a batch comes with the next sweeps.
pub(super) async fn revive_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    id: WebhookEndpointId,
) -> Result<()> {
    delivery::Entity::update_many()
        .set(delivery::ActiveModel {
            attempts: Set(0),
            next_at: Set(Some(app.clock.now())),
            ..Default::default()
        })
        .filter(delivery::Column::EndpointId.eq(id))
        .filter(delivery::Column::State.eq(DeliveryState::Pending))
        .exec(tx)
        .await?;
    let pending = delivery::Entity::find()
        .filter(delivery::Column::EndpointId.eq(id))
        .filter(delivery::Column::State.eq(DeliveryState::Pending))
        .order_by_asc(delivery::Column::Id)
        .limit(BATCH)
        .all(tx)
        .await?;
    let jobs: Vec<_> = pending.iter().map(|row| (follow::job(row), None)).collect();
    if !jobs.is_empty() {
        app.enqueue_many_in_tx(tx, jobs).await?;
    }
    Ok(())
}
