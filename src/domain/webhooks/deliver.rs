//! One try to deliver: what to send, and what becomes of the delivery and its endpoint by the answer.
//! It sends nothing itself.
//!
//! A delivery is tried for three days, at growing distances, and is then given up. An endpoint that
//! let nothing through for three days, or says that it is gone, is disabled; its owner finds the event
//! `webhook.disabled` and the reason.

use std::time::Duration;

use clipqueue_entities::{
    Timestamp, WebhookDeliveryId, webhook_attempt as attempt,
    webhook_delivery::{self as delivery, DeliveryState},
    webhook_endpoint as endpoint,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QuerySelect as _,
};
use serde_json::json;
use url::Url;

use super::{secrets, sign};
use crate::{
    app::App,
    domain::{
        error::Result,
        events::{self, NewEvent},
        public_id::{self, WEBHOOK_ENDPOINT},
    },
    fetch::FetchError,
};

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// The waits after each failed try: a little more than three days together.
const WAITS: [Duration; 11] = [
    Duration::from_secs(5),
    minutes(1),
    minutes(5),
    minutes(30),
    minutes(2 * 60),
    minutes(5 * 60),
    minutes(10 * 60),
    minutes(10 * 60),
    minutes(14 * 60),
    minutes(14 * 60),
    minutes(17 * 60),
];
/// An endpoint that let nothing through for this long is disabled.
pub const DISABLE_AFTER: Duration = Duration::from_secs(3 * 86_400);
/// The status by which a server says that an address will not come back.
const GONE: u16 = 410;

/// What there is to do for a delivery.
#[derive(Debug)]
pub enum Prepared {
    /// Nothing: it is over, or its endpoint is.
    Over,
    /// Nothing yet.
    Wait(Duration),
    /// Send this.
    Send(Box<Message>),
}

/// A request that is to be sent.
#[derive(Debug)]
pub struct Message {
    /// Whereto.
    pub url: Url,
    /// The headers, signatures included.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    delivery: delivery::Model,
    endpoint: endpoint::Model,
}

/// What comes after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Over,
    /// Another try, after this time.
    Again(Duration),
}

/// What is to be sent now. Signed anew for each try, since a receiver refuses what is old.
pub async fn prepare(app: &App, id: WebhookDeliveryId) -> Result<Prepared> {
    let found = delivery::Entity::find_by_id(id).one(app.db.read()).await?;
    let Some(delivery) = found.filter(|row| row.state == DeliveryState::Pending) else {
        return Ok(Prepared::Over);
    };
    let endpoint = endpoint::Entity::find_by_id(delivery.endpoint_id)
        .one(app.db.read())
        .await?;
    // Enabling it again makes jobs of what is pending.
    let Some(endpoint) = endpoint.filter(|row| row.enabled) else {
        return Ok(Prepared::Over);
    };
    let now = app.clock.now();
    if let Some(at) = delivery.next_at.filter(|at| *at > now) {
        return Ok(Prepared::Wait(at.since(now)));
    }
    let url = match Url::parse(&endpoint.url) {
        Ok(url) => url,
        Err(error) => return Err(anyhow::Error::from(error).into()),
    };
    let name = id.to_string();
    let mut signatures = Vec::new();
    for secret in secrets(app, &endpoint, now)? {
        signatures.extend(sign::sign(&secret, &name, now, &delivery.body));
    }
    Ok(Prepared::Send(Box::new(Message {
        url,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            (sign::ID_HEADER, name),
            (sign::TIMESTAMP_HEADER, sign::seconds(now).to_string()),
            (sign::SIGNATURE_HEADER, signatures.join(" ")),
        ],
        body: delivery.body.clone(),
        delivery,
        endpoint,
    })))
}

/// Writes down what came of a try that took `took`.
pub async fn record(
    app: &App,
    message: Message,
    answer: Result<u16, FetchError>,
    took: Duration,
) -> Result<Next> {
    let (before, endpoint, now) = (message.delivery, message.endpoint, app.clock.now());
    let (status, error) = match answer {
        Ok(status @ 200..=299) => (Some(status), None),
        Ok(status) => (Some(status), Some("status")),
        Err(error) => (None, Some(error.code())),
    };
    let wait = usize::try_from(before.attempts)
        .ok()
        .and_then(|n| WAITS.get(n));
    let (state, next_at) = match (error, wait) {
        (None, _) => (DeliveryState::Delivered, None),
        (Some(_), Some(wait)) => (DeliveryState::Pending, Some(now + *wait)),
        (Some(_), None) => (DeliveryState::Failed, None),
    };
    let tx = app.db.begin().await?;
    // The endpoint first, as everybody who changes both: nobody waits for somebody who waits for them.
    let locked = endpoint::Entity::find_by_id(endpoint.id)
        .lock_exclusive()
        .one(&tx)
        .await?;
    if locked.is_none() {
        return Ok(Next::Over);
    }
    let changed = delivery::Entity::update_many()
        .set(delivery::ActiveModel {
            state: Set(state),
            attempts: Set(before.attempts + 1),
            tries: Set(before.tries + 1),
            next_at: Set(next_at),
            last_status: Set(status.map(i32::from)),
            last_error: Set(error.map(str::to_owned)),
            ended_at: Set((state != DeliveryState::Pending).then_some(now)),
            ..Default::default()
        })
        .filter(delivery::Column::Id.eq(before.id))
        .filter(delivery::Column::State.eq(DeliveryState::Pending))
        .filter(delivery::Column::Tries.eq(before.tries))
        .exec(&tx)
        .await?;
    if changed.rows_affected != 1 {
        // Somebody else tried at the same time, or it was taken away.
        tx.rollback().await?;
        return Ok(Next::Again(WAITS[0]));
    }
    attempt::Entity::insert(attempt::ActiveModel {
        delivery_id: Set(before.id),
        number: Set(before.tries + 1),
        status: Set(status.map(i32::from)),
        error: Set(error.map(str::to_owned)),
        took_ms: Set(i64::try_from(took.as_millis()).unwrap_or(i64::MAX)),
        created_at: Set(now),
    })
    .exec_without_returning(&tx)
    .await?;
    let disabled = match error {
        None => {
            recovered(&tx, &endpoint).await?;
            false
        }
        Some(_) => failed(&tx, &endpoint, status, now).await?,
    };
    tx.commit().await?;
    let outcome = match (error, disabled) {
        (None, _) => "delivered",
        (_, true) => "disabled",
        _ => "failed",
    };
    metrics::counter!("clipqueue_webhook_deliveries_total", "outcome" => outcome).increment(1);
    if disabled {
        tracing::warn!(endpoint.id = %endpoint.id, "an endpoint of webhooks was disabled");
        app.announce(endpoint.user_id).await;
        return Ok(Next::Over);
    }
    Ok(match next_at {
        Some(at) => Next::Again(at.since(now)),
        None => Next::Over,
    })
}

/// Something got through.
async fn recovered(tx: &impl ConnectionTrait, row: &endpoint::Model) -> Result<()> {
    endpoint::Entity::update_many()
        .set(endpoint::ActiveModel {
            failing_since: Set(None),
            ..Default::default()
        })
        .filter(endpoint::Column::Id.eq(row.id))
        .filter(endpoint::Column::FailingSince.is_not_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Nothing got through; whether the endpoint was disabled for that.
async fn failed(
    tx: &impl ConnectionTrait,
    row: &endpoint::Model,
    status: Option<u16>,
    now: Timestamp,
) -> Result<bool> {
    endpoint::Entity::update_many()
        .set(endpoint::ActiveModel {
            failing_since: Set(Some(now)),
            ..Default::default()
        })
        .filter(endpoint::Column::Id.eq(row.id))
        .filter(endpoint::Column::FailingSince.is_null())
        .exec(tx)
        .await?;
    let since = endpoint::Entity::find_by_id(row.id)
        .one(tx)
        .await?
        .and_then(|row| row.failing_since);
    let reason = match status {
        Some(GONE) => "gone",
        _ if since.is_some_and(|since| now.since(since) >= DISABLE_AFTER) => "failing",
        _ => return Ok(false),
    };
    let disabled = endpoint::Entity::update_many()
        .set(endpoint::ActiveModel {
            enabled: Set(false),
            disabled_at: Set(Some(now)),
            disabled_reason: Set(Some(reason.to_owned())),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(endpoint::Column::Id.eq(row.id))
        .filter(endpoint::Column::Enabled.eq(true))
        .exec(tx)
        .await?;
    if disabled.rows_affected != 1 {
        return Ok(false);
    }
    let endpoint = public_id::render(WEBHOOK_ENDPOINT, row.id);
    events::append_in_tx(
        tx,
        now,
        NewEvent {
            user_id: row.user_id,
            account_id: None,
            post_id: None,
            kind: "webhook.disabled",
            data: json!({ "endpoint": endpoint, "reason": reason }),
            evidence_id: None,
        },
    )
    .await?;
    Ok(true)
}
