//! Builds the layers, reads every key, and checks what holds between keys.

use std::{net::SocketAddr, path::PathBuf};

use figment::{
    Figment, Provider,
    providers::{Env, Format, Toml},
    value::{Dict, Map, Value},
};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::{
    Config, Database, Graphql, Http, Log, LogFormat, Media, Posts, Problems, Queue, Secrets,
    Tiktok, Transport, TransportKind, reader::Reader,
};

/// The reference, compiled in.
const DEFAULTS: &str = include_str!("../../config/default.toml");
/// The key that the defaults carry; good for a demo only.
const DEMO_MASTER_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The client key that the defaults share with the simulator.
pub const DEMO_CLIENT_KEY: &str = "demo-client-key";
/// The secret that the defaults share with the simulator.
pub const DEMO_CLIENT_SECRET: &str = "demo-client-secret";

/// The layers above the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files, later ones win.
    pub files: Vec<PathBuf>,
    /// Whether the environment is read.
    pub environment: bool,
    /// `section.key=value` from the command line.
    pub settings: Vec<(String, String)>,
}

/// Reads and checks the configuration.
pub fn load(sources: &Sources) -> Result<Config, Problems> {
    let figment = layers(sources);
    let mut reader = Reader::new(&figment);
    for file in &sources.files {
        if !file.is_file() {
            reader.problem(
                &file.display().to_string(),
                "is not a file; check the path given with --config",
            );
        }
    }
    let config = read(&mut reader);
    check(&config, &mut reader);
    reader.finish(config)
}

fn layers(sources: &Sources) -> Figment {
    let mut figment = Figment::from(Named(Toml::string(DEFAULTS)));
    for file in &sources.files {
        figment = figment.merge(Toml::file_exact(file));
    }
    if sources.environment {
        figment = figment.merge(Env::prefixed("CLIPQUEUE__").split("__"));
    }
    for (key, value) in &sources.settings {
        figment = figment.merge(Flag { key, value });
    }
    figment
}

/// The compiled-in defaults, named so that a problem's source can be read.
struct Named<P>(P);

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named("config/default.toml")
    }

    fn data(&self) -> Result<Map<figment::Profile, Dict>, figment::Error> {
        self.0.data()
    }
}

struct Flag<'a> {
    key: &'a str,
    value: &'a str,
}

impl Provider for Flag<'_> {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named(format!("flag --set {}", self.key))
    }

    fn data(&self) -> Result<Map<figment::Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(self.key, Value::from(self.value));
        let dict = nested.into_dict().unwrap_or_default();
        Ok(Map::from([(figment::Profile::Default, dict)]))
    }
}

fn read(r: &mut Reader<'_>) -> Config {
    Config {
        http: Http {
            listen: r
                .parsed(
                    "http.listen",
                    "an address and port such as 127.0.0.1:8080",
                    |text| text.parse().ok(),
                )
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
            public_url: address(r, "http.public_url"),
            allowed_origins: r.list("http.allowed_origins"),
            return_to: r.list("http.return_to"),
        },
        database: Database {
            url: r.secret("database.url"),
            max_connections: u32::try_from(r.number("database.max_connections", 2))
                .unwrap_or(u32::MAX),
            migrate_on_start: r.flag("database.migrate_on_start"),
        },
        transport: Transport {
            kind: transport(r),
            prefix: r
                .parsed(
                    "transport.prefix",
                    "a word of letters, digits and dashes",
                    |text| {
                        let fits = !text.is_empty()
                            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
                        fits.then(|| text.to_owned())
                    },
                )
                .unwrap_or_default(),
        },
        media: Media {
            directory: PathBuf::from(r.text("media.url").trim_start_matches("file://").to_owned()),
            max_file_bytes: r.number("media.max_file_bytes", 1),
            user_quota_bytes: r.number("media.user_quota_bytes", 1),
            user_quota_files: r.number("media.user_quota_files", 1),
            min_free_bytes: r.number("media.min_free_bytes", 0),
            upload_ttl: r.duration("media.upload_ttl"),
            upload_url_ttl: r.duration("media.upload_url_ttl"),
        },
        tiktok: Tiktok {
            client_key: r.text("tiktok.client_key"),
            client_secret: r.secret("tiktok.client_secret"),
            authorize_base: address(r, "tiktok.authorize_base"),
            api_base: address(r, "tiktok.api_base"),
            upload_hosts: r.list("tiktok.upload_hosts"),
            audited: r.flag("tiktok.audited"),
            scopes: r.list("tiktok.scopes"),
            timeout: r.duration("tiktok.timeout"),
            stall_timeout: r.duration("tiktok.stall_timeout"),
        },
        secrets: Secrets {
            master_key: r.secret("secrets.master_key"),
        },
        queue: Queue {
            uploads: r.count("queue.uploads", 1),
            status: r.count("queue.status", 1),
            tokens: r.count("queue.tokens", 1),
            purge: r.count("queue.purge", 1),
            per_creator: r.count("queue.per_creator", 1),
            lease: r.duration("queue.lease"),
            scan_interval: r.duration("queue.scan_interval"),
            grace: r.duration("queue.grace"),
            keep_finished: r.duration("queue.keep_finished"),
        },
        posts: Posts {
            late_limit: r.duration("posts.late_limit"),
            processing_deadline: r.duration("posts.processing_deadline"),
            inbox_deadline: r.duration("posts.inbox_deadline"),
            held_deadline: r.duration("posts.held_deadline"),
            max_attempts: u32::try_from(r.number("posts.max_attempts", 1)).unwrap_or(u32::MAX),
        },
        graphql: Graphql {
            introspection: r.flag("graphql.introspection"),
            max_depth: r.count("graphql.max_depth", 5),
            max_cost: r.count("graphql.max_cost", 50),
            timeout: r.duration("graphql.timeout"),
        },
        log: Log {
            format: r
                .parsed("log.format", "json or pretty", |text| match text {
                    "json" => Some(LogFormat::Json),
                    "pretty" => Some(LogFormat::Pretty),
                    _ => None,
                })
                .unwrap_or(LogFormat::Pretty),
            filter: r.text("log.filter"),
        },
    }
}

fn address(r: &mut Reader<'_>, key: &str) -> Url {
    r.parsed(key, "an http or https address", |text| {
        Url::parse(text.trim_end_matches('/'))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    })
    .unwrap_or_else(|| Url::parse("http://127.0.0.1").expect("a constant address parses"))
}

fn transport(r: &mut Reader<'_>) -> TransportKind {
    let url = r.secret("transport.url");
    match url.expose_secret() {
        "memory:" => TransportKind::Memory,
        text if ["redis://", "rediss://", "redis+unix://"]
            .iter()
            .any(|scheme| text.starts_with(scheme)) =>
        {
            TransportKind::Redis(url)
        }
        // The text may hold a password, so it is not repeated.
        _ => {
            r.problem("transport.url", "must be memory: or redis://host:port/db");
            TransportKind::Memory
        }
    }
}

/// What must hold between keys.
fn check(config: &Config, r: &mut Reader<'_>) {
    let database = config.database.url.expose_secret();
    if !["sqlite:", "postgres://", "postgresql://"]
        .iter()
        .any(|scheme| database.starts_with(scheme))
    {
        r.problem(
            "database.url",
            "must be sqlite:PATH or postgres://user:password@host/name",
        );
    } else if database.starts_with("sqlite::memory:") {
        r.problem(
            "database.url",
            "must name a file: memory would lose accepted posts",
        );
    }
    let key = config.secrets.master_key.expose_secret();
    if hex::decode(key).map(|bytes| bytes.len()) != Ok(32) {
        r.problem(
            "secrets.master_key",
            "must be 64 hexadecimal digits; make one with: openssl rand -hex 32",
        );
    }
    for (key, value) in [
        ("tiktok.client_key", config.tiktok.client_key.as_str()),
        (
            "tiktok.client_secret",
            config.tiktok.client_secret.expose_secret(),
        ),
    ] {
        if value.is_empty() {
            r.problem(key, "is empty; TikTok's developer portal shows it");
        }
    }
    for (key, url) in [
        ("tiktok.authorize_base", &config.tiktok.authorize_base),
        ("tiktok.api_base", &config.tiktok.api_base),
    ] {
        if url.scheme() == "http" && !is_loopback(url) {
            r.problem(key, "must be https: tokens travel there");
        }
    }
    if config.queue.lease.as_secs() < 3 {
        r.problem(
            "queue.lease",
            "must be at least 3s, or a slow moment loses it",
        );
    }
    check_public(config, r);
}

/// A server that others can reach needs its own secrets and https.
fn check_public(config: &Config, r: &mut Reader<'_>) {
    let public = !config.http.listen.ip().is_loopback() || !is_loopback(&config.http.public_url);
    if !public {
        return;
    }
    if config.http.public_url.scheme() != "https" {
        r.problem(
            "http.public_url",
            "must be https when http.listen or http.public_url leaves this machine",
        );
    }
    let demo: [(&str, &SecretString, &str); 2] = [
        (
            "secrets.master_key",
            &config.secrets.master_key,
            DEMO_MASTER_KEY,
        ),
        (
            "tiktok.client_secret",
            &config.tiktok.client_secret,
            DEMO_CLIENT_SECRET,
        ),
    ];
    for (key, value, default) in demo {
        if value.expose_secret() == default {
            r.problem(
                key,
                "is the demo's; a server that others can reach needs its own",
            );
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
