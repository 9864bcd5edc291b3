//! Browsers: which pages may upload, and which headers they may see. Every answer passes through here,
//! so that a page can read the errors too.
//!
//! Not `tower_http`'s layer: that one takes every OPTIONS for a preflight, and tus has an OPTIONS of its
//! own.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::http::uploads::{
    Uploads,
    answer::{TUS_RESUMABLE, TUS_VERSION},
};

const METHODS: &str = "POST, HEAD, PATCH, DELETE, OPTIONS";
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Tus-Resumable, Upload-Length, Upload-Metadata, \
     Upload-Offset, Upload-Checksum, X-Request-ID";
const EXPOSED: &str = "Location, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, \
     Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires, RateLimit, \
     RateLimit-Policy, Retry-After";
/// How long a browser may remember a preflight: a day.
const MAX_AGE: &str = "86400";

/// Which pages may upload from a browser.
#[derive(Clone, Debug, Default)]
pub enum Origins {
    /// None but those of this server itself.
    #[default]
    None,
    /// These, written as a browser sends them: `https://app.example.com`.
    List(Vec<String>),
    /// Every page. No cookie is ever used here, so a page can only use what it already has.
    Any,
}

impl Origins {
    fn allow(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::List(origins) => origins
                .iter()
                .any(|allowed| origin == allowed)
                .then(|| origin.clone()),
        }
    }
}

/// Answers preflights, and adds what browsers and tus clients look for to every other answer.
pub(super) async fn answer(State(state): State<Uploads>, request: Request, next: Next) -> Response {
    let allowed = request
        .headers()
        .get(header::ORIGIN)
        .and_then(|origin| state.origins.allow(origin));
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
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(TUS_VERSION));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        allow(headers, origin, preflight);
    }
    response
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, preflight: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if preflight {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    } else {
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED),
        );
    }
}
