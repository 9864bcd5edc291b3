//! kill -9 in the middle of everything that can post.
//!
//! The posts of some creators are brought to five points, each held there by a fault of the simulator's,
//! and the daemon is killed. Then the work runs elsewhere: in a daemon that is started again, or in
//! another one that stands by. The simulator's ledger says when, and that each post ended once.

use tiktok_sim::{Endpoint, FaultKind};

use super::{
    DOUBT, PICKUP,
    client::Kind,
    movie::Movie,
    world::{Daemon, World},
};
use crate::support::{app::Stack, eventually};

/// Three chunks of 32, 32 and 36 MB.
const SIZE: u64 = 100_000_000;
/// Faults hold a call for longer than the test takes.
const HELD: u64 = 120_000;

/// Where the daemon is when it dies.
struct Point {
    creator: &'static str,
    kind: Kind,
    endpoint: Endpoint,
    after: u32,
    fault: FaultKind,
    /// Inits that the creator's post needs in all.
    inits: usize,
}

/// Before and after each step that TikTok sees. The calls that have less patience than chunks come last.
static POINTS: [Point; 5] = [
    Point {
        creator: "last_chunk",
        kind: Kind::Direct,
        endpoint: Endpoint::Upload,
        after: 2,
        fault: FaultKind::Stall { ms: HELD },
        inits: 1,
    },
    Point {
        creator: "middle_chunk",
        kind: Kind::Inbox,
        endpoint: Endpoint::Upload,
        after: 1,
        fault: FaultKind::Stall { ms: HELD },
        inits: 1,
    },
    Point {
        creator: "last_chunk_taken",
        kind: Kind::Direct,
        endpoint: Endpoint::Upload,
        after: 2,
        fault: FaultKind::StallAfterEffect { ms: HELD },
        inits: 1,
    },
    Point {
        creator: "status_asked",
        kind: Kind::Direct,
        endpoint: Endpoint::Status,
        after: 0,
        fault: FaultKind::Stall { ms: HELD },
        inits: 1,
    },
    Point {
        creator: "init_done",
        kind: Kind::Direct,
        endpoint: Endpoint::VideoInit,
        after: 0,
        fault: FaultKind::StallAfterEffect { ms: HELD },
        inits: 2,
    },
];

/// The points after which nobody waits for TikTok to settle.
static WITHOUT_DOUBT: &[Point] = POINTS.split_at(1).1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_goes_on_where_it_was_when_it_is_started_again() {
    die_at(&POINTS, Stack::Embedded, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_on_servers_goes_on_where_it_was() {
    die_at(WITHOUT_DOUBT, Stack::Servers, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_daemon_takes_over_from_a_killed_one() {
    die_at(WITHOUT_DOUBT, Stack::Servers, true).await;
}

async fn die_at(points: &[Point], stack: Stack, standing_by: bool) {
    let world = World::new(stack, &[("queue.uploads", "8")]).await;
    let mut first = world.daemon("first").await;
    let movie = Movie::of(SIZE);
    let media = first.client.upload(&movie).await;
    let posts = bring_to(points, &world, &first, &media).await;
    let second = match standing_by {
        true => Some(world.daemon("second").await),
        false => None,
    };

    let killed_at = world.sim.now_ms().await;
    first.process.kill();
    let second = match second {
        Some(second) => second,
        None => world.daemon("second").await,
    };

    for point in points {
        let picked_up = picked_up_at(&world, point, killed_at).await;
        let took = picked_up - killed_at;
        println!("{stack:?}, {}: picked up after {took} ms", point.creator);
        assert!(
            took <= i64::try_from(PICKUP.as_millis()).unwrap(),
            "{}: picked up after {took} ms",
            point.creator
        );
    }
    let sha256 = movie.sha256();
    for (point, post) in points.iter().zip(&posts) {
        let end = point.kind.end();
        let seen = second.client.until_within(DOUBT, post, end).await;
        let published = world.sim.published(point.creator).await;
        assert_eq!(published.len(), 1, "{}: {published:?}", point.creator);
        assert_eq!(published[0].sha256.as_deref(), Some(&*sha256));
        let inits = world.sim.inits(point.creator).await;
        assert_eq!(inits.len(), point.inits, "{}", point.creator);
        let attempts = seen["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), point.inits, "{}: {seen}", point.creator);
        let chunks = world.sim.chunks_taken(point.creator).await;
        assert_eq!(chunks, [0, 32_000_000, 64_000_000], "{}", point.creator);
    }
    world.sim.assert_content().await;
}

/// Posts once for each point; returns when every post is held at its own.
async fn bring_to(points: &[Point], world: &World, daemon: &Daemon, media: &str) -> Vec<String> {
    let mut posts = Vec::new();
    for point in points {
        let account = world.connect(daemon, point.creator).await;
        let fault = world
            .sim
            .fault(
                point.creator,
                point.endpoint,
                point.after,
                point.fault.clone(),
            )
            .await;
        posts.push(daemon.client.post(&account, media, point.kind).await);
        world.sim.until_hit(fault).await;
    }
    posts
}

/// When the first call for the point's post arrived after the kill.
async fn picked_up_at(world: &World, point: &Point, killed_at: i64) -> i64 {
    let what = format!("{} is picked up", point.creator);
    eventually(PICKUP * 2, &what, async || {
        let calls = world.sim.calls(point.creator).await;
        let new = calls
            .iter()
            .filter(|call| call.fault.is_none() && call.at_ms > killed_at);
        new.map(|call| call.at_ms).min()
    })
    .await
}
