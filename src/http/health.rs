//! `/livez`, `/readyz` and `/metrics`.
//!
//! Alive means that the process answers. Ready means that it can do its work: database, transport,
//! migrations, master key and media storage, and that it is not on its way out. Each check is named in the answer.
//! What a failing server said may hold addresses or names, so it goes to the log and to `clipqueue
//! doctor`, and never into the answer.
//!
//! `/readyz` and `/metrics` tell how busy an installation is. They should not be public: either
//! `http.admin_listen` moves them to an address of their own, or a proxy keeps them from the outside.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{answer, gauges::Gauges};
use crate::{
    app::App,
    domain::key_canary::{self, Canary},
    migrate,
};

/// A check that takes longer counts as failed: an orchestrator waits no longer either.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the probes need.
#[derive(Clone, Debug)]
pub struct Probes {
    app: App,
    draining: CancellationToken,
    metrics: Option<Arc<PrometheusHandle>>,
    gauges: Arc<Gauges>,
}

impl Probes {
    /// Of `app`; `draining` is cancelled once the process is on its way out.
    pub fn new(
        app: App,
        draining: CancellationToken,
        metrics: Option<Arc<PrometheusHandle>>,
    ) -> Self {
        Self {
            app,
            draining,
            metrics,
            gauges: Arc::default(),
        }
    }
}

/// `/livez`, which anybody may ask.
pub fn alive() -> Router {
    Router::new().route("/livez", get(|| async { "alive\n" }))
}

/// `/readyz` and `/metrics`, which are for operators.
pub fn router(probes: Probes) -> Router {
    Router::new()
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(probes)
}

/// Something that the process needs.
#[derive(Debug)]
pub struct Check {
    /// A word for it.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: Option<Problem>,
}

/// What is wrong.
#[derive(Debug)]
pub enum Problem {
    /// A sentence of ours.
    Known(String),
    /// What somebody else said; for the operator alone.
    Failed(anyhow::Error),
}

impl Problem {
    /// What anybody may read.
    fn public(&self) -> &str {
        match self {
            Self::Known(text) => text,
            Self::Failed(_) => "failed; the log and `clipqueue doctor` say why",
        }
    }

    /// What the operator should read.
    pub fn detail(&self) -> String {
        match self {
            Self::Known(text) => text.clone(),
            Self::Failed(error) => format!("{error:#}"),
        }
    }
}

async fn ready(State(probes): State<Probes>) -> Response {
    let checks = run_checks(&probes.app, probes.draining.is_cancelled()).await;
    let ready = checks.iter().all(|check| check.problem.is_none());
    let mut body = Map::new();
    for check in &checks {
        if let Some(Problem::Failed(error)) = &check.problem {
            tracing::warn!(
                check = check.name,
                error = format!("{error:#}"),
                "not ready"
            );
        }
        let text = check.problem.as_ref().map_or("ok", Problem::public);
        body.insert(check.name.to_owned(), Value::from(text));
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = Json(json!({ "ready": ready, "checks": body }));
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Runs every check.
pub async fn run_checks(app: &App, draining: bool) -> Vec<Check> {
    let (database, transport, migrations, key, media) = tokio::join!(
        patiently(async {
            app.db.ping().await?;
            Ok(None)
        }),
        patiently(async {
            app.queue.transport().probe().await?;
            Ok(None)
        }),
        patiently(async {
            let pending = migrate::pending(&app.db).await?;
            Ok((!pending.is_empty()).then(|| {
                format!(
                    "{} migrations are pending; run `clipqueue migrate up`",
                    pending.len()
                )
            }))
        }),
        patiently(async {
            Ok(match key_canary::look(app).await? {
                Canary::Alive | Canary::Absent => None,
                Canary::WrongKey => {
                    Some("secrets.master_key is not the key that sealed this database".to_owned())
                }
            })
        }),
        patiently(async {
            app.media.storage().check().await?;
            Ok(None)
        }),
    );
    let stopping = draining.then(|| Problem::Known("the process is stopping".to_owned()));
    [
        ("database", database),
        ("transport", transport),
        ("migrations", migrations),
        ("master_key", key),
        ("media", media),
        ("draining", stopping),
    ]
    .into_iter()
    .map(|(name, problem)| Check { name, problem })
    .collect()
}

async fn patiently(check: impl Future<Output = anyhow::Result<Option<String>>>) -> Option<Problem> {
    match tokio::time::timeout(PATIENCE, check).await {
        Ok(Ok(problem)) => problem.map(Problem::Known),
        Ok(Err(error)) => Some(Problem::Failed(error)),
        Err(_) => Some(Problem::Known("no answer within 3 s".to_owned())),
    }
}

async fn render(State(probes): State<Probes>) -> Response {
    let Some(metrics) = probes.metrics else {
        return answer::not_found().await;
    };
    if let Err(error) = probes.gauges.sample(&probes.app).await {
        tracing::warn!(error = format!("{error:#}"), "the gauges cannot be sampled");
    }
    let kind = [
        (
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (kind, metrics.render()).into_response()
}
