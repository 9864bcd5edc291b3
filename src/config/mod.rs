//! Configuration: `config/default.toml` < files < environment < flags, checked as a whole.
//!
//! [`load()`] reads every layer, reports unknown keys and all invalid values together, each with the
//! place that it came from, and only then returns a [`Config`]. A `Config` that exists is valid.
//! Secret values never appear in a problem's text.

mod check;
mod layers;
mod load;
mod reader;
mod units;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;
use tiktok::HostRule;
use url::Url;

pub use load::{DEMO_CLIENT_KEY, DEMO_CLIENT_SECRET, Sources, known_keys, load};
pub use reader::{Problem, Problems};
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
    /// Keys.
    pub secrets: Secrets,
    /// Workers.
    pub queue: Queue,
    /// Rules for posts.
    pub posts: Posts,
    /// Limits of the GraphQL endpoint.
    pub graphql: Graphql,
    /// Logs.
    pub log: Log,
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
    /// A directory.
    pub directory: PathBuf,
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
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Per call.
    pub timeout: Duration,
    /// Per silence during an upload.
    pub stall_timeout: Duration,
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
    /// Concurrent clean-up jobs.
    pub purge: usize,
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
    /// Deadline of PROCESSING.
    pub processing_deadline: Duration,
    /// Deadline of IN_INBOX.
    pub inbox_deadline: Duration,
    /// Deadline of HELD.
    pub held_deadline: Duration,
    /// Attempts that start by themselves.
    pub max_attempts: u32,
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

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// The shape of a line.
    pub format: LogFormat,
    /// Filter directives.
    pub filter: String,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}
