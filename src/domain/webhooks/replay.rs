//! What an owner does with deliveries: look at them, ask for them again, try an address out.

use clipqueue_entities::{
    Timestamp, UserId, WebhookDeliveryId, WebhookEndpointId, webhook_attempt as attempt,
    webhook_delivery::{self as delivery, DeliveryState},
    webhook_endpoint as endpoint,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{follow, get, payload};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        error::{Code, Error, Refusal, Result},
        idempotency::{Request, Seen},
    },
    job::OUTBOUND,
};

/// Deliveries that are asked for again by one request.
const MANY: u64 = 500;

/// Sends an event that tells nothing but that the address works.
pub async fn test(
    app: &App,
    actor: &Actor,
    id: WebhookEndpointId,
    idempotency_key: &str,
) -> Result<delivery::Model> {
    let user = actor.user_id;
    let request = Request::new(user, idempotency_key, "sendTestWebhook", &id)?;
    let endpoint = enabled(app, user, id).await?;
    let now = app.clock.now();
    let row = follow::new(&endpoint, None, payload::TEST, payload::of_test(now), now);
    let tx = app.db.begin().await?;
    if let Seen::Before(id) = request.record_in_tx(&tx, now, row.id.0).await? {
        tx.rollback().await?;
        return delivery(app, user, WebhookDeliveryId(id)).await;
    }
    delivery::Entity::insert(row.clone().into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    app.enqueue_in_tx(&tx, follow::job(&row), None).await?;
    tx.commit().await?;
    app.nudge(OUTBOUND);
    Ok(row)
}

/// Sends a delivery again, under its id: at once, and for three days when that fails.
pub async fn again(app: &App, actor: &Actor, id: WebhookDeliveryId) -> Result<delivery::Model> {
    let row = delivery(app, actor.user_id, id).await?;
    enabled(app, actor.user_id, row.endpoint_id).await?;
    let tx = app.db.begin().await?;
    let row = delivery::ActiveModel {
        id: Set(row.id),
        state: Set(DeliveryState::Pending),
        attempts: Set(0),
        next_at: Set(Some(app.clock.now())),
        ended_at: Set(None),
        ..Default::default()
    }
    .update(&tx)
    .await?;
    app.hasten_in_tx(&tx, &follow::job(&row)).await?;
    tx.commit().await?;
    app.nudge(OUTBOUND);
    Ok(row)
}

/// Sends everything again that was given up since an instant, the oldest first; gives how many.
pub async fn failed_since(
    app: &App,
    actor: &Actor,
    id: WebhookEndpointId,
    since: Timestamp,
) -> Result<usize> {
    enabled(app, actor.user_id, id).await?;
    let ids: Vec<WebhookDeliveryId> = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::Id)
        .filter(delivery::Column::EndpointId.eq(id))
        .filter(delivery::Column::UserId.eq(actor.user_id))
        .filter(delivery::Column::State.eq(DeliveryState::Failed))
        .filter(delivery::Column::CreatedAt.gte(since))
        .order_by_asc(delivery::Column::Id)
        .limit(MANY)
        .into_tuple()
        .all(app.db.read())
        .await?;
    for id in &ids {
        again(app, actor, *id).await?;
    }
    Ok(ids.len())
}

/// A delivery of `user`.
pub async fn delivery(app: &App, user: UserId, id: WebhookDeliveryId) -> Result<delivery::Model> {
    delivery::Entity::find_by_id(id)
        .filter(delivery::Column::UserId.eq(user))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// Deliveries to an endpoint, newest first: at most `limit` behind `cursor`, or before it when
/// `backward`.
pub async fn list(
    app: &App,
    user: UserId,
    endpoint: WebhookEndpointId,
    cursor: Option<WebhookDeliveryId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<delivery::Model>> {
    let mut query = delivery::Entity::find()
        .filter(delivery::Column::EndpointId.eq(endpoint))
        .filter(delivery::Column::UserId.eq(user))
        .limit(limit);
    if let Some(cursor) = cursor {
        query = query.filter(if backward {
            delivery::Column::Id.gt(cursor)
        } else {
            delivery::Column::Id.lt(cursor)
        });
    }
    if !backward {
        let query = query.order_by_desc(delivery::Column::Id);
        return Ok(query.all(app.db.read()).await?);
    }
    let mut found = query
        .order_by_asc(delivery::Column::Id)
        .all(app.db.read())
        .await?;
    found.reverse();
    Ok(found)
}

/// The tries of a delivery that the caller was given, oldest first.
pub async fn attempts(app: &App, id: WebhookDeliveryId) -> Result<Vec<attempt::Model>> {
    Ok(attempt::Entity::find()
        .filter(attempt::Column::DeliveryId.eq(id))
        .order_by_asc(attempt::Column::Number)
        .all(app.db.read())
        .await?)
}

async fn enabled(app: &App, user: UserId, id: WebhookEndpointId) -> Result<endpoint::Model> {
    let row = get(app, user, id).await?;
    if row.enabled {
        return Ok(row);
    }
    let text = "the endpoint is disabled; enable it first";
    Err(Refusal::whole(Code::WrongState, text).into())
}
