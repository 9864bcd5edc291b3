//! SIGTERM in the middle of an upload: the process ends in time and the upload goes on from its place.

use std::time::Duration;

use tiktok_sim::{Endpoint, FaultKind};
use tokio::time::Instant;

use super::{PATIENCE, client::Kind, movie::Movie, world::World};
use crate::support::app::Stack;

/// Three chunks of 32, 32 and 36 MB.
const SIZE: u64 = 100_000_000;
/// How long running jobs may go on in these tests.
const GRACE: Duration = Duration::from_secs(2);
/// What the rest of the stop may take: settling, closing connections and pools.
const REST: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_upload_goes_on_from_the_saved_offset() {
    stop_in_the_middle(Stack::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_upload_on_servers_goes_on_from_the_saved_offset() {
    stop_in_the_middle(Stack::Servers).await;
}

async fn stop_in_the_middle(stack: Stack) {
    let world = World::new(stack, &[("queue.grace", "2s")]).await;
    let mut first = world.daemon("first").await;
    let movie = Movie::of(SIZE);
    let media = first.client.upload(&movie).await;
    let account = world.connect(&first, "creator").await;
    let stall = FaultKind::Stall { ms: 120_000 };
    let fault = world.sim.fault("creator", Endpoint::Upload, 1, stall).await;
    let post = first.client.post(&account, &media, Kind::Direct).await;
    world.sim.until_hit(fault).await;

    let asked = Instant::now();
    first.process.signal("TERM");
    let status = first.process.ended(PATIENCE).await;
    let took = asked.elapsed();
    println!("{stack:?}: stopped after {} ms", took.as_millis());
    assert!(status.success(), "{status}");
    assert!(took <= GRACE + REST, "it took {took:?}");

    let second = world.daemon("second").await;
    let started = Instant::now();
    let seen = second.client.until(&post, "PUBLISHED").await;
    // It was given back: nobody waits for a lease to run out.
    println!(
        "{stack:?}: published {} ms later",
        started.elapsed().as_millis()
    );
    let attempts = seen["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{seen}");
    let job = second.client.job("upload_post").await;
    assert_eq!(job["state"], "COMPLETED", "{job}");
    assert_eq!(job["attempt"], 1, "{job}");
    assert_eq!(job["crashes"], 0, "{job}");

    let calls = world.sim.calls("creator").await;
    let firsts = calls
        .iter()
        .filter(|call| call.endpoint == Endpoint::Upload && call.fault.is_none());
    let firsts: Vec<u64> = firsts.map(|call| call.range.unwrap().0).collect();
    assert_eq!(firsts, [0, 32_000_000, 64_000_000], "nothing twice");
    assert_eq!(world.sim.inits("creator").await.len(), 1);
    assert_eq!(world.sim.published("creator").await.len(), 1);
    world.sim.assert_content().await;
}
