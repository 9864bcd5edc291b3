//! `/_sim/...`: the handle's actions over HTTP, as JSON, for tests and scripts in other processes.
//!
//! Accounts, clock, faults, consent and configuration here; what happened, and what creators do, in `records`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Path, State as AxumState};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::records;
use crate::account::{AccountPatch, Script};
use crate::error::SimError;
use crate::fault::Fault;
use crate::sim::{Consent, Sim};
use crate::state::Core;

/// What the endpoints work on.
pub(crate) type On = AxumState<Arc<Core>>;

/// A control answer: JSON, or a refusal with a sentence.
pub(crate) type Answered = Result<Json<Value>, ControlError>;

/// A refused control call.
#[derive(Debug)]
pub(crate) struct ControlError(StatusCode, String);

impl From<SimError> for ControlError {
    fn from(error: SimError) -> Self {
        let status = match error {
            SimError::NoSuchAccount | SimError::NoSuchPublish | SimError::NoSuchVideo => {
                StatusCode::NOT_FOUND
            }
            SimError::NotADraftInTheInbox => StatusCode::CONFLICT,
            SimError::BadAuthorizeUrl { .. } => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// A handle on the simulator that serves this request.
pub(crate) fn handle(core: Arc<Core>) -> Sim {
    Sim::of(core)
}

/// An empty success.
pub(crate) fn done() -> Answered {
    Ok(Json(json!({})))
}

/// The control endpoints.
pub(crate) fn router() -> Router<Arc<Core>> {
    Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/accounts", get(accounts).post(create_account))
        .route("/accounts/{username}", patch(change_account))
        .route("/accounts/{username}/revoke", post(revoke))
        .route("/accounts/{username}/script", post(script))
        .route("/clock", get(clock))
        .route("/clock/advance", post(advance))
        .route("/clock/set", post(set_clock))
        .route("/clock/rate", post(set_rate))
        .route("/faults", get(faults).post(install).delete(clear_all))
        .route("/faults/{id}", delete(clear))
        .route("/consent", post(consent))
        .route("/config", get(config).patch(change_config))
        .merge(records::router())
}

async fn accounts(AxumState(core): On) -> Answered {
    Ok(Json(json!(handle(core).accounts())))
}

#[derive(Deserialize)]
struct NewAccount {
    username: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

async fn create_account(AxumState(core): On, Json(new): Json<NewAccount>) -> Answered {
    // Flattening would switch the check for unknown fields off, so the rest is read on its own.
    let patch: AccountPatch = serde_json::from_value(Value::Object(new.rest))
        .map_err(|error| ControlError(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(Json(json!(handle(core).account(&new.username, patch))))
}

async fn change_account(
    AxumState(core): On,
    Path(username): Path<String>,
    Json(patch): Json<AccountPatch>,
) -> Answered {
    let sim = handle(core);
    let known = sim.accounts().iter().any(|have| have.username == username);
    if !known {
        return Err(SimError::NoSuchAccount.into());
    }
    Ok(Json(json!(sim.account(&username, patch))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    /// 1: the user disconnected the app.
    #[serde(default = "by_user")]
    reason: u8,
}

fn by_user() -> u8 {
    1
}

async fn revoke(
    AxumState(core): On,
    Path(username): Path<String>,
    Json(revoke): Json<Revoke>,
) -> Answered {
    handle(core).disconnect(&username, revoke.reason)?;
    done()
}

async fn script(
    AxumState(core): On,
    Path(username): Path<String>,
    Json(script): Json<Script>,
) -> Answered {
    handle(core).script(&username, script)?;
    done()
}

async fn clock(AxumState(core): On) -> Answered {
    Ok(Json(json!({ "now_ms": core.clock.now_ms() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    ms: u64,
}

async fn advance(AxumState(core): On, Json(by): Json<Advance>) -> Answered {
    core.clock.advance(Duration::from_millis(by.ms));
    clock(AxumState(core)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now_ms: i64,
}

async fn set_clock(AxumState(core): On, Json(to): Json<SetClock>) -> Answered {
    core.clock.set_ms(to.now_ms);
    clock(AxumState(core)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetRate {
    rate: f64,
}

async fn set_rate(AxumState(core): On, Json(to): Json<SetRate>) -> Answered {
    if !(to.rate.is_finite() && to.rate > 0.0) {
        let text = "a rate is a number above zero".to_owned();
        return Err(ControlError(StatusCode::BAD_REQUEST, text));
    }
    core.clock.set_rate(to.rate);
    clock(AxumState(core)).await
}

async fn faults(AxumState(core): On) -> Answered {
    Ok(Json(json!(handle(core).faults())))
}

/// The keys of a fault. Its kind is flattened into it, so serde cannot refuse the others.
const FAULT_KEYS: [&str; 10] = [
    "name",
    "endpoint",
    "account",
    "after",
    "times",
    "kind",
    "status",
    "ms",
    "after_bytes",
    "code",
];

async fn install(AxumState(core): On, Json(fault): Json<Value>) -> Answered {
    let refused = |why: String| ControlError(StatusCode::BAD_REQUEST, why);
    let mut keys = fault.as_object().into_iter().flat_map(|map| map.keys());
    if let Some(unknown) = keys.find(|key| !FAULT_KEYS.contains(&key.as_str())) {
        return Err(refused(format!("a fault has no {unknown}")));
    }
    let fault: Fault = serde_json::from_value(fault).map_err(|error| refused(error.to_string()))?;
    Ok(Json(json!({ "id": handle(core).fault(fault) })))
}

async fn clear_all(AxumState(core): On) -> Answered {
    Ok(Json(json!({ "cleared": handle(core).clear_faults(None) })))
}

async fn clear(AxumState(core): On, Path(id): Path<u64>) -> Answered {
    Ok(Json(
        json!({ "cleared": handle(core).clear_faults(Some(id)) }),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentBody {
    authorize_url: String,
    account: String,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    deny: bool,
}

async fn consent(AxumState(core): On, Json(body): Json<ConsentBody>) -> Answered {
    let consent = match (body.deny, body.scopes) {
        (true, _) => Consent::Deny,
        (false, Some(scopes)) => Consent::Scopes(scopes),
        (false, None) => Consent::All,
    };
    let url = handle(core).consent(&body.authorize_url, &body.account, &consent)?;
    Ok(Json(json!({ "callback_url": url })))
}

async fn config(AxumState(core): On) -> Answered {
    Ok(Json(json!(handle(core).config())))
}

async fn change_config(AxumState(core): On, Json(change): Json<Value>) -> Answered {
    let sim = handle(core);
    let mut whole = json!(sim.config());
    merge(&mut whole, change);
    let config = serde_json::from_value(whole)
        .map_err(|error| ControlError(StatusCode::BAD_REQUEST, error.to_string()))?;
    sim.configure(|current| *current = config);
    Ok(Json(json!(sim.config())))
}

/// Objects merge key by key; everything else replaces.
fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}
