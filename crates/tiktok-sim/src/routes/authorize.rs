//! The consent page, and the decision taken on it.
//!
//! Invalid parameters give a page that names them and never a redirect. A decision redirects with a code and
//! the granted scopes, or with `access_denied`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Form, RawQuery, State as AxumState};
use axum::response::{Html, IntoResponse, Redirect, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::json;
use url::Url;

use super::page;
use crate::call::Call;
use crate::clock::SECOND;
use crate::endpoint::{AUTHORIZE_PATH, Endpoint};
use crate::error::SimError;
use crate::ledger::Rule;
use crate::pull::is_loopback;
use crate::sim::Consent;
use crate::state::{Core, State};
use crate::tokens::Code;

const PARAMETERS: [&str; 8] = [
    "client_key",
    "response_type",
    "scope",
    "redirect_uri",
    "state",
    "disable_auto_auth",
    "code_challenge",
    "code_challenge_method",
];
const SCOPES: [&str; 6] = [
    "user.info.basic",
    "user.info.profile",
    "user.info.stats",
    "video.list",
    "video.upload",
    "video.publish",
];
/// The scope the user cannot switch off.
const FIXED_SCOPE: &str = "user.info.basic";
/// Redirect URIs are shorter than this.
const MAX_REDIRECT: usize = 512;

/// A consent request whose parameters are valid.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) scopes: Vec<String>,
    pub(crate) pairs: Vec<(String, String)>,
    redirect_uri: String,
    state: String,
    challenge: Option<String>,
}

/// The parameter that is wrong, and how.
type Wrong = (&'static str, String);

pub(crate) fn check(state: &State, query: &str) -> Result<Asked, Wrong> {
    let pairs = Call::pairs(query.as_bytes());
    let mut given = BTreeMap::new();
    for (name, value) in &pairs {
        let Some(known) = PARAMETERS.iter().find(|known| *known == name) else {
            return Err(("query", format!("{name} is not a parameter")));
        };
        if given.insert(*known, value.as_str()).is_some() {
            return Err((known, "given twice".into()));
        }
    }
    let need = |name: &'static str| match given.get(name) {
        Some(value) if !value.is_empty() => Ok(*value),
        _ => Err((name, "missing".to_owned())),
    };
    if need("client_key")? != state.config.client_key {
        return Err(("client_key", "unknown app".into()));
    }
    if need("response_type")? != "code" {
        return Err(("response_type", "must be code".into()));
    }
    let scopes: Vec<String> = need("scope")?.split(',').map(str::to_owned).collect();
    if let Some(unknown) = scopes
        .iter()
        .find(|scope| !SCOPES.contains(&scope.as_str()))
    {
        return Err((
            "scope",
            format!("{unknown} is not a scope; separate by commas"),
        ));
    }
    let redirect_uri = need("redirect_uri")?;
    check_redirect(&state.config.redirect_uris, redirect_uri)?;
    let csrf = need("state")?;
    if given
        .get("disable_auto_auth")
        .is_some_and(|value| !["0", "1"].contains(value))
    {
        return Err(("disable_auto_auth", "must be 0 or 1".into()));
    }
    let challenge = given.get("code_challenge").copied();
    let desktop = redirect_uri.starts_with("http://");
    check_challenge(
        challenge,
        given.get("code_challenge_method").copied(),
        desktop,
    )?;
    Ok(Asked {
        scopes,
        redirect_uri: redirect_uri.to_owned(),
        state: csrf.to_owned(),
        challenge: challenge.map(str::to_owned),
        pairs: pairs.clone(),
    })
}

fn check_redirect(registered: &[String], uri: &str) -> Result<(), Wrong> {
    let wrong = |why: &str| Err(("redirect_uri", why.to_owned()));
    let Ok(url) = Url::parse(uri) else {
        return wrong("not an absolute URI");
    };
    if uri.len() >= MAX_REDIRECT || url.query().is_some() || url.fragment().is_some() {
        return wrong("too long, or with a query or fragment");
    }
    let local = is_loopback(url.host_str().unwrap_or_default());
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return wrong("http is for loopback only");
    }
    let matches = |pattern: &String| match pattern.split_once(":*") {
        None => pattern == uri,
        Some((head, tail)) => {
            let port = uri
                .strip_prefix(head)
                .and_then(|rest| rest.strip_prefix(':'))
                .and_then(|rest| rest.strip_suffix(tail));
            local && port.is_some_and(|port| port.parse::<u16>().is_ok())
        }
    };
    if registered.iter().any(matches) {
        Ok(())
    } else {
        wrong("not registered")
    }
}

/// Loopback apps must send a challenge, web apps may; lower-case hex, not base64url.
fn check_challenge(
    challenge: Option<&str>,
    method: Option<&str>,
    desktop: bool,
) -> Result<(), Wrong> {
    let Some(challenge) = challenge else {
        if desktop {
            return Err(("code_challenge", "missing".into()));
        }
        return Ok(());
    };
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if challenge.len() != 64 || !challenge.bytes().all(hex) {
        return Err(("code_challenge", "must be lower-case hex of SHA-256".into()));
    }
    if method != Some("S256") {
        return Err(("code_challenge_method", "must be S256".into()));
    }
    Ok(())
}

/// Decides on a valid request; gives the URL the browser is sent to.
pub(crate) fn settle(
    state: &mut State,
    asked: &Asked,
    username: &str,
    consent: &Consent,
    now: i64,
) -> Result<String, SimError> {
    let account = state
        .accounts
        .get(username)
        .ok_or(SimError::NoSuchAccount)?;
    let back = &asked.redirect_uri;
    let csrf = encode(&asked.state);
    let chosen = |scope: &&String| match consent {
        Consent::All => true,
        Consent::Scopes(scopes) => *scope == FIXED_SCOPE || scopes.contains(scope),
        Consent::Deny => false,
    };
    let scopes: Vec<String> = asked.scopes.iter().filter(chosen).cloned().collect();
    if scopes.is_empty() {
        let why = encode("User denied access");
        return Ok(format!(
            "{back}?error=access_denied&error_description={why}&state={csrf}"
        ));
    }
    let granted = encode(&scopes.join(","));
    let code = state.tokens.issue_code(Code {
        account: account.username.clone(),
        scopes,
        redirect_uri: back.clone(),
        challenge: asked.challenge.clone(),
        expires_ms: now + state.config.tokens.code_seconds * SECOND,
        used: false,
    });
    let code = encode(&code);
    Ok(format!("{back}?code={code}&scopes={granted}&state={csrf}"))
}

/// Percent-encodes all but the unreserved characters, `*` and `!` included.
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Checks a request and writes it down.
pub(crate) fn visit(state: &mut State, query: &str, now: i64) -> Result<Asked, Wrong> {
    let checked = check(state, query);
    let uri = Uri::from_static(AUTHORIZE_PATH);
    let headers = HeaderMap::new();
    let mut call = Call::new(
        now,
        Endpoint::Authorize,
        &Method::GET,
        &uri,
        headers,
        Bytes::new(),
    );
    call.entry.answered = true;
    match &checked {
        Ok(asked) => {
            call.entry.summary =
                json!({"scopes": asked.scopes, "redirect_uri": asked.redirect_uri});
            call.entry.status = 200;
            call.entry.code = "ok".into();
        }
        Err((parameter, why)) => {
            call.broke(Rule::BadAuthorizeRequest, format!("{parameter}: {why}"));
            call.entry.status = 400;
            call.entry.code = "authorize_error_page".into();
        }
    }
    state.ledger.push(call.entry);
    checked
}

/// GET: the page with accounts and scopes to choose from.
pub(crate) async fn show(
    AxumState(core): AxumState<Arc<Core>>,
    RawQuery(query): RawQuery,
) -> Response {
    core.look(
        |state, now| match visit(state, &query.unwrap_or_default(), now) {
            Ok(asked) => Html(page::consent(&asked, state)).into_response(),
            Err((parameter, why)) => {
                (StatusCode::BAD_REQUEST, Html(page::wrong(parameter, &why))).into_response()
            }
        },
    )
}

/// POST from the page: carries the query along, and the decision.
pub(crate) async fn decide(
    AxumState(core): AxumState<Arc<Core>>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let value = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let consent = if value("decision") == "allow" {
        let granted = fields.iter().filter(|(key, _)| key == "grant");
        Consent::Scopes(granted.map(|(_, scope)| scope.clone()).collect())
    } else {
        Consent::Deny
    };
    let decided = core.with(|state, now| {
        let asked = check(state, value("query"))
            .map_err(|(parameter, why)| page::wrong(parameter, &why))?;
        settle(state, &asked, value("account"), &consent, now)
            .map_err(|error| page::wrong("account", &error.to_string()))
    });
    match decided {
        Ok(url) => Redirect::to(&url).into_response(),
        Err(page) => (StatusCode::BAD_REQUEST, Html(page)).into_response(),
    }
}
