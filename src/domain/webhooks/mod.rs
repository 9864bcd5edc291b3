//! Addresses of tenants that are told what happens, by the manners of "Standard Webhooks".
//!
//! An endpoint has a cursor into its tenant's events. [`follow`] makes deliveries of what lies behind
//! it, in the transaction that moves it, so that each event becomes exactly one delivery, whatever
//! dies. [`deliver`] says what to send and writes down what came of it; a delivery bears the same id
//! in every try. Its secret is shown once, sealed at rest, and after a rotation signs for a day beside
//! the new one.

pub mod deliver;
pub mod follow;
pub mod payload;
pub mod replay;
pub mod sign;
pub mod sweep;

use std::time::Duration;

use clipqueue_entities::{Timestamp, UserId, WebhookEndpointId, webhook_endpoint as endpoint};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{
    actor::Actor,
    error::{Code, Error, Refusal, Result},
    events,
    idempotency::{Request, Seen},
};
use crate::{app::App, job::OUTBOUND, secrets::Place};

/// Endpoints that one tenant may have.
const MAX_ENDPOINTS: u64 = 20;
/// Kinds that one endpoint may name.
const MAX_KINDS: usize = 50;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 200;
/// How long the secret before a rotation signs, too.
pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// An endpoint that is to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewEndpoint {
    /// Where events are sent.
    pub url: String,
    /// A name for people.
    pub description: Option<String>,
    /// The kinds of events; all, when empty.
    pub kinds: Vec<String>,
}

/// What is changed of an endpoint. An absent field stays.
#[derive(Clone, Debug, Default)]
pub struct EndpointChange {
    /// Where events are sent.
    pub url: Option<String>,
    /// A name for people.
    pub description: Option<String>,
    /// The kinds of events; all, when empty.
    pub kinds: Option<Vec<String>>,
    /// Whether events are sent.
    pub enabled: Option<bool>,
}

/// Makes an endpoint, which is told of everything from now on. Its secret comes once; the same request
/// again gives the endpoint without it.
pub async fn create(
    app: &App,
    actor: &Actor,
    new: NewEndpoint,
    idempotency_key: &str,
) -> Result<(endpoint::Model, Option<SecretString>)> {
    let user = actor.user_id;
    let request = Request::new(user, idempotency_key, "createWebhookEndpoint", &new)?;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return Ok((get(app, user, WebhookEndpointId(id)).await?, None));
    }
    check_url(app, &new.url)?;
    let (id, now, secret) = (WebhookEndpointId::new(), app.clock.now(), sign::draw());
    let tx = app.db.begin().await?;
    let others = endpoint::Entity::find()
        .filter(endpoint::Column::UserId.eq(user))
        .count(&tx)
        .await?;
    if others >= MAX_ENDPOINTS {
        let text = "20 endpoints are the most; delete one that you no longer need";
        return Err(Refusal::whole(Code::QuotaExceeded, text).into());
    }
    if let Seen::Before(id) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return Ok((get(app, user, WebhookEndpointId(id)).await?, None));
    }
    let row = endpoint::Model {
        id,
        user_id: user,
        url: new.url,
        description: described(new.description)?,
        kinds: kinds(new.kinds)?,
        enabled: true,
        secret: seal(app, id, 1, &secret),
        generation: 1,
        old_secret: None,
        old_until: None,
        cursor: events::newest(&tx, user).await?,
        failing_since: None,
        disabled_at: None,
        disabled_reason: None,
        created_at: now,
        updated_at: now,
    };
    endpoint::Entity::insert(row.clone().into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    tx.commit().await?;
    Ok((row, Some(secret)))
}

/// Changes an endpoint. One that is enabled again goes on where it stopped.
pub async fn update(
    app: &App,
    actor: &Actor,
    id: WebhookEndpointId,
    change: EndpointChange,
) -> Result<endpoint::Model> {
    if let Some(url) = &change.url {
        check_url(app, url)?;
    }
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let before = locked(&tx, actor.user_id, id).await?;
    let mut row = endpoint::ActiveModel {
        id: Set(id),
        updated_at: Set(now),
        ..Default::default()
    };
    if let Some(url) = change.url {
        row.url = Set(url);
    }
    if change.description.is_some() {
        row.description = Set(described(change.description)?);
    }
    if let Some(list) = change.kinds {
        row.kinds = Set(kinds(list)?);
    }
    match change.enabled {
        Some(true) if !before.enabled => {
            row.enabled = Set(true);
            row.failing_since = Set(None);
            row.disabled_at = Set(None);
            row.disabled_reason = Set(None);
        }
        Some(false) if before.enabled => {
            row.enabled = Set(false);
            row.disabled_at = Set(Some(now));
            row.disabled_reason = Set(Some("asked".to_owned()));
        }
        _ => {}
    }
    let after = row.update(&tx).await?;
    if after.enabled && !before.enabled {
        follow::wake_in_tx(&tx, now, after.user_id).await?;
        sweep::revive_in_tx(app, &tx, id).await?;
    }
    tx.commit().await?;
    app.nudge(OUTBOUND);
    Ok(after)
}

/// Gives an endpoint a new secret. The one before signs for [`OVERLAP`] beside it.
pub async fn rotate(
    app: &App,
    actor: &Actor,
    id: WebhookEndpointId,
    idempotency_key: &str,
) -> Result<(endpoint::Model, Option<SecretString>)> {
    let user = actor.user_id;
    let request = Request::new(user, idempotency_key, "rotateWebhookSecret", &id)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let before = locked(&tx, user, id).await?;
    if let Seen::Before(_) = request.record_in_tx(&tx, now, id.0).await? {
        tx.rollback().await?;
        return Ok((before, None));
    }
    let secret = sign::draw();
    let generation = before.generation + 1;
    let after = endpoint::ActiveModel {
        id: Set(id),
        secret: Set(seal(app, id, generation, &secret)),
        generation: Set(generation),
        old_secret: Set(Some(before.secret)),
        old_until: Set(Some(now + OVERLAP)),
        updated_at: Set(now),
        ..Default::default()
    }
    .update(&tx)
    .await?;
    tx.commit().await?;
    Ok((after, Some(secret)))
}

/// Takes an endpoint away, with its deliveries. What is on its way may still arrive.
pub async fn delete(app: &App, actor: &Actor, id: WebhookEndpointId) -> Result<endpoint::Model> {
    let row = get(app, actor.user_id, id).await?;
    let tx = app.db.begin().await?;
    endpoint::Entity::delete_by_id(id)
        .filter(endpoint::Column::UserId.eq(actor.user_id))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(row)
}

/// An endpoint of `user`.
pub async fn get(app: &App, user: UserId, id: WebhookEndpointId) -> Result<endpoint::Model> {
    endpoint::Entity::find_by_id(id)
        .filter(endpoint::Column::UserId.eq(user))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// The endpoints of `user`, oldest first.
pub async fn list(app: &App, user: UserId) -> Result<Vec<endpoint::Model>> {
    Ok(endpoint::Entity::find()
        .filter(endpoint::Column::UserId.eq(user))
        .order_by_asc(endpoint::Column::Id)
        .all(app.db.read())
        .await?)
}

/// The endpoint, with nobody else changing it until the transaction ends.
async fn locked(
    tx: &impl ConnectionTrait,
    user: UserId,
    id: WebhookEndpointId,
) -> Result<endpoint::Model> {
    endpoint::Entity::find_by_id(id)
        .filter(endpoint::Column::UserId.eq(user))
        .lock_exclusive()
        .one(tx)
        .await?
        .ok_or(Error::NotFound)
}

/// The secrets that sign now, the newest first.
fn secrets(app: &App, row: &endpoint::Model, now: Timestamp) -> Result<Vec<SecretString>> {
    let name = row.id.to_string();
    let open = |sealed, generation| {
        let text = app
            .vault
            .application()
            .open_text(place(&name, generation), sealed);
        text.map_err(anyhow::Error::from)
    };
    let mut secrets = vec![open(&row.secret, row.generation)?];
    if let (Some(old), Some(until)) = (&row.old_secret, row.old_until)
        && now < until
    {
        secrets.push(open(old, row.generation - 1)?);
    }
    Ok(secrets)
}

fn seal(
    app: &App,
    id: WebhookEndpointId,
    generation: i64,
    secret: &SecretString,
) -> clipqueue_entities::Sealed {
    let name = id.to_string();
    let text = secret.expose_secret().as_bytes();
    app.vault.application().seal(place(&name, generation), text)
}

fn place(row: &str, version: i64) -> Place<'_> {
    Place {
        table: "webhook_endpoints",
        column: "secret",
        row,
        version,
    }
}

fn check_url(app: &App, url: &str) -> Result<()> {
    match app.fetch.policy().read(url) {
        Ok(_) => Ok(()),
        Err(problem) => Err(Refusal::new("url", Code::Invalid, problem.to_string()).into()),
    }
}

fn described(text: Option<String>) -> Result<Option<String>> {
    let text = text.filter(|text| !text.trim().is_empty());
    if text
        .as_ref()
        .is_some_and(|text| text.chars().count() > MAX_DESCRIPTION)
    {
        let problem = "must have at most 200 characters";
        return Err(Refusal::new("description", Code::TooLong, problem).into());
    }
    Ok(text)
}

fn kinds(mut list: Vec<String>) -> Result<String> {
    list.sort_unstable();
    list.dedup();
    if list.len() > MAX_KINDS || !list.iter().all(|word| payload::is_kind(word)) {
        let problem = "must be at most 50 kinds of events such as `post.state` or `post.*`";
        return Err(Refusal::new("kinds", Code::Invalid, problem).into());
    }
    Ok(list.join(" "))
}
