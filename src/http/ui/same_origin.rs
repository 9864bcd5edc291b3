//! Whoever presses a button must be on a page of ours.
//!
//! A browser says by `Sec-Fetch-Site` whether a request comes from a page of the same origin, and by
//! `Origin` which page that is; no script of a page can set either. A request that changes something
//! and has neither is not a browser's on a page of ours, and is refused. The cookie is
//! `SameSite=Strict` besides.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{Console, page};

/// Refuses requests that would change something and come from elsewhere.
pub(super) async fn require(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() || is_ours(&console, request.headers()) {
        return next.run(request).await;
    }
    page::plain(
        &console,
        StatusCode::FORBIDDEN,
        "That did not come from this console",
        "Nothing was done. Open the console and press the button there.",
    )
}

fn is_ours(console: &Console, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let own = text(header::HOST);
    let public = &console.app.config.http.public_url;
    origin == public.origin().ascii_serialization()
        || matches!((host, own), (Some(host), Some(own)) if host.eq_ignore_ascii_case(own))
}
