//! The one struct that every part is given: configuration, connections, clock and keys.
//!
//! Built once at start, cloned freely (everything inside is shared), passed as `&App`. It also says
//! in the product's words what the domain needs of the queue, so that the domain names jobs and not
//! rows.

use std::sync::Arc;

use anyhow::Context as _;
use clipqueue_entities::{Timestamp, UserId};
use sea_orm::{ConnectionTrait, DbErr};
use secrecy::{ExposeSecret as _, SecretBox};
use url::Url;

use crate::{
    calls::Calls,
    clock::Clock,
    config::{self, Config, MediaPlace, Oidc, TransportKind},
    db::Db,
    fetch::{Fetcher, Patience, Policy, SystemResolver},
    job::Job,
    mail::Mailer,
    media::{Capabilities, MediaSettings, MediaStore, S3Address, Storage, StorageError},
    oidc::Provider,
    paypal::Signatures,
    queue::{
        self, Queue,
        ledger::{self, CancelOutcome, Hastened},
        transport::{Transport, memory::MemoryTransport, redis::RedisTransport},
    },
    remote::Tiktok,
    secrets::Vault,
};

/// Where TikTok sends the creator's browser back to, below `http.public_url`.
pub const CALLBACK_PATH: &str = "/oauth/tiktok/callback";

/// Where the pages of erasures are, below `http.public_url`.
pub const ERASURE_PATH: &str = "/erasure";

/// Where anybody can ask for deletion, below `http.public_url`.
pub const DELETION_PATH: &str = "/privacy/delete";

/// Where the pages of requests for deletion are, below `http.public_url`.
pub const DELETION_REQUEST_PATH: &str = "/privacy/requests";

/// Where the provider of operators' identities sends the browser back to, below `http.public_url`.
pub const OIDC_CALLBACK_PATH: &str = "/ops/oidc/callback";

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
    pub tiktok: Tiktok,
    /// Leave to call TikTok.
    pub calls: Calls,
    /// The queue.
    pub queue: Queue,
    /// Uploaded files.
    pub media: MediaStore,
    /// What asks addresses that users name.
    pub fetch: Fetcher,
    /// What hands letters over.
    pub mail: Mailer,
    /// What knows PayPal's signature.
    pub paypal: Signatures,
    /// Where operators may sign in besides by key.
    pub oidc: Option<Provider>,
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
        let tiktok =
            Tiktok::new(tiktok_config(&config)).context("setting up the client of TikTok's API")?;
        let transport = match &config.transport.kind {
            TransportKind::Memory => {
                Arc::new(MemoryTransport::new(clock.clone())) as Arc<dyn Transport>
            }
            TransportKind::Redis(url) => {
                let config::Transport {
                    prefix, timeout, ..
                } = &config.transport;
                let redis = RedisTransport::open(url.expose_secret(), prefix, *timeout);
                Arc::new(redis.context("opening Redis; check transport.url")?)
            }
        };
        let queue = Queue::new(db.clone(), clock.clone(), transport);
        let storage = storage(&config.media.place).context("opening media.url")?;
        let media = MediaStore::new(
            db.clone(),
            storage,
            clock.clone(),
            MediaSettings {
                max_size: config.media.max_file_bytes,
                quota_bytes: config.media.user_quota_bytes,
                quota_count: config.media.user_quota_files,
                plans: config.plans.clone(),
                low_water: config.media.min_free_bytes,
                upload_ttl: config.media.upload_ttl,
                ..MediaSettings::default()
            },
        );
        let fetch = Fetcher::new(
            Policy {
                ports: config.fetch.ports.clone(),
                loopback: config.fetch.loopback,
            },
            Patience::default(),
            Arc::new(SystemResolver::default()),
        )
        .context("setting up the fetcher")?;
        let mail = Mailer::new(&config.mail.outbox, &config.mail.from)?;
        let paypal = Signatures::new(&config.paypal).context("paypal.roots")?;
        let calls = Calls::new(queue.clone(), clock.clone());
        let provider = |settings: &Oidc| {
            let redirect = below(&config.http.public_url, OIDC_CALLBACK_PATH);
            Provider::new(
                settings.clone(),
                redirect,
                Patience::default(),
                clock.clone(),
            )
        };
        let oidc = config.console.oidc.as_ref().map(provider).transpose();
        let oidc = oidc.context("console.oidc")?;
        Ok(Self {
            config: Arc::new(config),
            db,
            clock,
            vault,
            tiktok,
            calls,
            queue,
            media,
            fetch,
            mail,
            paypal,
            oidc,
        })
    }

    /// The registered address that TikTok redirects to.
    pub fn redirect_uri(&self) -> Url {
        self.page(CALLBACK_PATH)
    }

    /// The page of the erasure with this code.
    pub fn erasure_url(&self, code: &str) -> Url {
        self.page(&format!("{ERASURE_PATH}/{code}"))
    }

    /// The page of the request for deletion with this code.
    pub fn deletion_request_url(&self, code: &str) -> Url {
        self.page(&format!("{DELETION_REQUEST_PATH}/{code}"))
    }

    /// The page on which anybody can ask for deletion.
    pub fn deletion_form_url(&self) -> Url {
        self.page(DELETION_PATH)
    }

    fn page(&self, path: &str) -> Url {
        below(&self.config.http.public_url, path)
    }

    /// What stands before every path: that of `http.public_url`, without a slash at its end.
    pub fn base_path(&self) -> &str {
        self.config.http.public_url.path().trim_end_matches('/')
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

    /// The same for several jobs, each with its time.
    pub async fn enqueue_many_in_tx(
        &self,
        tx: &impl ConnectionTrait,
        jobs: Vec<(Job, Option<Timestamp>)>,
    ) -> Result<(), DbErr> {
        let now = self.clock.now();
        let new = jobs
            .into_iter()
            .map(|(job, run_at)| job.to_new(run_at.unwrap_or(now)))
            .collect();
        queue::enqueue_many(tx, now, new).await?;
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

    /// Makes the waiting `job` due now, enqueuing it when it is not there. One that runs or is held is
    /// left alone, and the answer says so.
    pub async fn hasten_in_tx(
        &self,
        tx: &impl ConnectionTrait,
        job: &Job,
    ) -> Result<Hastened, DbErr> {
        let now = self.clock.now();
        let hastened = ledger::hasten_in(tx, now, &job.unique_key()).await?;
        if hastened == Hastened::Absent {
            self.enqueue_in_tx(tx, job.clone(), None).await?;
        }
        Ok(hastened)
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
}

/// The address of a path of ours.
fn below(public: &Url, path: &str) -> Url {
    let mut url = public.clone();
    let path = format!("{}{path}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// The topic on which the transport wakes a tenant's subscriptions.
pub fn events_topic(user: UserId) -> String {
    format!("events:{user}")
}

fn storage(place: &MediaPlace) -> Result<Storage, StorageError> {
    match place {
        MediaPlace::Directory(path) => Storage::open(&path.to_string_lossy()),
        MediaPlace::S3(s3) => Storage::s3(&S3Address {
            bucket: s3.bucket.clone(),
            prefix: s3.prefix.clone(),
            endpoint: s3.endpoint.clone(),
            region: s3.region.clone(),
            access_key_id: s3.access_key_id.clone(),
            secret_access_key: s3.secret_access_key.clone(),
            path_style: s3.path_style,
        }),
    }
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
