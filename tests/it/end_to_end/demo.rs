//! `clipqueue demo --exit`, as `make demo EXIT=1` runs it.

use std::time::Duration;

use tokio::time::Instant;

use super::child::Child;
use crate::support::servers;

/// The demo must end within this time once it is built.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_ends_well_and_soon() {
    play(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_ends_well_on_servers() {
    // The demo keeps the default prefix, so it gets a Redis of its own.
    let redis = servers::RedisServer::start().await;
    let database = servers::postgres().await.new_database().await;
    play(&[
        ("DATABASE_URL".to_owned(), database),
        ("REDIS_URL".to_owned(), redis.url()),
    ])
    .await;
}

async fn play(environment: &[(String, String)]) {
    let dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let mut demo = Child::start("demo", dir.path(), &["demo", "--exit"], environment);
    let status = demo.ended(LIMIT).await;
    println!("the demo took {} ms", started.elapsed().as_millis());
    assert!(status.success(), "{status}");
}
