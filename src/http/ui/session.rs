//! Signing in and out, and who is at the console.

use std::time::Duration;

use axum::{
    Extension, Form,
    extract::{MatchedPath, Query, Request, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use clipqueue_entities::Timestamp;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::{Console, oidc, page};
use crate::{
    domain::{
        actor::{Actor, Scope},
        console_sessions::{self, Session, SignInRefused},
        roles,
    },
    http::{caller, cookies::CONSOLE},
};

/// A request of somebody who is signed in.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) console: Console,
    pub(super) session: Session,
    pub(super) now: Timestamp,
    /// Whether htmx asks, for a part of a page.
    pub(super) is_part: bool,
}

impl Visit {
    pub(super) fn actor(&self) -> &Actor {
        &self.session.actor
    }

    /// Whether buttons may be pressed.
    pub(super) fn may_act(&self) -> bool {
        self.actor().may(Scope::OpsWrite)
    }

    /// Whether what concerns many at once may be done.
    pub(super) fn may_all(&self) -> bool {
        self.actor().may(Scope::OpsAdmin)
    }
}

/// Lets in who is signed in, and sends others to the form.
pub(super) async fn require(
    State(console): State<Console>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let is_part = headers.contains_key("hx-request");
    let resumed = match CONSOLE.read(&console.app, headers) {
        Some(text) => console_sessions::resume(&console.app, text.expose_secret()).await,
        None => Ok(None),
    };
    match resumed {
        Ok(Some(session)) => {
            let now = console.app.clock.now();
            let visit = Visit {
                console,
                session,
                now,
                is_part,
            };
            // What the role does not allow is refused, and what no role is named for.
            let operation = operation(&request);
            let app = &visit.console.app;
            if let Err(error) = roles::require(app, visit.actor(), &operation).await {
                return page::refused(&visit, &error);
            }
            request.extensions_mut().insert(visit);
            next.run(request).await
        }
        Ok(None) => to_form(&console, &request, is_part),
        Err(error) => page::broken(&console, &error),
    }
}

/// What the request is called in the table of roles.
fn operation(request: &Request) -> String {
    let method = match request.method() {
        &Method::HEAD => &Method::GET,
        method => method,
    };
    let path = request.extensions().get::<MatchedPath>();
    format!("{method} {}", path.map_or("", MatchedPath::as_str))
}

/// Where to sign in, and to come back from.
fn to_form(console: &Console, request: &Request, is_part: bool) -> Response {
    let safe = request.method().is_safe();
    let wanted = request.uri().path_and_query().map_or("", |at| at.as_str());
    let address = match wanted.strip_prefix("/ops") {
        Some(rest) if safe && !is_part => with_next(&format!("{}/sign-in", console.base), rest),
        _ => format!("{}/sign-in", console.base),
    };
    let is_stream = request
        .headers()
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "text/event-stream");
    if is_part || is_stream {
        let mut answer = StatusCode::UNAUTHORIZED.into_response();
        if let Ok(address) = HeaderValue::from_str(&address) {
            answer.headers_mut().insert("hx-redirect", address);
        }
        return answer;
    }
    Redirect::to(&address).into_response()
}

/// An address that leads on to `next` in the console.
pub(super) fn with_next(address: &str, next: &str) -> String {
    if next.is_empty() {
        return address.to_owned();
    }
    let next = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
    format!("{address}?{next}")
}

/// What a sign-in page is asked with.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
    #[serde(default)]
    out: String,
    /// Why a sign-in at the provider came to nothing, as a word of ours.
    #[serde(default)]
    refused: String,
}

/// The form.
pub(super) async fn form(
    State(console): State<Console>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let next = inside(&asked.next);
    // A link on a foreign page brings no strict cookie; the next click on a page of ours does.
    let from_elsewhere = is_from_elsewhere(&headers);
    page::sign_in(
        &console,
        StatusCode::OK,
        page::SignIn {
            next: next.to_owned(),
            problem: oidc::sentence(&asked.refused).map(str::to_owned),
            signed_out: !asked.out.is_empty(),
            from_elsewhere,
        },
    )
}

/// Whether a foreign page led here.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site")
}

/// The form, filled in.
#[derive(Deserialize)]
pub(super) struct Filled {
    key: String,
    #[serde(default)]
    next: String,
}

/// Begins a session.
pub(super) async fn sign_in(
    State(console): State<Console>,
    headers: HeaderMap,
    extensions: Extensions,
    Form(filled): Form<Filled>,
) -> Response {
    let source = caller::source(&headers, &extensions, console.app.config.http.proxies);
    let next = inside(&filled.next).to_owned();
    let text = filled.key.trim();
    let refused = match console_sessions::sign_in(&console.app, text, source).await {
        Ok(Ok(session)) => {
            let mut answer = Redirect::to(&format!("{}{next}", console.base)).into_response();
            let text = session.cookie.expose_secret();
            CONSOLE.set_at(&console.app, &mut answer, &console.base, text, session.life);
            return answer;
        }
        Ok(Err(refused)) => refused,
        Err(error) => return page::broken(&console, &error),
    };
    let (status, problem) = match refused {
        SignInRefused::Key(_) => (
            StatusCode::UNAUTHORIZED,
            "This key is unknown, has expired or was revoked. Make one with `clipqueue key create --operator`.".to_owned(),
        ),
        SignInRefused::NotAnOperator => (
            StatusCode::FORBIDDEN,
            "This key works, but it is not an operator's: it lacks the scope ops:read.".to_owned(),
        ),
        SignInRefused::TooOften(wait) => return too_often(&console, next, wait),
    };
    page::sign_in(
        &console,
        status,
        page::SignIn {
            next,
            problem: Some(problem),
            ..page::SignIn::default()
        },
    )
}

/// The form, for somebody who has tried too often.
pub(super) fn too_often(console: &Console, next: String, wait: Duration) -> Response {
    let seconds = wait.as_secs() + 1;
    let text = format!("Too many tries from your address. Wait {seconds} s, then try again.");
    let form = page::SignIn {
        next,
        problem: Some(text),
        ..page::SignIn::default()
    };
    let mut answer = page::sign_in(console, StatusCode::TOO_MANY_REQUESTS, form);
    let headers = answer.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// Ends the session.
pub(super) async fn sign_out(Extension(visit): Extension<Visit>) -> Response {
    let console = &visit.console;
    if let Err(error) = console_sessions::sign_out(&console.app, &visit.session).await {
        return page::broken(console, &error);
    }
    let mut answer = Redirect::to(&format!("{}/sign-in?out=1", console.base)).into_response();
    CONSOLE.set_at(&console.app, &mut answer, &console.base, "", Duration::ZERO);
    answer
}

/// The part of an address that follows `/ops`, if it leads nowhere else.
pub(super) fn inside(next: &str) -> &str {
    let fits = next.starts_with(['/', '?'])
        && !next.starts_with("//")
        && next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fits { next } else { "" }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn after_signing_in_nobody_is_sent_elsewhere() {
        for good in ["/jobs?state=held", "?x=1", "/posts/1"] {
            assert_eq!(inside(good), good);
        }
        for bad in [
            "//evil.example",
            "@evil.example",
            ".evil.example",
            "https://x",
            "/\\x",
            "/a b",
            "/\n",
        ] {
            assert_eq!(inside(bad), "", "{bad}");
        }
    }
}
