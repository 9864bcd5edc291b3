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

/// What a page has that browsers must allow.
#[derive(Clone, Copy)]
pub(super) enum Has<'a> {
    /// Neither forms nor files. Its address may hold a code, which must not travel on.
    Nothing,
    /// Forms that lead to us, who must know them as ours, and from there to TikTok's consent.
    Forms(&'a App),
    /// Such forms, and an icon; without one a browser that may load images looks for its own.
    FormsAndIcon(&'a App),
}

/// Answers with a page.
pub(super) fn show(status: StatusCode, page: &impl Template, has: Has<'_>) -> Response {
    dress(render(status, page), has)
}

/// Adds what browsers must know about a page, or about what stands for one.
pub(super) fn dress(mut answer: Response, has: Has<'_>) -> Response {
    // Browsers hold a form to its policy along redirects.
    let with_tiktok = |app: &App| {
        let tiktok = app.config.tiktok.authorize_base.origin();
        format!("'self' {}", tiktok.ascii_serialization())
    };
    let (referrer, images, forms) = match has {
        Has::Nothing => ("no-referrer", "'none'", "'none'".to_owned()),
        Has::Forms(app) => ("same-origin", "'none'", with_tiktok(app)),
        Has::FormsAndIcon(app) => ("same-origin", "'self'", with_tiktok(app)),
    };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src {images}; frame-ancestors 'none'; base-uri 'none'; form-action {forms}"
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
