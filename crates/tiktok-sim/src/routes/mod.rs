//! The way of every call: name its endpoint, meet its fault, be answered, be written down.
//!
//! Uploads stream their body and go their own way (`upload`); so do the consent page and the
//! control endpoints. Everything else is a function from state and call to an answer.

pub(crate) mod authorize;
mod cancel;
pub(crate) mod control;
mod creator_info;
mod init_photo;
mod init_video;
mod oauth;
mod open;
mod page;
mod records;
mod status;
mod upload;
mod upload_check;
mod user_info;
mod video_list;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State as AxumState};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::call::Call;
use crate::endpoint::{AUTHORIZE_PATH, Endpoint, UPLOAD_PATH};
use crate::envelope::{Answer, Refusal};
use crate::fault::{FaultKind, Hit};
use crate::ledger::Rule;
use crate::pull;
use crate::server::KillSwitch;
use crate::state::{Core, State};

/// The largest JSON or form body; the real limit is unknown, and no documented body comes near.
const MAX_BODY: usize = 1 << 20;

/// What a handler gives: the `data` of a success (null for none), or why not.
pub(crate) type Reply = Result<Value, Refusal>;

/// All routes of the simulator.
pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route(AUTHORIZE_PATH, get(authorize::show).post(authorize::decide))
        // Whatever a browser shows, it asks for this by itself: it is no call of the client's.
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .nest("/_sim", control::router())
        .fallback(dispatch)
        .with_state(core)
}

async fn dispatch(
    AxumState(core): AxumState<Arc<Core>>,
    ConnectInfo(kill): ConnectInfo<KillSwitch>,
    request: Request,
) -> Response {
    if request.uri().path() == UPLOAD_PATH && request.method() == Method::PUT {
        return upload::put(core, kill, request).await;
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        let answer = Answer::plain(413, "body_too_large", "", "text/plain", "");
        return answer.into_response();
    };
    let (endpoint, fits) = match Endpoint::at(path, &body) {
        Some((endpoint, method)) => (endpoint, method == parts.method),
        None => (Endpoint::Unknown, false),
    };
    let now = core.clock.now_ms();
    let mut call = Call::new(
        now,
        endpoint,
        &parts.method,
        &parts.uri,
        parts.headers,
        body,
    );
    if !fits {
        return misrouted(&core, call);
    }
    let hit = core.look(|state, _| {
        let account = caller(state, &call);
        state.faults.take(endpoint, account.as_deref())
    });
    call.entry.fault = hit.as_ref().map(|hit| hit.name.clone());
    if let Some(Hit {
        kind: FaultKind::Stall { ms },
        ..
    }) = &hit
    {
        tokio::time::sleep(Duration::from_millis(*ms)).await;
    }
    carry_out(core, kill, call, hit).await
}

/// The creator whose token the call carries, in header or form.
fn caller(state: &State, call: &Call) -> Option<String> {
    let token = match call.endpoint {
        Endpoint::OauthRefresh => form_value(&call.body, "refresh_token"),
        Endpoint::OauthRevoke => form_value(&call.body, "token"),
        _ => call.bearer().map(str::to_owned),
    };
    state.tokens.account_of(&token?).map(str::to_owned)
}

fn form_value(body: &Bytes, name: &str) -> Option<String> {
    let pairs = Call::pairs(body);
    let found = pairs.into_iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value)
}

async fn carry_out(
    core: Arc<Core>,
    kill: KillSwitch,
    mut call: Call,
    hit: Option<Hit>,
) -> Response {
    let kind = hit.map(|hit| hit.kind);
    let (mut answer, seq) = core.with(|state, now| {
        call.now = now;
        if call.entry.account.is_none() {
            call.entry.account = caller(state, &call);
        }
        let early = kind
            .as_ref()
            .and_then(|kind| refuse_early(state, &call, kind));
        let mut answer = early.unwrap_or_else(|| run(state, &mut call));
        if let Some(kind) = kind.as_ref().filter(|kind| kind.hides_effect()) {
            hide(state, &call, kind, &mut answer);
        }
        call.entry.status = answer.status;
        call.entry.code.clone_from(&answer.code);
        let seq = state.ledger.push(call.entry);
        (answer, seq)
    });
    pull::start_all(&core);
    match kind {
        Some(
            FaultKind::LostBeforeEffect | FaultKind::LostAfterEffect | FaultKind::CutChunk { .. },
        ) => {
            kill.cut();
            return answer.into_response();
        }
        Some(FaultKind::StallAfterEffect { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Some(FaultKind::TruncatedJson) => {
            let half = answer.body.len() / 2;
            let end = answer.body.floor_char_boundary(half);
            answer.body.truncate(end);
        }
        _ => {}
    }
    core.look(|state, _| state.ledger.mark_answered(seq));
    answer.into_response()
}

/// The answer of a fault that keeps the call from having an effect.
pub(crate) fn refuse_early(state: &mut State, call: &Call, kind: &FaultKind) -> Option<Answer> {
    let refusal = match kind {
        FaultKind::LostBeforeEffect | FaultKind::CutChunk { .. } => {
            return Some(Answer::plain(
                0,
                "connection_lost",
                "",
                "text/plain",
                &call.log_id,
            ));
        }
        FaultKind::Status { status } => return Some(gateway(*status, &call.log_id)),
        FaultKind::RateLimit => Refusal::rate_limit(),
        FaultKind::ApiCode { code, status } => Refusal::new(*status, code, "injected"),
        FaultKind::DeadToken if call.endpoint.is_oauth() => {
            if let Some(account) = caller(state, call) {
                state.tokens.revoke(&account);
            }
            Refusal::oauth("invalid_grant", "The token is invalid or expired.")
        }
        FaultKind::DeadToken => {
            if let Some(token) = call.bearer().map(str::to_owned) {
                state.tokens.kill_access(&token);
                state.tokens.note_refused(&token, call.now);
            }
            Refusal::token()
        }
        FaultKind::LostAfterEffect
        | FaultKind::StatusAfterEffect { .. }
        | FaultKind::Stall { .. }
        | FaultKind::StallAfterEffect { .. }
        | FaultKind::TruncatedJson => return None,
    };
    let quirks = &state.config.quirks;
    Some(Answer::refused(
        &refusal,
        call.endpoint,
        quirks,
        &call.log_id,
    ))
}

/// After the effect: the answer is replaced by a gateway's, and a refresh that may not have arrived is
/// excused, since the client can only try the old token once more.
fn hide(state: &mut State, call: &Call, kind: &FaultKind, answer: &mut Answer) {
    if call.endpoint == Endpoint::OauthRefresh
        && let Some(token) = form_value(&call.body, "refresh_token")
    {
        state.tokens.excuse_refresh(&token);
    }
    if let FaultKind::StatusAfterEffect { status } = kind {
        *answer = gateway(*status, &call.log_id);
    }
}

/// What a gateway in front of the API says: a page, no JSON.
pub(crate) fn gateway(status: u16, log_id: &str) -> Answer {
    let body = format!("<html><body><h1>{status}</h1></body></html>");
    Answer::plain(status, "gateway_error", &body, "text/html", log_id)
}

fn run(state: &mut State, call: &mut Call) -> Answer {
    let reply = match call.endpoint {
        Endpoint::OauthExchange => oauth::exchange(state, call),
        Endpoint::OauthRefresh => oauth::refresh(state, call),
        Endpoint::OauthClient => oauth::client(state, call),
        Endpoint::OauthRevoke => oauth::revoke(state, call),
        Endpoint::UserInfo => user_info::get(state, call),
        Endpoint::CreatorInfo => creator_info::query(state, call),
        Endpoint::VideoInit => init_video::direct(state, call),
        Endpoint::InboxInit => init_video::inbox(state, call),
        Endpoint::PhotoInit => init_photo::init(state, call),
        Endpoint::Status => status::fetch(state, call),
        Endpoint::Cancel => cancel::cancel(state, call),
        Endpoint::VideoList => video_list::list(state, call),
        Endpoint::VideoQuery => video_list::query(state, call),
        Endpoint::Authorize | Endpoint::Upload | Endpoint::Unknown => {
            Err(Refusal::new(404, "not_found", "no such endpoint"))
        }
    };
    match reply {
        Ok(body) if call.endpoint.is_oauth() => Answer::flat(&body, &call.log_id),
        Ok(data) => Answer::ok(&data, &call.log_id),
        Err(refusal) => {
            Answer::refused(&refusal, call.endpoint, &state.config.quirks, &call.log_id)
        }
    }
}

/// A path or method that does not exist.
fn misrouted(core: &Core, mut call: Call) -> Response {
    let path = call.entry.path.clone();
    let slashed = format!("{path}/");
    let (status, rule) = if call.endpoint != Endpoint::Unknown {
        (405, Rule::WrongMethod)
    } else if Endpoint::at(&slashed, &call.body).is_some() {
        (404, Rule::MissingTrailingSlash)
    } else {
        (404, Rule::UnknownEndpoint)
    };
    call.broke(rule, format!("{} {path}", call.entry.method));
    let answer = Answer::plain(status, "not_found", "not found", "text/plain", &call.log_id);
    call.entry.status = status;
    call.entry.code.clone_from(&answer.code);
    call.entry.answered = true;
    core.look(|state, _| state.ledger.push(call.entry));
    answer.into_response()
}
