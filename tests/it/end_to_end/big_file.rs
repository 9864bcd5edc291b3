//! A file of 1.5 GB, in by tus and out to the simulator: in little memory, and at no less than half
//! the speed of a plain copy over the loopback.

use std::time::Duration;

use tiktok_sim::Endpoint;
use tokio::time::Instant;

use super::{client::Kind, copy, movie::Movie, world::World};
use crate::support::{app::Stack, eventually};

/// TikTok takes 4 GB; this is enough that a file that is held in memory is noticed.
const SIZE: u64 = 1_500_000_000;
/// What the daemon may have resident at most.
const MEMORY: u64 = 150_000_000;
/// The least speed, as a part of the plain copy's.
const PART: f64 = 0.5;
/// How long the sending may take before the test gives up.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_file_passes_in_little_memory_and_time() {
    let world = World::new(Stack::Embedded, &[]).await;
    let daemon = world.daemon("daemon").await;
    let account = world.connect(&daemon, "creator").await;
    let movie = Movie::of(SIZE);
    let before = copy::speed(&movie, world.directory()).await;

    let (media, url) = daemon.client.announce(&movie).await;
    let started = Instant::now();
    daemon.client.send(&url, &movie).await;
    let up = SIZE as f64 / started.elapsed().as_secs_f64();
    let memory_up = daemon.process.peak_memory();

    let post = daemon.client.post(&account, &media, Kind::Inbox).await;
    let (started, ended) = sending(&world).await;
    let out = SIZE as f64 / (ended - started).as_secs_f64();
    daemon.client.until(&post, "IN_INBOX").await;
    let memory = daemon.process.peak_memory();

    // The machine's speed changes from second to second: the copy is measured on both sides.
    let after = copy::speed(&movie, world.directory()).await;
    let plain = (before + after) / 2.0;
    println!(
        "copy {:.0} and {:.0} MB/s, in {:.0} MB/s ({:.2}), out {:.0} MB/s ({:.2}), peak memory {:.1} and {:.1} MB",
        before / 1e6,
        after / 1e6,
        up / 1e6,
        up / plain,
        out / 1e6,
        out / plain,
        memory_up as f64 / 1e6,
        memory as f64 / 1e6,
    );
    let published = world.sim.published("creator").await;
    assert_eq!(published[0].sha256.as_deref(), Some(&*movie.sha256()));
    world.sim.assert_content().await;
    assert!(memory < MEMORY, "{memory} bytes were resident");
    assert!(up >= PART * plain, "in at {:.2} of a copy", up / plain);
    assert!(out >= PART * plain, "out at {:.2} of a copy", out / plain);
}

/// When the daemon's sending began, by the accepted init, and when the last chunk was taken.
async fn sending(world: &World) -> (Instant, Instant) {
    let began = eventually(LIMIT, "init is accepted", async || {
        (!world.sim.inits("creator").await.is_empty()).then(Instant::now)
    })
    .await;
    let ended = eventually(LIMIT, "the last chunk is taken", async || {
        let calls = world.sim.calls("creator").await;
        let whole = calls
            .iter()
            .any(|call| call.endpoint == Endpoint::Upload && call.sha256.is_some());
        whole.then(Instant::now)
    })
    .await;
    (began, ended)
}
