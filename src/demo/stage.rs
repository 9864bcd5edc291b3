//! The stage: simulator, daemon, a user with a key, and the directory that holds it all.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use clipqueue_entities::UserId;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tiktok_sim::{AccountPatch, Sim, SimConfig};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Options, client::Client};
use crate::{
    app::App,
    clock::Clock,
    config::{self, Sources},
    domain::{
        accounts,
        actor::Scope,
        api_keys,
        counters::plans,
        erasure::{
            search::{self, Needle},
            subject,
        },
    },
    http,
    job::{Job, METRICS},
    service::{self, Role},
    telemetry,
};

/// The simulated creator.
pub(super) const CREATOR: &str = "demo_creator";
/// The user who leaves, and their creator.
pub(super) const LEAVER: &str = "leaver";
pub(super) const LEAVING_CREATOR: &str = "leaving_creator";

/// Everything that runs.
pub(super) struct Stage {
    pub(super) sim: Sim,
    pub(super) api: SocketAddr,
    pub(super) key: SecretString,
    app: App,
    user: UserId,
    stop: CancellationToken,
    daemon: JoinHandle<anyhow::Result<()>>,
    directory: PathBuf,
}

impl Stage {
    pub(super) async fn set(options: &Options) -> anyhow::Result<Self> {
        let directory = std::env::temp_dir().join(format!("clipqueue-demo-{}", Uuid::now_v7()));
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("making {}", directory.display()))?;
        let listener = listen(options.port).await?;
        let api = listener.local_addr()?;
        let sim = simulator(options.port.wrapping_add(1), api).await?;
        let settings = settings(options, &directory, api, &sim);
        let config = config::load(&Sources {
            settings,
            ..Sources::default()
        })?;
        telemetry::init(&config.log)?;
        let app = service::prepare(&config, &Role::everything(), Clock::System).await?;
        let user = api_keys::ensure_user(&app, "demo").await?;
        let key = api_keys::create(&app, user.id, "demo", &Scope::ALL, None).await?;
        let stop = CancellationToken::new();
        let daemon = tokio::spawn(service::run(
            app.clone(),
            Role::everything(),
            Some(listener),
            None,
            stop.clone().cancelled_owned(),
        ));
        Ok(Self {
            sim,
            api,
            key: key.text,
            app,
            user: user.id,
            stop,
            daemon,
            directory,
        })
    }

    /// A client of the API.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        self.client_of(&self.key)
    }

    /// A client with this key.
    pub(super) fn client_of(&self, key: &SecretString) -> anyhow::Result<Client> {
        Client::new(self.api, key.expose_secret())
    }

    /// The address of a path of the API.
    pub(super) fn address(&self, path: &str) -> String {
        format!("http://{}{path}", self.api)
    }

    /// A second user, with a key.
    pub(super) async fn another_user(&self) -> anyhow::Result<(UserId, SecretString)> {
        let user = api_keys::ensure_user(&self.app, LEAVER).await?;
        let key = api_keys::create(&self.app, user.id, "demo", &Scope::ALL, None).await?;
        Ok((user.id, key.text))
    }

    /// Has the counters of the user's accounts read now; by itself each is read at its minute of the hour.
    pub(super) async fn read_counters(&self) -> anyhow::Result<()> {
        plans::plan_hour(&self.app).await?;
        let tx = self.app.db.begin().await?;
        for account in accounts::list(&self.app, self.user).await? {
            let job = Job::RefreshMetrics {
                account_id: account.id,
            };
            self.app.hasten_in_tx(&tx, &job).await?;
        }
        tx.commit().await?;
        self.app.nudge(METRICS);
        Ok(())
    }

    /// By what a user can be known here.
    pub(super) async fn identifiers(&self, user: UserId) -> anyhow::Result<Vec<String>> {
        Ok(subject::identifiers(&self.app, user, None).await?)
    }

    /// Searches everything that is stored. Fails unless the receipt names whatever is found; gives how
    /// many values were looked at.
    pub(super) async fn assert_gone(
        &self,
        identifiers: &[String],
        receipt: &Value,
    ) -> anyhow::Result<u64> {
        let needle = Needle::new(identifiers.iter().cloned())?;
        let found = search::everywhere(&self.app, &needle).await?;
        let (_, strays) = search::judge(found.findings(), Some(receipt));
        anyhow::ensure!(strays.is_empty(), "these stayed: {strays:?}");
        Ok(found.looked_at)
    }

    pub(super) fn introduce(&self) {
        println!(
            "  GraphQL    http://{}/graphql  (and WebSocket, and /graphql/stream)",
            self.api
        );
        println!(
            "  Console    http://{}/ops  (sign in with the API key)",
            self.api
        );
        println!("  API key    {}", self.key.expose_secret());
        println!("  Health     http://{}/readyz", self.api);
        println!("  Simulator  {}/_sim/ledger", self.sim.base_url());
    }

    /// What the simulator thinks of everything that it was sent.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        let verdict = self.sim.verify();
        anyhow::ensure!(verdict.is_clean(), "the simulator disagrees: {verdict}");
        let twice = self.sim.duplicates();
        anyhow::ensure!(
            twice.is_empty(),
            "{} posts were published twice",
            twice.len()
        );
        Ok(())
    }

    /// Stops the daemon and removes what it stored.
    pub(super) async fn leave(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.daemon.await.context("the daemon panicked")??;
        std::fs::remove_dir_all(&self.directory)
            .with_context(|| format!("removing {}", self.directory.display()))
    }
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind("127.0.0.1:0")
            .await
            .context("listening on a free port"),
    }
}

async fn simulator(port: u16, api: SocketAddr) -> anyhow::Result<Sim> {
    let mut knobs = SimConfig {
        client_key: config::DEMO_CLIENT_KEY.to_owned(),
        client_secret: config::DEMO_CLIENT_SECRET.to_owned(),
        ..SimConfig::default()
    };
    knobs.webhooks.url = Some(format!("http://{api}{}", http::webhooks::PATH));
    // Photos are fetched from the daemon, which has no certificate here.
    knobs.pulls.allow = true;
    knobs.pulls.loopback_http = true;
    let sim = Sim::start_on(knobs, listen(port).await?).context("starting the simulator")?;
    for creator in [CREATOR, LEAVING_CREATOR] {
        sim.account(creator, AccountPatch::default());
    }
    Ok(sim)
}

fn settings(
    options: &Options,
    directory: &std::path::Path,
    api: SocketAddr,
    sim: &Sim,
) -> Vec<(String, String)> {
    let database = options
        .database_url
        .clone()
        .unwrap_or_else(|| format!("sqlite:{}", directory.join("clipqueue.sqlite").display()));
    let transport = options
        .redis_url
        .clone()
        .unwrap_or_else(|| "memory:".to_owned());
    [
        ("http.listen", api.to_string()),
        ("http.public_url", format!("http://{api}")),
        ("database.url", database),
        ("transport.url", transport),
        ("media.url", directory.join("media").display().to_string()),
        ("mail.url", directory.join("outbox").display().to_string()),
        ("media.min_free_bytes", "0".to_owned()),
        ("tiktok.authorize_base", sim.base_url().to_owned()),
        ("tiktok.api_base", sim.base_url().to_owned()),
        ("tiktok.audited", "true".to_owned()),
        ("erasure.look_again_after", "1s".to_owned()),
        ("log.filter", "warn".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}
