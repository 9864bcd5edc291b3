//! Starts the parts of a process, watches them, and stops them in reverse.
//!
//! Start: configuration → telemetry → [`App`] → migrations → master key → transport check → workers →
//! HTTP. Stop (SIGTERM, SIGINT, or a part that ends by itself): readiness says "draining" → workers
//! take nothing more and finish or checkpoint within the grace → HTTP ends its connections → pools
//! close. A second signal ends the process at once.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    clock::Clock,
    config::{Config, TransportKind},
    domain::key_canary::{self, Canary},
    http,
    job::Jobs,
    migrate::{self, Direction},
    queue::{Runner, StartOptions},
    workers,
};

/// Connections that are still open this long after the workers stopped are cut.
const HTTP_GRACE: Duration = Duration::from_secs(10);

/// What one process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Serves the API.
    pub api: bool,
    /// Works on these queues; none, when empty.
    pub queues: Vec<String>,
}

impl Role {
    /// Everything in one process.
    pub fn everything() -> Self {
        Self {
            api: true,
            queues: Jobs::QUEUES.map(str::to_owned).to_vec(),
        }
    }

    fn is_everything(&self) -> bool {
        self.api
            && Jobs::QUEUES
                .iter()
                .all(|queue| self.queues.iter().any(|name| name == queue))
    }
}

/// A signal to stop the process.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be watched");
                let _ = interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}

/// Checks what must hold before the process does anything, and migrates if configured.
pub async fn prepare(config: &Config, role: &Role, clock: Clock) -> anyhow::Result<App> {
    if matches!(config.transport.kind, TransportKind::Memory) && !role.is_everything() {
        anyhow::bail!(
            "transport.url is memory:, which reaches no other process; set it to redis://… or run `clipqueue serve`"
        );
    }
    let sqlite = migrate::sqlite_path(config.database.url.expose_secret()).is_some();
    if sqlite && !role.is_everything() {
        tracing::warn!("the database is SQLite: every process must run on this machine");
    }
    let app = App::build(config.clone(), clock).await?;
    if config.database.migrate_on_start {
        migrate::run(&config.database.url, Direction::Up)
            .await
            .context("migrating the database")?;
    } else {
        let pending = migrate::pending(&app.db).await?;
        anyhow::ensure!(
            pending.is_empty(),
            "migrations are pending ({}); run `clipqueue migrate up`, or set database.migrate_on_start",
            pending.join(", ")
        );
    }
    if key_canary::ensure(&app).await? == Canary::WrongKey {
        anyhow::bail!(
            "secrets.master_key is not the key that sealed this database; give the key that was used before"
        );
    }
    if let Some(report) = app
        .queue
        .transport()
        .inspect(app.clock.now())
        .await
        .context("asking Redis about itself; check transport.url")?
    {
        if let Some(refusal) = report.refusal() {
            anyhow::bail!("{refusal}");
        }
    }
    Ok(app)
}

/// The function that runs claimed jobs with `app`.
pub fn runner(app: App) -> Runner {
    Arc::new(move |run| Box::pin(workers::run(app.clone(), run)))
}

/// Installs the process's metrics, once.
pub fn install_metrics() -> anyhow::Result<Arc<PrometheusHandle>> {
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .context("installing the metrics recorder")?;
    Ok(Arc::new(handle))
}

/// Runs the parts of `role` until `stop` completes; then stops them in order.
pub async fn run(
    app: App,
    role: Role,
    listener: Option<TcpListener>,
    metrics: Option<Arc<PrometheusHandle>>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let draining = CancellationToken::new();
    let http_stop = CancellationToken::new();
    let workers_stop = CancellationToken::new();
    let running = if role.queues.is_empty() {
        None
    } else {
        let options = StartOptions {
            runner: runner(app.clone()),
            catalogue: Arc::new(Jobs::new(&app.config.queue)),
            queues: role.queues.clone(),
            grace: app.config.queue.grace,
        };
        let started = app.queue.start(options, workers_stop.clone()).await;
        Some(started.context("starting the workers")?)
    };
    let server = listener.map(|listener| {
        let address = listener.local_addr();
        let router = http::router(&app, metrics, draining.clone(), http_stop.clone());
        let until = http_stop.clone().cancelled_owned();
        if let Ok(address) = address {
            tracing::info!(%address, "serving HTTP");
        }
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(until)
                .await
        })
    });
    tracing::info!(queues = ?role.queues, "working");

    stop.await;
    tracing::info!("stopping: nothing more is taken");
    draining.cancel();
    workers_stop.cancel();
    if let Some(running) = running {
        running.stopped().await;
    }
    http_stop.cancel();
    if let Some(server) = server {
        match tokio::time::timeout(HTTP_GRACE, server).await {
            Ok(joined) => joined
                .context("the HTTP server panicked")?
                .context("serving HTTP")?,
            Err(_) => tracing::warn!("open connections were cut"),
        }
    }
    app.media.drain().await;
    app.db.close().await?;
    tracing::info!("stopped");
    Ok(())
}
