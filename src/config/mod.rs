//! Configuration: `config/default.toml` < files < environment < flags, checked as a whole.
//!
//! [`load()`] reads every layer, reports unknown keys and all invalid values together, each with the
//! place that it came from, and only then returns a [`Config`]. A `Config` that exists is valid.
//! Secret values never appear in a problem's text.

mod check;
mod layers;
mod load;
pub mod mail;
pub mod oidc;
mod place;
pub mod plans;
mod reader;
mod retention;
mod units;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;
use tiktok::HostRule;
use url::Url;

use crate::crash::CrashAt;

pub use load::{DEMO_CLIENT_KEY, DEMO_CLIENT_SECRET, Sources, known_keys, load};
pub use mail::{AfterCutoff, Mail, Paypal, PaypalPlan};
pub use oidc::Oidc;
pub use plans::{Plan, PlanName, Plans};
pub use reader::{Problem, Problems};
pub use retention::Retention;
pub use units::parse_duration;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The HTTP server.
    pub http: Http,
    /// The database.
    pub database: Database,
    /// What carries pointers to due jobs.
    pub transport: Transport,
    /// Uploaded files.
    pub media: Media,
    /// TikTok's API.
    pub tiktok: Tiktok,
    /// Addresses that users name.
    pub fetch: Fetch,
    /// Keys.
    pub secrets: Secrets,
    /// Workers.
    pub queue: Queue,
    /// Rules for posts.
    pub posts: Posts,
    /// Reading counters.
    pub metrics: Metrics,
    /// What users may use.
    pub plans: Plans,
    /// Letters to people.
    pub mail: Mail,
    /// What users pay.
    pub paypal: Paypal,
    /// Watches over the installation.
    pub operations: Operations,
    /// Deleting what is known of people.
    pub erasure: Erasure,
    /// How long things are kept.
    pub retention: Retention,
    /// Limits of the GraphQL endpoint.
    pub graphql: Graphql,
    /// The operators' console.
    pub console: Console,
    /// Users with a browser.
    pub dashboard: Dashboard,
    /// Logs.
    pub log: Log,
    /// Faults that tests ask for.
    pub debug: Debug,
    /// What is allowed and yet unwise; to be logged once logs exist.
    pub warnings: Vec<Problem>,
}

/// `[http]`
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How others reach us; has no trailing slash in its path.
    pub public_url: Url,
    /// Where to serve `/readyz` and `/metrics` instead of `listen`.
    pub admin_listen: Option<SocketAddr>,
    /// Proxies before us that each add the address of whoever asked them.
    pub proxies: usize,
    /// Further browser origins, as browsers write them.
    pub allowed_origins: Vec<String>,
    /// How long requests are still served after readiness said that the process stops.
    pub drain_delay: Duration,
    /// Allowed prefixes of addresses to return to after consent.
    pub return_to: Vec<String>,
}

/// `[database]`
#[derive(Clone, Debug)]
pub struct Database {
    /// The connection address; holds a password.
    pub url: SecretString,
    /// Pool size on PostgreSQL.
    pub max_connections: u32,
    /// Whether to migrate at start.
    pub migrate_on_start: bool,
}

/// `[transport]`
#[derive(Clone, Debug)]
pub struct Transport {
    /// Where pointers travel.
    pub kind: TransportKind,
    /// First part of Redis keys.
    pub prefix: String,
    /// The longest call to Redis.
    pub timeout: Duration,
}

/// Where pointers to due jobs travel.
#[derive(Clone, Debug)]
pub enum TransportKind {
    /// Inside this process.
    Memory,
    /// Through Redis at this address, which may hold a password.
    Redis(SecretString),
}

/// `[media]`
#[derive(Clone, Debug)]
pub struct Media {
    /// Where files are kept.
    pub place: MediaPlace,
    /// Largest file, bytes.
    pub max_file_bytes: u64,
    /// Bytes one user may store.
    pub user_quota_bytes: u64,
    /// Files one user may store.
    pub user_quota_files: u64,
    /// Free bytes below which uploads are refused.
    pub min_free_bytes: u64,
    /// Life of an unfinished upload.
    pub upload_ttl: Duration,
    /// Life of an upload address.
    pub upload_url_ttl: Duration,
}

/// Where uploaded files are kept.
#[derive(Clone, Debug)]
pub enum MediaPlace {
    /// In this directory.
    Directory(PathBuf),
    /// In this bucket.
    S3(S3),
}

/// A bucket of an S3-compatible store.
#[derive(Clone, Debug)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// What stands before every key; may be empty.
    pub prefix: String,
    /// The store's address; AWS's own, when absent.
    pub endpoint: Option<Url>,
    /// The region.
    pub region: String,
    /// The id of the key.
    pub access_key_id: SecretString,
    /// The key.
    pub secret_access_key: SecretString,
    /// Whether the bucket stands in the path.
    pub path_style: bool,
}

/// `[tiktok]`
#[derive(Clone, Debug)]
pub struct Tiktok {
    /// Client key.
    pub client_key: String,
    /// Client secret.
    pub client_secret: SecretString,
    /// Base of the consent page.
    pub authorize_base: Url,
    /// Base of the API.
    pub api_base: Url,
    /// Allowed upload hosts.
    pub upload_hosts: Vec<HostRule>,
    /// Whether the app is audited.
    pub audited: bool,
    /// Direct posts of a creator and day, if the operator caps them.
    pub posts_per_day: Option<u32>,
    /// Drafts that may wait in a creator's inbox.
    pub pending_drafts: u32,
    /// Creators of an audited app and day, if known.
    pub creators_per_day: Option<u32>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Per call.
    pub timeout: Duration,
    /// Per silence during an upload.
    pub stall_timeout: Duration,
    /// How old the signature of a webhook may be.
    pub webhook_max_age: Duration,
}

/// `[fetch]`
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Allowed ports.
    pub ports: Vec<u16>,
    /// Whether this machine may be asked.
    pub loopback: bool,
}

/// `[secrets]`
#[derive(Clone, Debug)]
pub struct Secrets {
    /// 64 hexadecimal digits.
    pub master_key: SecretString,
}

/// `[queue]`
#[derive(Clone, Debug)]
pub struct Queue {
    /// Concurrent uploads.
    pub uploads: usize,
    /// Concurrent status polls.
    pub status: usize,
    /// Concurrent token refreshes.
    pub tokens: usize,
    /// Accounts whose counters are read at the same time.
    pub metrics: usize,
    /// Concurrent clean-up jobs.
    pub purge: usize,
    /// Concurrent acts of operators and watches.
    pub ops: usize,
    /// Concurrent webhooks and checks of sources.
    pub outbound: usize,
    /// Concurrent imports.
    pub imports: usize,
    /// Concurrent jobs per creator and queue.
    pub per_creator: usize,
    /// Lease of a running job.
    pub lease: Duration,
    /// Grace at stop.
    pub grace: Duration,
    /// Retention of finished jobs.
    pub keep_finished: Duration,
}

/// `[posts]`
#[derive(Clone, Debug)]
pub struct Posts {
    /// How late a post may still go.
    pub late_limit: Duration,
    /// How late a post that is held when late may still go.
    pub late_tolerance: Duration,
    /// Deadline of PROCESSING.
    pub processing_deadline: Duration,
    /// Deadline of IN_INBOX.
    pub inbox_deadline: Duration,
    /// How long TikTok may fetch the photos of a post.
    pub photo_address_life: Duration,
    /// Deadline of HELD.
    pub held_deadline: Duration,
    /// Attempts that start by themselves.
    pub max_attempts: u32,
}

/// `[metrics]`
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Calls of the app's budget that the plan may use in a minute; 0 reads no counters.
    pub calls_per_minute: u32,
    /// Videos of an account that are read as a whole.
    pub max_videos: u32,
}

/// `[operations]`
#[derive(Clone, Debug)]
pub struct Operations {
    /// Posts held against TikTok's word by one drift audit.
    pub drift_sample: u64,
    /// Retention of the audit log.
    pub keep_audit: Duration,
}

/// `[erasure]`
#[derive(Clone, Debug)]
pub struct Erasure {
    /// What TikTok's word that a grant is over does to the account.
    pub when_removed: WhenRemoved,
    /// How long after the last step everything is looked at again.
    pub look_again_after: Duration,
    /// Retention of receipts and tombstones.
    pub keep: Duration,
}

/// What TikTok's word that a creator ended the grant does to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenRemoved {
    /// It is erased, as if its owner had disconnected it.
    Delete,
    /// It waits for the creator to connect again.
    Hold,
}

/// `[graphql]`
#[derive(Clone, Debug)]
pub struct Graphql {
    /// Whether everybody may introspect.
    pub introspection: bool,
    /// Deepest nesting.
    pub max_depth: usize,
    /// Highest cost.
    pub max_cost: usize,
    /// Longest run.
    pub timeout: Duration,
}

/// `[console]`
#[derive(Clone, Debug)]
pub struct Console {
    /// Whether it is served.
    pub enabled: bool,
    /// How long a session lasts without use.
    pub session_idle: Duration,
    /// How long it lasts at most.
    pub session_life: Duration,
    /// `[console.oidc]`: where operators may sign in besides by key.
    pub oidc: Option<Oidc>,
}

/// `[dashboard]`
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// Whether users may sign in.
    pub enabled: bool,
    /// Whether somebody becomes a user by signing in.
    pub sign_up: bool,
    /// How long a session lasts without use.
    pub session_idle: Duration,
    /// How long it lasts at most.
    pub session_life: Duration,
}

/// `[debug]`: off, and refused for a server that is not on this machine with the simulator.
#[derive(Clone, Debug)]
pub struct Debug {
    /// Where the process shall die.
    pub crash_at: Option<CrashAt>,
    /// The file that steers the process's clock.
    pub clock: Option<PathBuf>,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// The shape of a line.
    pub format: LogFormat,
    /// Filter directives.
    pub filter: String,
    /// Where a file is written for each day besides; none, when there are none.
    pub directory: Option<PathBuf>,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}
