//! What must hold beyond a single key's form: addresses that make sense, and what a server that others
//! can reach must not do.

use std::str::FromStr as _;

use sea_orm::sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use secrecy::ExposeSecret as _;
use tiktok::limits::PULL_LIFE;

use super::{
    Config,
    load::{DEMO_CLIENT_KEY, DEMO_CLIENT_SECRET},
    plans::PlanName,
    reader::Reader,
};
use crate::fetch::leads_here;

/// The key that the defaults carry; good for a demo only.
const DEMO_MASTER_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The shortest lease: with a shorter one a slow moment loses a healthy job.
const SHORTEST_LEASE_SECS: u64 = 3;

/// Calls a minute that TikTok gives an app for reading videos.
const MOST_CALLS: u32 = 600;

/// Checks the keys against each other.
pub(super) fn check(config: &Config, r: &mut Reader<'_>) {
    database(config.database.url.expose_secret(), r);
    let master = config.secrets.master_key.expose_secret();
    if !r.has_problem("secrets.master_key")
        && hex::decode(master).map(|bytes| bytes.len()) != Ok(32)
    {
        r.secret_problem(
            "secrets.master_key",
            "must be 64 hexadecimal digits; make one with: openssl rand -hex 32",
        );
    }
    tiktok(config, r);
    if config.queue.lease.as_secs() < SHORTEST_LEASE_SECS && !r.has_problem("queue.lease") {
        r.problem(
            "queue.lease",
            "must be at least 3s, or a slow moment loses it",
        );
    }
    if config.posts.photo_address_life < PULL_LIFE && !r.has_problem("posts.photo_address_life") {
        r.problem(
            "posts.photo_address_life",
            "must be at least 1h, which TikTok may take to fetch photos",
        );
    }
    if config.metrics.calls_per_minute > MOST_CALLS && !r.has_problem("metrics.calls_per_minute") {
        r.problem(
            "metrics.calls_per_minute",
            "must be at most 600, which TikTok gives an app",
        );
    }
    // Port 0 is any free port, so two of them differ.
    if config.http.listen.port() != 0 && config.http.admin_listen == Some(config.http.listen) {
        r.problem("http.admin_listen", "must differ from http.listen");
    }
    if config.log.filter.trim().is_empty()
        || tracing_subscriber::EnvFilter::try_new(&config.log.filter).is_err()
    {
        r.problem(
            "log.filter",
            "is not a filter such as info or clipqueue=debug,info",
        );
    }
    sold_plans(config, r);
    debug(config, r);
    public_server(config, r);
}

/// The address may hold a password, so it is never repeated.
fn database(url: &str, r: &mut Reader<'_>) {
    const KEY: &str = "database.url";
    if r.has_problem(KEY) {
        return;
    }
    let understood = if url.starts_with("sqlite:") {
        if url.contains(":memory:") || url.contains("mode=memory") {
            r.secret_problem(
                KEY,
                "must name a file: memory would lose accepted posts at a restart",
            );
            return;
        }
        SqliteConnectOptions::from_str(url)
            .is_ok_and(|options| !options.get_filename().as_os_str().is_empty())
    } else {
        ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
            && PgConnectOptions::from_str(url).is_ok()
    };
    if !understood {
        r.secret_problem(
            KEY,
            "must be sqlite:PATH or postgres://user:password@host/name",
        );
    }
}

fn tiktok(config: &Config, r: &mut Reader<'_>) {
    let empty = "is empty; TikTok's developer portal shows it";
    if config.tiktok.client_key.is_empty() && !r.has_problem("tiktok.client_key") {
        r.problem("tiktok.client_key", empty);
    }
    let secret = config.tiktok.client_secret.expose_secret();
    if secret.is_empty() && !r.has_problem("tiktok.client_secret") {
        r.secret_problem("tiktok.client_secret", empty);
    }
    for (key, url) in [
        ("tiktok.authorize_base", &config.tiktok.authorize_base),
        ("tiktok.api_base", &config.tiktok.api_base),
    ] {
        if url.scheme() == "http" && !leads_here(url) {
            r.problem(key, "must be https: tokens travel there");
        }
    }
    for (key, empty) in [
        ("tiktok.upload_hosts", config.tiktok.upload_hosts.is_empty()),
        ("tiktok.scopes", config.tiktok.scopes.is_empty()),
    ] {
        if empty && !r.has_problem(key) {
            r.problem(key, "must name at least one");
        }
    }
}

/// What strangers are given for nothing, nobody buys: and whoever was cut off would have it again by deleting
/// themselves and signing in once more.
fn sold_plans(config: &Config, r: &mut Reader<'_>) {
    let strangers = config.dashboard.enabled && config.dashboard.sign_up;
    let for_nothing = config
        .plans
        .default
        .is_none_or(|plan| plan == PlanName::Paid);
    if strangers
        && config.paypal.webhook_id.is_some()
        && for_nothing
        && !r.has_problem("plans.default")
    {
        r.problem(
            "plans.default",
            "must be free or trial where strangers sign up (dashboard.sign_up) and PayPal sells paid \
             (paypal.webhook_id); users who should keep paid are given it by `clipqueue user plan`",
        );
    }
}

/// Faults can be asked for on this machine and against the simulator only.
fn debug(config: &Config, r: &mut Reader<'_>) {
    let harmless = config.http.listen.ip().is_loopback()
        && leads_here(&config.http.public_url)
        && leads_here(&config.tiktok.api_base)
        && config.tiktok.client_key == DEMO_CLIENT_KEY;
    for (key, set) in [
        ("debug.crash_at", config.debug.crash_at.is_some()),
        ("debug.clock", config.debug.clock.is_some()),
    ] {
        if set && !harmless {
            r.problem(
                key,
                "is for tests: only a server on this machine that talks to the simulator may have it",
            );
        }
    }
}

/// A server that others can reach needs its own secrets and https.
fn public_server(config: &Config, r: &mut Reader<'_>) {
    let public = !config.http.listen.ip().is_loopback() || !leads_here(&config.http.public_url);
    if !public {
        return;
    }
    if config.fetch.loopback {
        r.problem(
            "fetch.loopback",
            "is for development: it would let users reach services of this machine",
        );
    }
    let outside = "when http.listen or http.public_url leaves this machine";
    if config.http.public_url.scheme() != "https" && !r.has_problem("http.public_url") {
        r.problem("http.public_url", format!("must be https {outside}"));
    }
    let demo = "is the demo's; a server that others can reach needs its own";
    if config.tiktok.client_key == DEMO_CLIENT_KEY {
        r.problem("tiktok.client_key", demo);
    }
    for (key, value, default) in [
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
    ] {
        if value.expose_secret() == default {
            r.secret_problem(key, demo);
        }
    }
}
