//! What a process must not start with, and that it says why.

use std::net::TcpListener;

use super::Installation;
use crate::support::servers::{self, RedisServer};

#[tokio::test]
async fn api_and_worker_need_a_transport_that_reaches_others() {
    let home = Installation::new();
    for args in [&["api"][..], &["worker"], &["worker", "--queues", "status"]] {
        home.run(args)
            .await
            .refused(&["transport.url is memory:", "clipqueue serve"]);
    }
}

#[tokio::test]
async fn a_queue_that_does_not_exist_is_refused() {
    let home = Installation::new();
    home.run(&["worker", "--queues", "uploads,dreams"])
        .await
        .refused(&[
            "no queue `dreams`",
            "uploads, status, tokens, metrics, purge, ops, outbound, imports",
        ]);
}

#[tokio::test]
async fn pending_migrations_are_refused_when_they_are_not_applied_at_start() {
    let home = Installation::new().with("database.migrate_on_start", "false");
    home.run(&["serve"])
        .await
        .refused(&["migrations are pending", "clipqueue migrate up"]);
}

#[tokio::test]
async fn another_master_key_is_refused() {
    let home = Installation::new();
    home.run(&["key", "create", "--user", "ada"]).await.good();
    let other = "ab".repeat(32);
    let home = home.with("secrets.master_key", &other);
    let err = home
        .run(&["serve"])
        .await
        .refused(&["secrets.master_key is not the key that sealed this database"]);
    assert!(!err.contains(&other));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = Installation::new().with("http.listen", &address);
    home.run(&["serve"])
        .await
        .refused(&["listening on", &address, "check http.listen"]);
    // Whoever holds the port may be the server that runs: nothing was touched.
    assert!(!home.path("data").exists());

    let home = Installation::new().with("http.admin_listen", &address);
    home.run(&["serve"])
        .await
        .refused(&["listening on", &address, "check http.admin_listen"]);
}

#[tokio::test]
async fn a_public_server_with_the_demos_secrets_is_refused_as_a_whole() {
    let home = Installation::new().with("http.listen", "0.0.0.0:0");
    home.run(&["serve"]).await.refused(&[
        "4 problems",
        "http.public_url",
        "must be https",
        "secrets.master_key",
        "tiktok.client_key",
        "tiktok.client_secret",
        "is the demo's",
    ]);
}

#[tokio::test]
async fn databases_and_redis_that_are_away_are_named_without_their_passwords() {
    let home = Installation::new().with("database.url", "postgres://u:hidden@127.0.0.1:1/none");
    let err = home.run(&["serve"]).await.refused(&["check database.url"]);
    assert!(!err.contains("hidden"));
    let home = Installation::new().with("transport.url", "redis://:hidden@127.0.0.1:1/0");
    let err = home.run(&["serve"]).await.refused(&["check transport.url"]);
    assert!(!err.contains("hidden"));
}

#[tokio::test]
async fn a_redis_that_evicts_is_refused_until_it_does_not() {
    let redis = RedisServer::start().await;
    let policy = async |policy: &str| {
        redis
            .command(&["CONFIG", "SET", "maxmemory-policy", policy])
            .await
            .unwrap();
    };
    let home = Installation::new()
        .with("transport.url", redis.url())
        .with("transport.prefix", servers::redis_prefix());
    policy("allkeys-lru").await;
    let why = ["maxmemory-policy is allkeys-lru", "noeviction"];
    home.run(&["serve"]).await.refused(&why);
    let told = home.run(&["doctor"]).await;
    assert!(told.out.contains("FAIL  redis"), "{}", told.out);
    policy("noeviction").await;
    home.serve().await;
}
