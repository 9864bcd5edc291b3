//! Starts the parts of a process, watches them, and stops them in reverse.
//!
//! Start: configuration → telemetry → [`App`] → migrations → master key → transport check → workers →
//! HTTP. Stop (SIGTERM, SIGINT, or a part that ends by itself): readiness says "draining" → workers
//! take nothing more and finish or checkpoint within the grace → HTTP ends its connections → pools
//! close. A second signal ends the process at once.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration, time::Instant};

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::ExposeSecret as _;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App,
    clock::Clock,
    config::{Config, TransportKind},
    db,
    domain::{
        audit, erasure,
        key_canary::{self, Canary},
    },
    http,
    job::{Job, Jobs},
    migrate::{self, Direction},
    queue::{Failure, LoopEnded, Outcome, Ran, Run, Runner, Running, StartOptions},
    telemetry, workers,
};

/// How often recorded durations are folded.
const UPKEEP: Duration = Duration::from_secs(5);
/// The exit code of a process that a second signal ended; shells give 128 and the signal's number.
const ENDED_BY_SIGNAL: i32 = 130;

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

/// A signal to stop the process, which is watched for from the call on, even before the first poll.
/// Once it has come, the next one ends the process at once. Call it within a runtime.
pub fn stop_signal() -> impl Future<Output = ()> + Send {
    let mut signals = Signals::watch();
    async move {
        signals.next().await;
        tokio::spawn(async move {
            signals.next().await;
            tracing::warn!("a second signal: the process ends at once; leases will run out");
            std::process::exit(ENDED_BY_SIGNAL);
        });
    }
}

/// SIGTERM and SIGINT.
#[cfg(unix)]
struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    fn watch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        Self(
            kinds
                .into_iter()
                .filter_map(|kind| {
                    signal(kind)
                        .inspect_err(|error| tracing::warn!(%error, "a signal cannot be watched"))
                        .ok()
                })
                .collect(),
        )
    }

    async fn next(&mut self) {
        futures::future::select_all(self.0.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    }
}

/// Control-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn watch() -> Self {
        Self
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Checks what must hold before the process does anything, and migrates if configured.
pub async fn prepare(config: &Config, role: &Role, clock: Clock) -> anyhow::Result<App> {
    if matches!(config.transport.kind, TransportKind::Memory) && !role.is_everything() {
        anyhow::bail!(
            "transport.url is memory:, which reaches no other process; set it to redis://… or run `clipqueue serve`"
        );
    }
    let sqlite = db::sqlite_path(config.database.url.expose_secret()).is_some();
    if sqlite && !role.is_everything() {
        tracing::warn!("the database is SQLite: every process must run on this machine");
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let app = Box::pin(App::build(config.clone(), clock)).await?;
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
    // Entries of the audit log that an older version wrote.
    Box::pin(audit::chain::adopt(&app)).await?;
    if let Some(report) = app
        .queue
        .transport()
        .inspect(app.clock.now())
        .await
        .context("asking Redis about itself; check transport.url")?
        && let Some(refusal) = report.refusal()
    {
        anyhow::bail!("{refusal}");
    }
    Ok(app)
}

/// The function that runs claimed jobs with `app`.
pub fn runner(app: App) -> Runner {
    Arc::new(move |run| Box::pin(measured(app.clone(), run)))
}

async fn measured(app: App, run: Run) -> Ran {
    // What another version enqueued may have any name; a metric's labels are few.
    let kind = Job::KINDS
        .into_iter()
        .find(|kind| *kind == run.job.kind)
        .unwrap_or("unknown");
    let started = Instant::now();
    let ran = Box::pin(workers::run(app, run)).await;
    let outcome = match &ran {
        Ok(Outcome::Done) => "done",
        Ok(Outcome::Snooze(_)) => "snooze",
        Err(Failure::Retry { .. }) => "retry",
        Err(Failure::Hold { .. }) => "hold",
        Err(Failure::Cancel { .. }) => "cancel",
        Err(Failure::Discard { .. } | Failure::Unreadable { .. }) => "discard",
    };
    metrics::histogram!(telemetry::JOB_SECONDS, "kind" => kind, "outcome" => outcome)
        .record(started.elapsed());
    ran
}

/// Installs the process's metrics, once.
pub fn install_metrics() -> anyhow::Result<Arc<PrometheusHandle>> {
    telemetry::install_metrics().context("installing the metrics recorder")
}

/// Runs the parts of `role` until `stop` completes or a part ends by itself; then stops them in order.
pub async fn run(
    app: App,
    role: Role,
    listener: Option<TcpListener>,
    metrics: Option<Arc<PrometheusHandle>>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let admin = match app.config.http.admin_listen {
        Some(address) => Some(listen(address, "http.admin_listen").await?),
        None => None,
    };
    let draining = CancellationToken::new();
    let http_stop = CancellationToken::new();
    let workers_stop = CancellationToken::new();
    let mut working = Box::pin(start_workers(&app, &role, &workers_stop))
        .await?
        .map(|running| tokio::spawn(running.stopped()));
    let servers = TaskTracker::new();
    if let Some(handle) = metrics.clone() {
        servers.spawn(http_stop.clone().run_until_cancelled_owned(upkeep(handle)));
    }
    if let Some(listener) = admin {
        announce("serving probes and metrics", &listener);
        let router = http::admin_router(&app, metrics.clone(), draining.clone());
        servers.spawn(http::serve(listener, router, http_stop.clone()));
    }
    if let Some(listener) = listener {
        announce("serving HTTP", &listener);
        let router = http::router(&app, metrics, draining.clone(), http_stop.clone());
        servers.spawn(http::serve(listener, router, http_stop.clone()));
    }
    if working.is_some() {
        tracing::info!(queues = ?role.queues, "working");
    }

    let ended = tokio::select! {
        () = stop => Ok(()),
        ended = finished(&mut working) => Err(ended),
    };
    tracing::info!("stopping: nothing more is taken");
    draining.cancel();
    workers_stop.cancel();
    let drained = async {
        match (&ended, &mut working) {
            (Ok(()), Some(working)) => Ok(working.await.context("the workers panicked")??),
            (Ok(()), None) => Ok(()),
            (Err(text), _) => Err(anyhow::anyhow!("{text}")),
        }
    };
    let (drained, ()) = tokio::join!(drained, tokio::time::sleep(app.config.http.drain_delay));
    http_stop.cancel();
    servers.close();
    servers.wait().await;
    app.media.drain().await;
    app.db.close().await?;
    tracing::info!("stopped");
    drained
}

/// Listens at `address`, which `key` of the configuration gave.
pub async fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address}; check {key}"))
}

async fn start_workers(
    app: &App,
    role: &Role,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Running>> {
    if role.queues.is_empty() {
        return Ok(None);
    }
    bury(app).await;
    let options = StartOptions {
        runner: runner(app.clone()),
        catalogue: Arc::new(Jobs::new(&app.config.queue)),
        queues: role.queues.clone(),
        grace: app.config.queue.grace,
    };
    let running = app
        .queue
        .start(options, stop.clone())
        .await
        .context("starting the workers")?;
    Ok(Some(running))
}

/// Applies the tombstones before any worker acts: the database may be a restored backup.
async fn bury(app: &App) {
    match erasure::replay(app, Vec::new()).await {
        Ok(replayed) if replayed.begun > 0 => {
            tracing::warn!(
                begun = replayed.begun,
                "people who were erased are in the database, perhaps by a restored backup: they are erased again"
            );
        }
        Ok(_) => {}
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(
                error,
                "tombstones could not be applied; run `clipqueue erasure replay`"
            );
        }
    }
}

/// Waits for workers that end although nobody stopped them; for ever, when there are none.
async fn finished(working: &mut Option<JoinHandle<Result<(), LoopEnded>>>) -> String {
    match working {
        Some(working) => match working.await {
            Ok(Ok(())) => "the workers ended by themselves".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => format!("the workers panicked: {error}"),
        },
        None => std::future::pending().await,
    }
}

/// Folds recorded durations into their buckets, so that they take no memory when nobody scrapes.
async fn upkeep(metrics: Arc<PrometheusHandle>) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

fn announce(what: &str, listener: &TcpListener) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "{what}");
    }
}
