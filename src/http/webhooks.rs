//! TikTok's webhooks: the door at `/webhooks/tiktok`.
//!
//! It answers at once: what was told is stored, and a job sees to it. TikTok takes 200 for "received"
//! and repeats everything else for three days, so whatever is signed and understood, even if it does
//! not concern us, is answered with 200. The signature is checked over the raw bytes, so nothing may
//! read the body before.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};

use crate::{
    app::App,
    domain::notices::{self, Rejected, Taken},
};

/// Where TikTok sends its webhooks, below `http.public_url`.
pub const PATH: &str = "/webhooks/tiktok";
/// The largest body that is read; a notice has some hundred bytes.
const MAX_BODY: usize = 64 * 1024;

/// The route that TikTok calls.
pub fn router(app: App) -> Router {
    Router::new()
        .route(PATH, post(receive))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

async fn receive(State(app): State<App>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers
        .get(tiktok::webhook::SIGNATURE_HEADER)
        .and_then(|value| value.to_str().ok());
    let (status, outcome) = match notices::take(&app, signature, &body).await {
        Ok(Taken::New) => (StatusCode::OK, "new"),
        Ok(Taken::Repeated) => (StatusCode::OK, "repeated"),
        Ok(Taken::Ignored) => (StatusCode::OK, "ignored"),
        Err(error) => refuse(&error),
    };
    metrics::counter!("clipqueue_webhooks_total", "outcome" => outcome).increment(1);
    status
}

fn refuse(error: &Rejected) -> (StatusCode, &'static str) {
    let (status, outcome) = match error {
        Rejected::Unsigned => (StatusCode::UNAUTHORIZED, "unsigned"),
        Rejected::Stale => (StatusCode::UNAUTHORIZED, "stale"),
        Rejected::OtherApp => (StatusCode::FORBIDDEN, "other_app"),
        Rejected::Unreadable => (StatusCode::BAD_REQUEST, "unreadable"),
        Rejected::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    tracing::warn!(error = ?error, outcome, "a webhook was turned away");
    (status, outcome)
}
