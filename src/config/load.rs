//! Builds the layers and reads every key.

use std::{collections::BTreeSet, ffi::OsString, net::SocketAddr, path::PathBuf};

use secrecy::ExposeSecret as _;
use url::Url;

use super::{
    Config, Console, Dashboard, Database, Debug, Erasure, Fetch, Graphql, Http, Log, LogFormat,
    Media, Metrics, Operations, Posts, Problems, Queue, Secrets, Tiktok, Transport, TransportKind,
    WhenRemoved, check::check, layers::Layers, mail, oidc, place::media_place, plans,
    reader::Reader, retention::retention,
};

/// The reference, compiled in.
const DEFAULTS: &str = include_str!("../../config/default.toml");
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
    let variables = if sources.environment {
        std::env::vars_os().collect()
    } else {
        Vec::new()
    };
    load_with(sources, variables)
}

fn load_with(sources: &Sources, variables: Vec<(OsString, OsString)>) -> Result<Config, Problems> {
    let mut layers = Layers::default();
    let mut problems = Vec::new();
    problems.extend(layers.toml("config/default.toml", DEFAULTS).err());
    for file in &sources.files {
        problems.extend(layers.file(file).err());
    }
    problems.extend(layers.environment(variables));
    layers.flags(&sources.settings);
    let mut reader = Reader::new(&layers, problems);
    let mut config = read(&mut reader);
    check(&config, &mut reader);
    config.warnings = reader.warnings().to_vec();
    reader.finish()?;
    Ok(config)
}

/// Every key that is read, file twins included.
pub fn known_keys() -> BTreeSet<String> {
    let layers = Layers::default();
    let mut reader = Reader::new(&layers, Vec::new());
    read(&mut reader);
    reader.known().clone()
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
            admin_listen: r
                .parsed(
                    "http.admin_listen",
                    "empty, or an address and port such as 127.0.0.1:9090",
                    |text| match text {
                        "" => Some(None),
                        text => text.parse().ok().map(Some),
                    },
                )
                .flatten(),
            proxies: r.count("http.proxies", 0),
            allowed_origins: r.parsed_list(
                "http.allowed_origins",
                "an origin such as https://app.example.com",
                origin,
            ),
            return_to: r.parsed_list("http.return_to", "an http or https address", |text| {
                web_address(text).map(|_| text.to_owned())
            }),
            drain_delay: r.duration_or_zero("http.drain_delay").unwrap_or_default(),
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
            timeout: r.duration("transport.timeout"),
        },
        media: Media {
            place: media_place(r),
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
            upload_hosts: r.parsed_list(
                "tiktok.upload_hosts",
                "a host such as *.example.com, up.example.com, host:port or localhost:*",
                |text| text.parse().ok(),
            ),
            audited: r.flag("tiktok.audited"),
            posts_per_day: cap(r, "tiktok.posts_per_day"),
            pending_drafts: u32::try_from(r.number("tiktok.pending_drafts", 1)).unwrap_or(u32::MAX),
            creators_per_day: cap(r, "tiktok.creators_per_day"),
            scopes: r.parsed_list("tiktok.scopes", "a scope such as video.publish", scope),
            timeout: r.duration("tiktok.timeout"),
            stall_timeout: r.duration("tiktok.stall_timeout"),
            webhook_max_age: r.duration("tiktok.webhook_max_age"),
        },
        fetch: Fetch {
            ports: r.parsed_list("fetch.ports", "a port such as 443", |text| {
                text.parse().ok().filter(|port| *port > 0)
            }),
            loopback: r.flag("fetch.loopback"),
        },
        secrets: Secrets {
            master_key: r.secret("secrets.master_key"),
        },
        queue: Queue {
            uploads: r.count("queue.uploads", 1),
            status: r.count("queue.status", 1),
            tokens: r.count("queue.tokens", 1),
            metrics: r.count("queue.metrics", 1),
            purge: r.count("queue.purge", 1),
            ops: r.count("queue.ops", 1),
            outbound: r.count("queue.outbound", 1),
            imports: r.count("queue.imports", 1),
            per_creator: r.count("queue.per_creator", 1),
            lease: r.duration("queue.lease"),
            grace: r.duration("queue.grace"),
            keep_finished: r.duration("queue.keep_finished"),
        },
        posts: Posts {
            late_limit: r.duration("posts.late_limit"),
            late_tolerance: r.duration("posts.late_tolerance"),
            processing_deadline: r.duration("posts.processing_deadline"),
            inbox_deadline: r.duration("posts.inbox_deadline"),
            photo_address_life: r.duration("posts.photo_address_life"),
            held_deadline: r.duration("posts.held_deadline"),
            max_attempts: u32::try_from(r.number("posts.max_attempts", 1)).unwrap_or(u32::MAX),
        },
        metrics: Metrics {
            calls_per_minute: u32::try_from(r.number("metrics.calls_per_minute", 0))
                .unwrap_or(u32::MAX),
            max_videos: u32::try_from(r.number("metrics.max_videos", 20)).unwrap_or(u32::MAX),
        },
        plans: plans::read(r),
        mail: mail::mail(r),
        paypal: mail::paypal(r),
        operations: Operations {
            drift_sample: r.number("operations.drift_sample", 0),
            keep_audit: r.duration("operations.keep_audit"),
        },
        erasure: Erasure {
            when_removed: r
                .parsed(
                    "erasure.when_removed",
                    "delete or hold",
                    |text| match text {
                        "delete" => Some(WhenRemoved::Delete),
                        "hold" => Some(WhenRemoved::Hold),
                        _ => None,
                    },
                )
                .unwrap_or(WhenRemoved::Delete),
            look_again_after: r.duration("erasure.look_again_after"),
            keep: r.duration("erasure.keep"),
        },
        retention: retention(r),
        graphql: Graphql {
            introspection: r.flag("graphql.introspection"),
            max_depth: r.count("graphql.max_depth", 5),
            max_cost: r.count("graphql.max_cost", 50),
            timeout: r.duration("graphql.timeout"),
        },
        console: Console {
            enabled: r.flag("console.enabled"),
            session_idle: r.duration("console.session_idle"),
            session_life: r.duration("console.session_life"),
            oidc: oidc::oidc(r),
        },
        dashboard: Dashboard {
            enabled: r.flag("dashboard.enabled"),
            sign_up: r.flag("dashboard.sign_up"),
            session_idle: r.duration("dashboard.session_idle"),
            session_life: r.duration("dashboard.session_life"),
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
            directory: Some(r.text("log.directory"))
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        },
        debug: Debug {
            crash_at: r
                .parsed(
                    "debug.crash_at",
                    "empty, or a crash point such as after.call.video_init:1",
                    |text| match text {
                        "" => Some(None),
                        text => text.parse().ok().map(Some),
                    },
                )
                .flatten(),
            clock: Some(r.text("debug.clock"))
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        },
        warnings: Vec::new(),
    }
}

fn address(r: &mut Reader<'_>, key: &str) -> Url {
    r.parsed(
        key,
        "an http or https address without user, query and fragment",
        |text| {
            web_address(text.trim_end_matches('/')).filter(|url| {
                let plain = url.query().is_none() && url.fragment().is_none();
                plain && url.username().is_empty() && url.password().is_none()
            })
        },
    )
    .unwrap_or_else(|| Url::parse("https://127.0.0.1").expect("a constant address parses"))
}

/// A number of which zero means that there is none.
fn cap(r: &mut Reader<'_>, key: &str) -> Option<u32> {
    match r.number(key, 0) {
        0 => None,
        number => Some(u32::try_from(number).unwrap_or(u32::MAX)),
    }
}

fn web_address(text: &str) -> Option<Url> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A page's origin as browsers write it: scheme, host, and a port that is not the scheme's own.
fn origin(text: &str) -> Option<String> {
    let url = web_address(text)?;
    let origin = url.origin().ascii_serialization();
    // Anything behind the port would be ignored, so that more would be allowed than was meant.
    (url.as_str().trim_end_matches('/') == origin).then_some(origin)
}

fn scope(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_'));
    fits.then(|| text.to_owned())
}

fn transport(r: &mut Reader<'_>) -> TransportKind {
    const KEY: &str = "transport.url";
    let url = r.secret(KEY);
    let text = url.expose_secret();
    if r.has_problem(KEY) || text == "memory:" {
        return TransportKind::Memory;
    }
    let server = Url::parse(text).is_ok_and(|url| match url.scheme() {
        "redis" | "rediss" => {
            let database = url.path().trim_start_matches('/');
            url.has_host() && (database.is_empty() || database.parse::<u32>().is_ok())
        }
        "redis+unix" | "unix" => !url.path().is_empty(),
        _ => false,
    });
    if server {
        return TransportKind::Redis(url);
    }
    // The text may hold a password, so it is not repeated.
    r.secret_problem(KEY, "must be memory: or redis://host:port/db");
    TransportKind::Memory
}
