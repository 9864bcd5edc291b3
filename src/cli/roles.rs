//! `serve`, `api`, `worker` and `sim`: the commands that stay.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;

use crate::{
    clock::{Clock, SteeredClock},
    config::{self, Config},
    crash,
    job::Jobs,
    service::{self, Role},
};

/// Options of `clipqueue sim`.
#[derive(Debug, Args)]
pub(super) struct SimOptions {
    /// The address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// A JSON file with the simulator's knobs; what it does not name keeps its default.
    #[arg(long)]
    knobs: Option<std::path::PathBuf>,
}

pub(super) async fn serve(config: Config) -> anyhow::Result<()> {
    start(config, Role::everything()).await
}

pub(super) async fn api(config: Config) -> anyhow::Result<()> {
    let role = Role {
        api: true,
        queues: Vec::new(),
    };
    start(config, role).await
}

pub(super) async fn worker(config: Config, queues: Vec<String>) -> anyhow::Result<()> {
    let queues = if queues.is_empty() {
        Jobs::QUEUES.map(str::to_owned).to_vec()
    } else {
        queues
    };
    for queue in &queues {
        anyhow::ensure!(
            Jobs::QUEUES.contains(&queue.as_str()),
            "there is no queue `{queue}`; the queues are {}",
            Jobs::QUEUES.join(", ")
        );
    }
    start(config, Role { api: false, queues }).await
}

async fn start(config: Config, role: Role) -> anyhow::Result<()> {
    let mut stop = Box::pin(service::stop_signal());
    let metrics = service::install_metrics()?;
    // Before the database is touched: whoever has the port may be the server that still runs.
    let listener = if role.api {
        Some(service::listen(config.http.listen, "http.listen").await?)
    } else {
        None
    };
    let clock = match &config.debug.clock {
        None => Clock::System,
        Some(file) => Clock::Steered(
            SteeredClock::open(file.clone())
                .with_context(|| format!("reading debug.clock {}", file.display()))?,
        ),
    };
    if let Some(at) = config.debug.crash_at {
        crash::arm(at);
    }
    let app = tokio::select! {
        prepared = service::prepare(&config, &role, clock) => prepared?,
        // It may wait for a lock that another process holds for long.
        () = &mut stop => {
            tracing::info!("stopped before it started");
            return Ok(());
        }
    };
    service::run(app, role, listener, Some(metrics), stop).await
}

pub(super) async fn sim(options: SimOptions) -> anyhow::Result<()> {
    let knobs = match &options.knobs {
        None => tiktok_sim::SimConfig {
            client_key: config::DEMO_CLIENT_KEY.to_owned(),
            client_secret: config::DEMO_CLIENT_SECRET.to_owned(),
            ..tiktok_sim::SimConfig::default()
        },
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?
        }
    };
    let stop = service::stop_signal();
    let listener = service::listen(options.listen, "--listen").await?;
    println!(
        "the TikTok simulator listens on http://{}",
        listener.local_addr()?
    );
    tiktok_sim::serve(knobs, listener, stop).await?;
    Ok(())
}
