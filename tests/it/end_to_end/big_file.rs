//! A file of 1.5 GB, in by tus and out to the simulator: in little memory, and at no less than half
//! the speed of a plain copy over the loopback.

use std::time::Duration;

use serde_json::json;
use tiktok_sim::Endpoint;
use tokio::time::Instant;

use super::{
    client::Kind,
    copy,
    movie::Movie,
    world::{Daemon, World},
};
use crate::support::{app::Stack, eventually};

/// TikTok takes 4 GB; this is enough that a file that is held in memory is noticed.
const SIZE: u64 = 1_500_000_000;
/// What the daemon may have resident at most.
const MEMORY: u64 = 150_000_000;
/// The least speed, as a part of the plain copy's.
const PART: f64 = 0.5;
/// How long the sending may take before the test gives up.
const LIMIT: Duration = Duration::from_secs(120);

/// How often the speeds are measured before they count as too low: the test machine's disk and
/// processors are shared.
const ROUNDS: u32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_file_passes_in_little_memory_and_time() {
    let world = World::new(Stack::Embedded, &[]).await;
    let no_wait = json!({ "pipeline": { "processing_ms_per_mb": 0 } });
    world.sim.configure(no_wait).await;
    let daemon = world.daemon("daemon").await;
    let movie = Movie::of(SIZE);
    let sha256 = movie.sha256();
    for round in 1..=ROUNDS {
        let copy = copy::speed(&movie, world.directory()).await;
        let creator = format!("creator_{round}");
        let (up, out) = pass(&world, &daemon, &movie, &creator).await;
        let memory = daemon.process.peak_memory();
        println!(
            "copy {:.0} MB/s, in {:.0} MB/s ({:.2}), out {:.0} MB/s ({:.2}), peak memory {:.1} MB",
            copy / 1e6,
            up / 1e6,
            up / copy,
            out / 1e6,
            out / copy,
            memory as f64 / 1e6,
        );
        let published = world.sim.published(&creator).await;
        assert_eq!(published[0].sha256.as_deref(), Some(&*sha256));
        assert!(memory < MEMORY, "{memory} bytes were resident");
        if up >= PART * copy && out >= PART * copy {
            world.sim.assert_content().await;
            return;
        }
    }
    panic!("slower than {PART} of a plain copy, {ROUNDS} times");
}

/// Takes the movie in by tus and posts it; gives the speeds in and out, in bytes per second.
async fn pass(world: &World, daemon: &Daemon, movie: &Movie, creator: &str) -> (f64, f64) {
    let account = world.connect(daemon, creator).await;
    let (media, url) = daemon.client.announce(movie).await;
    let started = Instant::now();
    daemon.client.send(&url, movie).await;
    let up = started.elapsed();
    let post = daemon.client.post(&account, &media, Kind::Inbox).await;
    let out = sending(world, creator).await;
    daemon.client.until(&post, "IN_INBOX").await;
    let speed = |time: Duration| movie.size() as f64 / time.as_secs_f64();
    (speed(up), speed(out))
}

/// How long the daemon sends: from the accepted init until the last chunk was taken.
async fn sending(world: &World, creator: &str) -> Duration {
    let began = eventually(LIMIT, "init is accepted", async || {
        let inits = world.sim.inits(creator).await;
        (!inits.is_empty()).then(Instant::now)
    })
    .await;
    eventually(LIMIT, "the last chunk is taken", async || {
        let calls = world.sim.calls(creator).await;
        calls
            .iter()
            .any(|call| call.endpoint == Endpoint::Upload && call.sha256.is_some())
            .then(|| began.elapsed())
    })
    .await
}
