//! Starting a simulator: the listener, the background task, the HTTP client, and their common end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::SimConfig;
use crate::deliver;
use crate::error::StartError;
use crate::routes;
use crate::server::{Doorman, KillSwitch};
use crate::sim::Sim;
use crate::state::{Core, State};

impl Sim {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(config: SimConfig) -> Result<Self, StartError> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        Self::start_on(config, listener)
    }

    /// Starts on a given listener. Needs a tokio runtime.
    pub fn start_on(config: SimConfig, listener: TcpListener) -> Result<Self, StartError> {
        let base_url = base_of(listener.local_addr()?);
        let upload_base = config.public_url.clone();
        let upload_base = upload_base.unwrap_or_else(|| base_url.clone());
        let state = State::new(config, upload_base.trim_end_matches('/').to_owned());
        let core = Arc::new(Core::new(state, http_client()?));
        let stop = CancellationToken::new();
        tokio::spawn(deliver::run(Arc::clone(&core), stop.clone()));
        let app = routes::router(Arc::clone(&core));
        let app = app.into_make_service_with_connect_info::<KillSwitch>();
        let stopped = stop.clone();
        tokio::spawn(async move {
            // Stops accepting at once and closes idle connections; calls under way are answered.
            let end = async move { stopped.cancelled().await };
            let served = axum::serve(Doorman(listener), app).with_graceful_shutdown(end);
            if let Err(error) = served.await {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        Ok(Self::on(core, base_url, stop.drop_guard()))
    }
}

/// Serves a simulator on `listener` until `shutdown` resolves.
pub async fn serve(
    config: SimConfig,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let sim = Sim::start_on(config, listener)?;
    tracing::info!(base_url = sim.base_url(), "the simulator is listening");
    shutdown.await;
    Ok(())
}

fn base_of(address: SocketAddr) -> String {
    // An unspecified address is listened on, but nobody can call it.
    if address.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

/// A client that follows no redirect and uses no proxy. Without system certificates it speaks plain HTTP
/// only, which is enough for loopback.
fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
    };
    builder()
        .build()
        .or_else(|_| builder().tls_certs_only(Vec::new()).build())
}
