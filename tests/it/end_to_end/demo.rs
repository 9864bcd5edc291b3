//! `clipqueue demo --exit`, as `make demo EXIT=1` runs it.

use std::time::Duration;

use tokio::time::Instant;

use super::child::Child;
use crate::support::servers;

/// The demo must end within this time once it is built.
const LIMIT: Duration = Duration::from_secs(20);
/// How often it may be played until it does: the machine is shared.
const ROUNDS: u32 = 3;
/// How long it may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_ends_well_and_soon() {
    for round in 1..=ROUNDS {
        if play(&[]).await <= LIMIT {
            return;
        }
        println!("round {round} was slow");
    }
    panic!("slower than {LIMIT:?}, {ROUNDS} times");
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

/// Plays the demo to its good end; gives how long it took.
async fn play(environment: &[(String, String)]) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let mut demo = Child::start("demo", dir.path(), &["demo", "--exit"], environment);
    let status = demo.ended(PATIENCE).await;
    let took = started.elapsed();
    println!("the demo took {} ms", took.as_millis());
    assert!(status.success(), "{status}");
    took
}
