//! `/livez`, `/readyz` and `/metrics`.
//!
//! Alive means that the process answers. Ready means that it can do its work: database, transport,
//! migrations and master key, and that it is not on its way out. Each check is named in the answer;
//! none tells an address or a secret.

use std::{sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use sea_orm::ConnectionTrait as _;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    domain::key_canary::{self, Canary},
    migrate,
};

/// Asking for the depth of any queue proves that the transport answers.
const PROBED: &str = crate::job::UPLOADS;
/// A check that takes longer counts as failed: an orchestrator waits no longer either.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the probes need.
#[derive(Clone, Debug)]
pub struct Probes {
    /// The application.
    pub app: App,
    /// Cancelled once the process is on its way out.
    pub draining: CancellationToken,
    /// Renders the metrics.
    pub metrics: Option<Arc<PrometheusHandle>>,
}

/// The routes.
pub fn router(probes: Probes) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(probes)
}

async fn ready(State(probes): State<Probes>) -> impl IntoResponse {
    let checks = run_checks(&probes.app, probes.draining.is_cancelled()).await;
    let ready = checks.iter().all(|(_, problem)| problem.is_none());
    let mut body = Map::new();
    for (name, problem) in checks {
        body.insert(
            name.to_owned(),
            problem.map_or_else(|| json!("ok"), Value::String),
        );
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(json!({ "ready": ready, "checks": body })))
}

/// Every check by name, with its problem if it has one.
pub async fn run_checks(app: &App, draining: bool) -> Vec<(&'static str, Option<String>)> {
    let (database, transport, migrations, key) = tokio::join!(
        patiently(async {
            app.db.read().execute_unprepared("SELECT 1").await?;
            Ok(())
        }),
        patiently(async { app.queue.transport().depth(PROBED, &[]).await?;
            Ok(()) }),
        patiently(async {
            match migrate::pending(&app.db).await?.len() {
                0 => Ok(()),
                pending => anyhow::bail!("{pending} migrations are pending; run `clipqueue migrate up`"),
            }
        }),
        patiently(async {
            match key_canary::look(app).await? {
                Canary::Alive | Canary::Absent => Ok(()),
                Canary::WrongKey => {
                    anyhow::bail!("secrets.master_key is not the key that sealed this database")
                }
            }
        }),
    );
    vec![
        ("database", database),
        ("transport", transport),
        ("migrations", migrations),
        ("master_key", key),
        (
            "draining",
            draining.then(|| "the process is stopping".to_owned()),
        ),
    ]
}

async fn patiently(check: impl Future<Output = anyhow::Result<()>>) -> Option<String> {
    match tokio::time::timeout(PATIENCE, check).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer within 3 s".to_owned()),
    }
}

async fn render(State(probes): State<Probes>) -> Result<String, StatusCode> {
    let metrics = probes.metrics.ok_or(StatusCode::NOT_FOUND)?;
    if let Err(error) = crate::http::gauges::sample(&probes.app).await {
        tracing::warn!(%error, "the gauges cannot be sampled");
    }
    Ok(metrics.render())
}
