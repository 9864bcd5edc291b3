//! The one struct that every part is given: configuration, connections, clock and keys.
//!
//! Built once at start, cloned freely (everything inside is shared), passed as `&App`. It also says
//! in the product's words what the domain needs of the queue, so that the domain names jobs and not
//! rows.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use clipqueue_entities::{AccountId, Timestamp, UserId};
use sea_orm::{ConnectionTrait, DbErr};
use secrecy::{ExposeSecret as _, SecretBox};
use tiktok::{Endpoint, limits::RATE_WINDOW};
use url::Url;

use crate::{
    clock::Clock,
    config::{Config, TransportKind},
    db::Db,
    job::Job,
    media::{Capabilities, MediaSettings, MediaStore, Storage},
    queue::{
        self, Queue,
        ledger::{self, CancelOutcome},
        transport::{Acquired, Budget, Transport, memory::MemoryTransport, redis::RedisTransport},
    },
    secrets::Vault,
};

/// Where TikTok sends the creator's browser back to, below `http.public_url`.
pub const CALLBACK_PATH: &str = "/oauth/tiktok/callback";

/// The wait for a budget that cannot be asked for: outages of Redis are over in seconds.
const UNCOUNTED_WAIT: Duration = Duration::from_secs(5);

/// The application.
#[derive(Clone, Debug)]
pub struct App {
    /// The configuration.
    pub config: Arc<Config>,
    /// The database.
    pub db: Db,
    /// Time.
    pub clock: Clock,
    /// Keys.
    pub vault: Vault,
    /// TikTok.
    pub tiktok: tiktok::Client,
    /// The queue.
    pub queue: Queue,
    /// Uploaded files.
    pub media: MediaStore,
}

impl App {
    /// Connects to everything that `config` names. Migrates nothing and starts no task.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let vault = Vault::new(&config.secrets.master_key).context("secrets.master_key")?;
        let db = Db::connect(
            config.database.url.expose_secret(),
            config.database.max_connections,
        )
        .await
        .context("connecting to the database; check database.url")?;
        let tiktok = tiktok::Client::new(tiktok_config(&config))
            .context("setting up the client of TikTok's API")?;
        let transport = match &config.transport.kind {
            TransportKind::Memory => {
                Arc::new(MemoryTransport::new(clock.clone())) as Arc<dyn Transport>
            }
            TransportKind::Redis(url) => Arc::new(
                RedisTransport::open(url.expose_secret(), &config.transport.prefix)
                    .context("opening Redis; check transport.url")?,
            ),
        };
        let queue = Queue::new(db.clone(), clock.clone(), transport);
        let storage = Storage::open(&config.media.directory.to_string_lossy())
            .context("opening media.url")?;
        let media = MediaStore::new(
            db.clone(),
            storage,
            clock.clone(),
            MediaSettings {
                max_size: config.media.max_file_bytes,
                quota_bytes: config.media.user_quota_bytes,
                quota_count: config.media.user_quota_files,
                low_water: config.media.min_free_bytes,
                upload_ttl: config.media.upload_ttl,
                ..MediaSettings::default()
            },
        );
        Ok(Self {
            config: Arc::new(config),
            db,
            clock,
            vault,
            tiktok,
            queue,
            media,
        })
    }

    /// The registered address that TikTok redirects to.
    pub fn redirect_uri(&self) -> Url {
        let mut url = self.config.http.public_url.clone();
        let path = format!("{}{CALLBACK_PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// Signs and opens upload addresses.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::new(SecretBox::new(Box::new(*self.vault.uploads().expose())))
    }

    /// What stands before an upload's name in its address.
    pub fn uploads_base(&self) -> String {
        let base = self.config.http.public_url.as_str().trim_end_matches('/');
        format!("{base}/uploads")
    }

    /// Enqueues `job` in the caller's transaction, due at `run_at` or now.
    pub async fn enqueue_in_tx(
        &self,
        tx: &impl ConnectionTrait,
        job: Job,
        run_at: Option<Timestamp>,
    ) -> Result<(), DbErr> {
        let now = self.clock.now();
        let run_at = run_at.unwrap_or(now);
        queue::enqueue(tx, now, job.to_new(run_at)).await?;
        Ok(())
    }

    /// Moves the waiting `job` to another time, enqueuing it when it is not there. False, and nothing
    /// to be committed, when it runs already.
    pub async fn reschedule_in_tx(
        &self,
        tx: &impl ConnectionTrait,
        job: &Job,
        run_at: Option<Timestamp>,
    ) -> Result<bool, DbErr> {
        if self.cancel_job_in_tx(tx, job).await? == CancelOutcome::Requested {
            return Ok(false);
        }
        self.enqueue_in_tx(tx, job.clone(), run_at).await?;
        Ok(true)
    }

    /// Cancels the live `job`, if there is one: a waiting one at once, a running one is asked to stop.
    pub async fn cancel_job_in_tx(
        &self,
        tx: &impl ConnectionTrait,
        job: &Job,
    ) -> Result<CancelOutcome, DbErr> {
        let key = job.unique_key();
        match ledger::live(tx, std::slice::from_ref(&key))
            .await?
            .remove(&key)
        {
            Some(id) => ledger::cancel_in(tx, self.clock.now(), id).await,
            None => Ok(CancelOutcome::NotFound),
        }
    }

    /// Due jobs of `queue` may have been committed: look at once.
    pub fn nudge(&self, queue: &str) {
        self.queue.nudge(queue);
    }

    /// Events of `user` were committed: wake the subscriptions, here and elsewhere.
    pub async fn announce(&self, user: UserId) {
        // A lost wake-up delays a subscription until its next scan and loses nothing.
        if let Err(error) = self.queue.publish(&events_topic(user), "").await {
            tracing::debug!(%error, "subscriptions could not be woken");
        }
    }

    /// Takes one call of `endpoint` out of the account's budget, or says how long to wait for it.
    /// While the transport is away nobody counts, so nobody calls: that is a wait too.
    pub async fn budget(&self, account: AccountId, endpoint: Endpoint) -> Option<Duration> {
        let limit = endpoint.per_minute()?;
        let budget = Budget {
            key: format!("{}:{account}", endpoint.label()),
            limit,
            window: RATE_WINDOW,
        };
        // Redis counts by its own clock; a clock that a test moves counts for itself.
        let now = matches!(self.clock, Clock::Manual(_)).then(|| self.clock.now());
        match self.queue.transport().acquire(&[budget], now).await {
            Ok(Acquired::Granted) => None,
            Ok(Acquired::Wait(wait)) => Some(wait),
            Err(error) => {
                tracing::warn!(%error, "calls to TikTok cannot be counted and have to wait");
                Some(UNCOUNTED_WAIT)
            }
        }
    }
}

/// The topic on which the transport wakes a tenant's subscriptions.
pub fn events_topic(user: UserId) -> String {
    format!("events:{user}")
}

fn tiktok_config(config: &Config) -> tiktok::Config {
    let settings = &config.tiktok;
    let mut client =
        tiktok::Config::new(settings.client_key.clone(), settings.client_secret.clone());
    client.authorize_base = settings.authorize_base.clone();
    client.api_base = settings.api_base.clone();
    client.upload_hosts.clone_from(&settings.upload_hosts);
    client.timeouts.call = settings.timeout;
    client.timeouts.upload_stall = settings.stall_timeout;
    client
}
