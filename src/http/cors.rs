//! Browsers and the API: which pages may call it, and which headers they may see.
//!
//! Pages are allowed by `http.allowed_origins` and bring their own API key; credentials of the browser
//! are never asked for, so no page can borrow a visitor's. Not `tower_http`'s layer: it answers every
//! OPTIONS, and panics on origins that it cannot read.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

const METHODS: &str = "GET, POST";
/// What clients of GraphQL over HTTP and SSE send.
const REQUEST_HEADERS: &str = "Accept, Authorization, Content-Type, Last-Event-ID, X-GraphQL-Event-Stream-Token, X-Request-ID";
const EXPOSED: &str = "RateLimit, RateLimit-Policy, Retry-After, X-Request-ID";
/// How long a browser may remember a preflight: two hours, which is as long as Chromium does.
const MAX_AGE: &str = "7200";

/// Origins that may call, as browsers write them.
pub(super) type Allowed = Arc<[String]>;

/// Answers preflights, and adds to other answers what a page needs to read them.
pub(super) async fn layer(
    State(allowed): State<Allowed>,
    request: Request,
    next: Next,
) -> Response {
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .filter(|origin| allowed.iter().any(|allowed| *origin == allowed.as_str()))
        .cloned();
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        allow(headers, preflight);
    }
    response
}

fn allow(headers: &mut HeaderMap, preflight: bool) {
    let lines: &[(header::HeaderName, &'static str)] = if preflight {
        &[
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ]
    } else {
        &[(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED)]
    };
    for (name, value) in lines {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
