//! What is served over HTTP.
//!
//! [`graphql`] carries the API, [`uploads`] takes files, [`oauth`] takes creators back from TikTok,
//! [`health`] tells probes. Each stands on the domain and knows no worker. Requests are logged with
//! their path alone: a query may hold a code.

pub mod auth;
mod gauges;
pub mod graphql;
pub mod health;
pub mod oauth;
pub mod uploads;

use std::sync::Arc;

use axum::{Router, extract::Request, http::HeaderValue};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer, trace::TraceLayer,
};

use crate::{app::App, graphql::schema};

/// Every route.
pub fn router(
    app: &App,
    metrics: Option<Arc<PrometheusHandle>>,
    draining: CancellationToken,
    shutdown: CancellationToken,
) -> Router {
    let keys = Arc::new(auth::Keys::new(app.clone()));
    let limits = &app.config.graphql;
    let mut settings = graphql::Settings {
        introspection: limits.introspection,
        allowed_origins: origins(app),
        execution_timeout: limits.timeout,
        ..graphql::Settings::default()
    };
    settings.limits.depth = limits.max_depth;
    settings.limits.cost = limits.max_cost;
    let api = graphql::router(graphql::Endpoint {
        engine: graphql::Engine::new(schema::build(app.clone())),
        auth: keys.clone(),
        settings,
        clock: app.clock.clone(),
        shutdown,
    });
    let uploads = uploads::router(uploads::Uploads {
        media: app.media.clone(),
        authorize: keys,
        capabilities: app.capabilities(),
        clock: app.clock.clone(),
        origins: uploads::Origins::List(origins(app)),
        location_base: app.uploads_base(),
    });
    Router::new()
        .merge(api)
        .merge(uploads)
        .merge(oauth::router(app.clone()))
        .merge(health::router(health::Probes {
            app: app.clone(),
            draining,
            metrics,
        }))
        .layer(SetResponseHeaderLayer::if_not_present(
            axum::http::header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CatchPanicLayer::new())
        .layer(
            TraceLayer::new_for_http().make_span_with(|request: &Request| {
                tracing::info_span!(
                    "http",
                    http.method = %request.method(),
                    http.path = path_for_logs(request.uri().path()),
                )
            }),
        )
}

fn origins(app: &App) -> Vec<String> {
    let mut origins = app.config.http.allowed_origins.clone();
    origins.push(app.config.http.public_url.origin().ascii_serialization());
    origins
}

/// An upload's address may be a capability, which is as good as a key.
fn path_for_logs(path: &str) -> &str {
    if path.starts_with("/uploads/") {
        "/uploads/…"
    } else {
        path
    }
}
