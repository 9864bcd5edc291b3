//! Pages that stand alone, for people without a session: signing in, coming back from TikTok, deletion.
//!
//! They bring their look along (`lone.html`), run nothing, and no browser keeps them.

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

use super::frame::render;
use crate::app::App;

/// Where the forms of a page lead.
#[derive(Clone, Copy)]
pub(super) enum Forms<'a> {
    /// It has none. Its address may hold a code, which must not travel on.
    None,
    /// To us, who must know them as ours, and from there to TikTok's consent.
    ToTikTok(&'a App),
}

/// Answers with a page.
pub(super) fn show(status: StatusCode, page: &impl Template, forms: Forms<'_>) -> Response {
    dress(render(status, page), forms)
}

/// Adds what browsers must know about a page, or about what stands for one.
pub(super) fn dress(mut answer: Response, forms: Forms<'_>) -> Response {
    let (referrer, targets) = match forms {
        Forms::None => ("no-referrer", "'none'".to_owned()),
        // Browsers hold a form to its policy along redirects.
        Forms::ToTikTok(app) => {
            let tiktok = app.config.tiktok.authorize_base.origin();
            let targets = format!("'self' {}", tiktok.ascii_serialization());
            ("same-origin", targets)
        }
    };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action {targets}"
    );
    let headers = answer.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let fixed: [(HeaderName, &'static str); 3] = [
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, referrer),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Whether a program asks, rather than a browser.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}
