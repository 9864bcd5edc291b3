//! PayPal's webhooks: the door at `/webhooks/paypal`.
//!
//! Like TikTok's, it answers when what was told is stored; PayPal repeats for three days what is not
//! answered with 200. The signature is over the raw bytes, so nothing may read the body before. Nothing
//! of a body or a header reaches the log but the name of a certificate.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};

use crate::{
    app::App,
    domain::billing::{self, Rejected, Taken},
    paypal::{NotBelieved, Transmission},
};

/// Where PayPal sends its webhooks, below `http.public_url`.
pub const PATH: &str = "/webhooks/paypal";
/// The largest body that is read; an event has a few thousand bytes.
const MAX_BODY: usize = 256 * 1024;
/// The longest header that is looked at.
const MAX_HEADER: usize = 2048;

/// The route that PayPal calls.
pub fn router(app: App) -> Router {
    Router::new()
        .route(PATH, post(receive))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

async fn receive(State(app): State<App>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let sent = transmission(&headers);
    let (status, outcome) = match billing::take(&app, &sent, &body).await {
        Ok(Taken::New) => (StatusCode::OK, "new"),
        Ok(Taken::Repeated) => (StatusCode::OK, "repeated"),
        Ok(Taken::Ignored) => (StatusCode::OK, "ignored"),
        Err(error) => refuse(&error, &sent),
    };
    metrics::counter!("clipqueue_paypal_webhooks_total", "outcome" => outcome).increment(1);
    status
}

fn transmission(headers: &HeaderMap) -> Transmission {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value
            .filter(|value| value.len() <= MAX_HEADER)
            .unwrap_or_default()
            .to_owned()
    };
    Transmission {
        id: text("paypal-transmission-id"),
        time: text("paypal-transmission-time"),
        certificate: text("paypal-cert-url"),
        algorithm: text("paypal-auth-algo"),
        signature: text("paypal-transmission-sig"),
    }
}

fn refuse(error: &Rejected, sent: &Transmission) -> (StatusCode, &'static str) {
    let (status, outcome) = match error {
        Rejected::NotBelieved(NotBelieved::Closed) => (StatusCode::NOT_FOUND, "closed"),
        Rejected::NotBelieved(NotBelieved::Algorithm) => (StatusCode::UNAUTHORIZED, "algorithm"),
        Rejected::NotBelieved(NotBelieved::Certificate) => {
            (StatusCode::SERVICE_UNAVAILABLE, "certificate")
        }
        Rejected::NotBelieved(NotBelieved::Signature) => (StatusCode::UNAUTHORIZED, "unsigned"),
        Rejected::Unreadable => (StatusCode::BAD_REQUEST, "unreadable"),
        Rejected::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let certificate = sent.certificate_name().unwrap_or("none");
    tracing::warn!(
        error = ?error,
        outcome,
        certificate,
        "a webhook in PayPal's name was turned away"
    );
    (status, outcome)
}
