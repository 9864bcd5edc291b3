//! From events to deliveries: the cursor of an endpoint moves in the transaction that inserts what lies
//! before it, and only from where it was read. So no event is missed and none is taken twice, whatever
//! dies and however many follow at once.
//!
//! Appending an event wakes its follower in its own transaction. An event that comes while the
//! follower is about to end finds it still there and wakes nobody; the sweep of every minute does.

use clipqueue_entities::{
    Timestamp, UserId, WebhookDeliveryId, event,
    webhook_delivery::{self as delivery, DeliveryState},
    webhook_endpoint as endpoint,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr,
    EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QuerySelect as _,
};

use super::payload;
use crate::{
    app::App,
    domain::{error::Result, events},
    job::{Job, OUTBOUND},
    queue,
};

/// Events that are followed in one transaction.
const PAGE: u64 = 200;

/// Sees to it that the events of `user` are followed, if anybody is told of them.
pub async fn wake_in_tx(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    user: UserId,
) -> Result<(), DbErr> {
    let told: Option<bool> = endpoint::Entity::find()
        .select_only()
        .column(endpoint::Column::Enabled)
        .filter(endpoint::Column::UserId.eq(user))
        .filter(endpoint::Column::Enabled.eq(true))
        .limit(1)
        .into_tuple()
        .one(tx)
        .await?;
    if told.is_some() {
        let job = Job::FollowEvents { user_id: user };
        queue::enqueue(tx, now, job.to_new(now)).await?;
    }
    Ok(())
}

/// Makes deliveries of everything that lies before the endpoints of `user`; gives how many.
pub async fn follow(app: &App, user: UserId) -> Result<u64> {
    let endpoints = endpoint::Entity::find()
        .filter(endpoint::Column::UserId.eq(user))
        .filter(endpoint::Column::Enabled.eq(true))
        .all(app.db.read())
        .await?;
    let mut made = 0;
    for mut row in endpoints {
        while let Some(more) = page(app, &mut row).await? {
            made += more;
        }
    }
    app.nudge(OUTBOUND);
    Ok(made)
}

/// One page of events; none, when there are no more or somebody else moved the cursor.
async fn page(app: &App, row: &mut endpoint::Model) -> Result<Option<u64>> {
    let found = events::after(app.db.read(), row.user_id, None, row.cursor, PAGE).await?;
    let Some(last) = found.last().map(|event| event.seq) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let moved = endpoint::Entity::update_many()
        .set(endpoint::ActiveModel {
            cursor: Set(last),
            ..Default::default()
        })
        .filter(endpoint::Column::Id.eq(row.id))
        .filter(endpoint::Column::Enabled.eq(true))
        .filter(endpoint::Column::Cursor.eq(row.cursor))
        .exec(&tx)
        .await?;
    if moved.rows_affected != 1 {
        tx.rollback().await?;
        return Ok(None);
    }
    let wanted = found
        .iter()
        .filter(|event| payload::wants(&row.kinds, &event.kind));
    let new: Vec<delivery::Model> = wanted.map(|event| of_event(row, event, now)).collect();
    let jobs = new
        .iter()
        .map(|delivery| (job(delivery), Some(now)))
        .collect();
    let made = new.len() as u64;
    if !new.is_empty() {
        delivery::Entity::insert_many(
            new.into_iter()
                .map(|row| row.into_active_model().reset_all()),
        )
        .exec_without_returning(&tx)
        .await?;
        app.enqueue_many_in_tx(&tx, jobs).await?;
    }
    tx.commit().await?;
    row.cursor = last;
    Ok(Some(made))
}

fn of_event(row: &endpoint::Model, event: &event::Model, now: Timestamp) -> delivery::Model {
    let body = payload::of_event(event);
    delivery::Model {
        account_id: event.account_id,
        ..new(row, Some(event.seq), &event.kind, body, now)
    }
}

/// A delivery that nobody has tried yet.
pub(super) fn new(
    row: &endpoint::Model,
    seq: Option<i64>,
    kind: &str,
    body: String,
    now: Timestamp,
) -> delivery::Model {
    delivery::Model {
        id: WebhookDeliveryId::new(),
        endpoint_id: row.id,
        user_id: row.user_id,
        account_id: None,
        seq,
        kind: kind.to_owned(),
        body,
        state: DeliveryState::Pending,
        attempts: 0,
        tries: 0,
        next_at: Some(now),
        last_status: None,
        last_error: None,
        created_at: now,
        ended_at: None,
    }
}

/// The job that carries a delivery out.
pub(super) fn job(row: &delivery::Model) -> Job {
    Job::DeliverWebhook {
        delivery_id: row.id,
        endpoint_id: row.endpoint_id,
    }
}
