//! A worker that sleeps through its lease and wakes up when another one has done its work.

use tiktok_sim::{Endpoint, FaultKind};
use tokio::time::Instant;

use super::{DOUBT, PICKUP, client::Kind, movie::Movie, world::World};
use crate::support::{app::Stack, eventually};

/// Three chunks of 32, 32 and 36 MB.
const SIZE: u64 = 100_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_slept_through_its_lease_sends_nothing_that_counts() {
    // Each in a world of its own, at the same time: most of it is waiting.
    tokio::join!(
        sleep_through("middle chunk", Endpoint::Upload, 1, 1),
        sleep_through("last chunk", Endpoint::Upload, 2, 1),
        sleep_through("init", Endpoint::VideoInit, 0, 2),
    );
}

/// Stops a worker inside a call, lets another one finish, and wakes it.
async fn sleep_through(name: &str, endpoint: Endpoint, after: u32, inits: usize) {
    // One place for uploads: the sleeper takes its next post only once it has let the first one go.
    let world = World::new(Stack::Servers, &[("queue.uploads", "1")]).await;
    let sleeper = world.daemon("sleeper").await;
    let movie = Movie::of(SIZE);
    let media = sleeper.client.upload(&movie).await;
    let account = world.connect(&sleeper, "creator").await;
    // The simulator goes on with the held call while the sleeper sleeps, long before anybody may rescue.
    let stall = FaultKind::Stall { ms: 8_000 };
    let fault = world.sim.fault("creator", endpoint, after, stall).await;
    let post = sleeper.client.post(&account, &media, Kind::Direct).await;
    world.sim.until_hit(fault).await;
    sleeper.process.signal("STOP");

    let mut other = world.daemon("other").await;
    let slept = Instant::now();
    other.client.until_within(DOUBT, &post, "PUBLISHED").await;
    println!(
        "{name}: published elsewhere after {} ms",
        slept.elapsed().as_millis()
    );
    assert_eq!(world.sim.published("creator").await.len(), 1);
    other.process.kill();
    sleeper.process.signal("CONT");

    // The other one is gone, so only the sleeper can bring this post to its end.
    let account = world.connect(&sleeper, "another").await;
    let next = sleeper.client.post(&account, &media, Kind::Direct).await;
    sleeper.client.until(&next, "PUBLISHED").await;
    eventually(PICKUP, "the first post is as it was", async || {
        let seen = sleeper.client.look(&post).await;
        let attempts = seen["attempts"].as_array().unwrap();
        (seen["state"] == "PUBLISHED" && attempts.len() == inits).then_some(())
    })
    .await;
    let published = world.sim.published("creator").await;
    assert_eq!(published.len(), 1, "{published:?}");
    assert_eq!(published[0].sha256.as_deref(), Some(&*movie.sha256()));
    assert_eq!(world.sim.inits("creator").await.len(), inits);
    let chunks = world.sim.chunks_taken("creator").await;
    assert_eq!(chunks, [0, 32_000_000, 64_000_000]);
    world.sim.assert_content().await;
}
