//! A name and a log line for each request.
//!
//! The line has the route's pattern and never the address itself: an upload's address is as good as a
//! key, and a query may hold a code.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;
use uuid::Uuid;

/// Where the name is read and written.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest name that is taken over from a client.
const MAX_LENGTH: usize = 64;

/// Names the request, on it and on its answer, and logs how it ended.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(&X_REQUEST_ID)
        .filter(|id| is_sensible(id))
        .cloned()
        .or_else(|| HeaderValue::from_str(&Uuid::new_v4().to_string()).ok())
        .unwrap_or(HeaderValue::from_static("none"));
    request.headers_mut().insert(X_REQUEST_ID, id.clone());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!(
        "http",
        http.method = %request.method(),
        http.route = route,
        http.request_id = id.to_str().unwrap_or_default(),
    );
    async move {
        let started = Instant::now();
        let mut response = next.run(request).await;
        response.headers_mut().insert(X_REQUEST_ID, id);
        let status = response.status();
        let millis = started.elapsed().as_millis();
        // 503 says that a server behind us is away or that we are going; that is logged where it is found.
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(http.status = status.as_u16(), millis, "answered");
        } else {
            tracing::debug!(http.status = status.as_u16(), millis, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

fn is_sensible(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=MAX_LENGTH).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
}
