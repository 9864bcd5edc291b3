//! What is served over HTTP.
//!
//! [`graphql`] carries the API, [`uploads`] takes files, [`oauth`] takes creators back from TikTok,
//! [`webhooks`] takes what TikTok tells and [`paypal`] what PayPal does, [`privacy`] takes requests for deletion, `pulls` hands photos to TikTok, [`erasure`] shows how deletions stand, `exports` gives users their data, [`health`] tells probes, [`rate`] tells how often one may ask, [`ui`]
//! shows operators the console; `serve` accepts connections. Each stands on the domain and knows no
//! worker.
//!
//! Around every route: a name and a log line (`trace`), headers that keep browsers from guessing, and
//! JSON for what no route answers. Whoever changes something shows an API key in `Authorization`, which
//! no browser adds by itself, so a foreign page has nothing to forge; the callback of OAuth is protected
//! by its state, cookies by the origin of the page. [`sign_in`] lets users in with TikTok, [`dashboard`] is
//! what they see then. `frame` is around the pages of both sites, `lone` dresses the pages that have none;
//! `one_host` sees to it that what a cookie begins is begun under the public name.

mod answer;
pub mod auth;
mod caller;
pub mod cookies;
mod cors;
pub mod dashboard;
pub mod erasure;
mod exports;
mod frame;
mod gauges;
pub mod graphql;
pub mod health;
mod lone;
pub mod oauth;
mod one_host;
pub mod paypal;
pub mod privacy;
mod pulls;
pub mod rate;
mod same_origin;
mod serve;
mod sign_in;
mod trace;
pub mod ui;
pub mod uploads;
pub mod webhooks;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

pub use serve::{Peer, serve};

use crate::{app::App, graphql::schema};

/// What every answer tells browsers, unless a route says otherwise: take the type as it is named, run
/// nothing, tell nobody from where you came.
const HEADERS: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
];
/// A year, in which browsers come by https alone.
const HSTS: &str = "max-age=31536000";

/// Every route; without those of [`admin_router`] when they have an address of their own.
pub fn router(
    app: &App,
    metrics: Option<Arc<PrometheusHandle>>,
    draining: CancellationToken,
    shutdown: CancellationToken,
) -> Router {
    let probes = health::Probes::new(app.clone(), draining, metrics);
    let keys = Arc::new(auth::Keys::new(app.clone()));
    let limits = &app.config.graphql;
    let mut settings = graphql::Settings {
        introspection: limits.introspection,
        allowed_origins: origins(app),
        execution_timeout: limits.timeout,
        open_mutations: &["requestDeletion"],
        proxies: app.config.http.proxies,
        ..graphql::Settings::default()
    };
    settings.limits.depth = limits.max_depth;
    settings.limits.cost = limits.max_cost;
    let api = graphql::router(graphql::Endpoint {
        engine: graphql::Engine::new(schema::build(app.clone())),
        auth: keys.clone(),
        settings,
        clock: app.clock.clone(),
        shutdown: shutdown.clone(),
    });
    let uploads = uploads::router(uploads::Uploads {
        media: app.media.clone(),
        authorize: keys,
        capabilities: app.capabilities(),
        clock: app.clock.clone(),
        origins: uploads::Origins::List(origins(app)),
        location_base: app.uploads_base(),
    });
    let allowed: cors::Allowed = origins(app).into();
    let mut router = Router::new()
        .merge(api.layer(middleware::from_fn_with_state(allowed, cors::layer)))
        .merge(uploads)
        .merge(oauth::router(app.clone()))
        .merge(webhooks::router(app.clone()))
        .merge(paypal::router(app.clone()))
        .merge(privacy::router(app.clone()))
        .merge(pulls::router(app.clone()))
        .merge(erasure::router(app.clone()))
        .merge(exports::router(app.clone()))
        .merge(health::alive());
    if app.config.dashboard.enabled {
        router = router
            .merge(sign_in::router(app.clone()))
            .merge(dashboard::router(app));
    }
    if app.config.console.enabled {
        router = router.merge(ui::router(app, shutdown));
    }
    if app.config.http.admin_listen.is_none() {
        router = router.merge(health::router(probes));
    }
    let one_host = middleware::from_fn_with_state(app.clone(), one_host::layer);
    dress(app, router.layer(one_host))
}

/// What operators and orchestrators ask.
pub fn admin_router(
    app: &App,
    metrics: Option<Arc<PrometheusHandle>>,
    draining: CancellationToken,
) -> Router {
    let probes = health::Probes::new(app.clone(), draining, metrics);
    dress(app, health::alive().merge(health::router(probes)))
}

/// Puts around `router` what every answer needs.
fn dress(app: &App, router: Router) -> Router {
    let mut router = router
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed);
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        router = router.layer(SetResponseHeaderLayer::if_not_present(name, value));
    }
    if app.config.http.public_url.scheme() == "https" {
        router = router.layer(SetResponseHeaderLayer::if_not_present(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static(HSTS),
        ));
    }
    router
        .layer(CatchPanicLayer::custom(answer::panicked))
        .layer(middleware::from_fn(trace::layer))
}

fn origins(app: &App) -> Vec<String> {
    let mut origins = app.config.http.allowed_origins.clone();
    origins.push(app.config.http.public_url.origin().ascii_serialization());
    origins
}
