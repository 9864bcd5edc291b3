//! A simulator, a place for a daemon's data, and the daemons on it.

use std::path::Path;

use sea_orm::{ConnectionTrait as _, Database};
use tempfile::TempDir;

use super::{
    PATIENCE,
    child::{self, Child},
    client::Client,
    simulator::Simulator,
};
use crate::support::{app::Stack, eventually, servers};

pub(super) struct World {
    // Fields are dropped in this order: processes before their directory.
    pub(super) sim: Simulator,
    environment: Vec<(String, String)>,
    key: String,
    dir: TempDir,
}

/// A running `clipqueue serve`, and a client of it.
pub(super) struct Daemon {
    pub(super) process: Child,
    pub(super) client: Client,
}

impl World {
    /// Starts the simulator and makes an operator's key.
    pub(super) async fn new(stack: Stack, settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Simulator::start(dir.path()).await;
        let path = |name: &str| dir.path().join(name).display().to_string();
        let mut all = vec![
            ("media.url", path("media")),
            ("mail.url", path("outbox")),
            ("media.min_free_bytes", "0".to_owned()),
            ("tiktok.api_base", sim.base.clone()),
            ("tiktok.authorize_base", sim.base.clone()),
            ("tiktok.audited", "true".to_owned()),
            // Each call to TikTok is a story's own.
            ("metrics.calls_per_minute", "0".to_owned()),
        ];
        match stack {
            Stack::Embedded => all.push(("database.url", format!("sqlite:{}", path("sqlite")))),
            Stack::Servers => {
                let database = servers::postgres().await.new_database().await;
                all.push(("database.url", database));
                all.push(("database.max_connections", "8".to_owned()));
                all.push(("transport.url", servers::redis().await.url()));
                all.push(("transport.prefix", servers::redis_prefix()));
            }
        }
        all.extend(
            settings
                .iter()
                .map(|(key, value)| (*key, (*value).to_owned())),
        );
        let environment: Vec<_> = all
            .into_iter()
            .map(|(key, value)| (variable(key), value))
            .collect();
        let arguments = ["key", "create", "--user", "ada", "--operator"];
        let key = child::output(&arguments, &environment);
        Self {
            sim,
            environment,
            key: key.trim().to_owned(),
            dir,
        }
    }

    /// Starts a daemon on the world's data and waits until it is ready. Unless the settings give it an
    /// address, it has one of its own.
    pub(super) async fn daemon(&self, name: &str) -> Daemon {
        self.daemon_with(name, &[]).await
    }

    /// The same with further settings.
    pub(super) async fn daemon_with(&self, name: &str, settings: &[(&str, &str)]) -> Daemon {
        let mut daemon = self.spawn(name, settings);
        eventually(PATIENCE, "the daemon is ready", async || {
            daemon.process.assert_running();
            daemon.client.is_ready().await.then_some(())
        })
        .await;
        daemon
    }

    /// The same for a daemon that may die before it is ready.
    pub(super) fn spawn(&self, name: &str, settings: &[(&str, &str)]) -> Daemon {
        let own = settings.iter().find(|(key, _)| *key == "http.listen");
        let address = match own {
            Some((_, address)) => (*address).to_owned(),
            None => free_address(),
        };
        let base = format!("http://{address}");
        let mut environment = self.environment.clone();
        let own = [("http.listen", &*address), ("http.public_url", &*base)];
        for (key, value) in own.iter().chain(settings) {
            environment.push((variable(key), (*value).to_owned()));
        }
        Daemon {
            process: Child::start(name, self.dir.path(), &["serve"], &environment),
            client: Client::new(&base, &self.key),
        }
    }

    /// Runs the program with `arguments` on the world's data to its end; gives what it printed.
    pub(super) fn output(&self, arguments: &[&str]) -> String {
        child::output(arguments, &self.environment)
    }

    /// Where everything is kept.
    pub(super) fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a creator and connects them; gives the account's id.
    pub(super) async fn connect(&self, daemon: &Daemon, username: &str) -> String {
        self.try_connect(daemon, username).await.unwrap()
    }

    /// The same on a daemon that may die.
    pub(super) async fn try_connect(
        &self,
        daemon: &Daemon,
        username: &str,
    ) -> Result<String, String> {
        self.sim.create_account(username).await;
        let url = daemon.client.try_authorize_url().await?;
        let callback = self.sim.consent(&url, username).await;
        let page = daemon.client.try_open(&callback).await?;
        assert!(page.contains("is connected"), "{page}");
        let mut accounts = daemon.client.try_accounts(username).await?;
        assert_eq!(accounts.len(), 1, "{username}: {accounts:?}");
        Ok(accounts.remove(0))
    }

    /// Changes the database behind the program's back; gives how many rows.
    pub(super) async fn damage(&self, sql: &str) -> u64 {
        let name = variable("database.url");
        let url = self.environment.iter().find(|(key, _)| *key == name);
        let database = Database::connect(&url.unwrap().1).await.unwrap();
        let done = database.execute_unprepared(sql).await.unwrap();
        database.close().await.unwrap();
        done.rows_affected()
    }
}

/// A place on the loopback where nobody listens.
pub(super) fn free_address() -> String {
    format!("127.0.0.1:{}", servers::free_port())
}

/// The environment variable of a setting.
fn variable(key: &str) -> String {
    format!("CLIPQUEUE__{}", key.to_uppercase().replace('.', "__"))
}
