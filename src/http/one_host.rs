//! Pages that begin something with a cookie, under the one host name that gets it back.
//!
//! TikTok leads browsers back to `http.public_url`. A cookie that was set for another name of the same
//! server, such as `localhost`, is not shown there, and what was begun could not be ended. So whoever
//! opens such a page by another name is sent to the same page below `http.public_url`, once: a proxy that
//! writes a name of its own into `Host` makes no loop. Cookies know no ports, so ports do not count.

use axum::{
    extract::{Request, State},
    http::{Method, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};

use super::{lone, privacy, sign_in};
use crate::app::App;

/// Says in the query that a browser was sent here.
const SENT: &str = "sent";
/// Where operators sign in.
const CONSOLE: &str = "/ops/sign-in";

/// Sends a browser to the public name, if it opens a page that needs it by another.
pub(super) async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    match elsewhere(&app, &request) {
        Some(address) => {
            let mut answer = Redirect::temporary(&address).into_response();
            let kept = header::HeaderValue::from_static("no-store");
            answer.headers_mut().insert(header::CACHE_CONTROL, kept);
            answer
        }
        None => next.run(request).await,
    }
}

/// The address of the same page below `http.public_url`, if the request came by another name.
fn elsewhere(app: &App, request: &Request) -> Option<String> {
    let path = request.uri().path();
    let begins = [sign_in::PATH, privacy::PATH, CONSOLE].contains(&path)
        || path
            .strip_prefix(privacy::REQUEST_PATH)
            .is_some_and(|code| code.starts_with('/'));
    // Programs keep no cookies.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !begins || !reads || lone::wants_json(request.headers()) {
        return None;
    }
    let named = request.headers().get(header::HOST)?.to_str().ok()?;
    let named: Authority = named.parse().ok()?;
    let mut address = app.config.http.public_url.clone();
    if named.host().eq_ignore_ascii_case(address.host_str()?) {
        return None;
    }
    let query = request.uri().query().unwrap_or_default();
    if url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == SENT) {
        return None;
    }
    address.set_path(&format!("{}{path}", app.base_path()));
    address.set_query(Some(query).filter(|query| !query.is_empty()));
    address.query_pairs_mut().append_pair(SENT, "1");
    Some(address.into())
}
