//! Redis dies, comes back empty, and is flushed, while posts are on their way.
//!
//! The daemon uploads one post at a time here, so that others wait in Redis when it goes.

use tiktok_sim::{Endpoint, FaultKind};

use super::{PATIENCE, PICKUP, client::Kind, movie::Movie, world::World};
use crate::support::{app::Stack, eventually, servers::RedisServer};

/// Three chunks of 32, 32 and 36 MB.
const SIZE: u64 = 100_000_000;
/// What happens to Redis while each creator's post is on its way.
const CREATORS: [&str; 5] = [
    "uploading",
    "waiting",
    "asked_meanwhile",
    "flushed",
    "behind",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_survives_the_loss_of_redis() {
    let mut redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [("transport.url", &*url), ("queue.uploads", "1")];
    let world = World::new(Stack::Servers, &settings).await;
    let daemon = world.daemon("daemon").await;
    let client = &daemon.client;
    let movie = Movie::of(SIZE);
    let media = client.upload(&movie).await;
    let mut accounts = Vec::new();
    for name in CREATORS {
        accounts.push(world.connect(&daemon, name).await);
    }
    let ask = async |which: usize| client.post(&accounts[which], &media, Kind::Direct).await;
    let stall = async |which: usize| {
        let kind = FaultKind::Stall { ms: 2_000 };
        let name = CREATORS[which];
        world.sim.fault(name, Endpoint::Upload, 1, kind).await
    };

    let fault = stall(0).await;
    let mut posts = vec![ask(0).await];
    world.sim.until_hit(fault).await;
    posts.push(ask(1).await);
    redis.kill();
    eventually(PATIENCE, "the daemon misses Redis", async || {
        (!client.is_ready().await).then_some(())
    })
    .await;
    // Requests are taken, and what runs goes on, without Redis.
    posts.push(ask(2).await);
    client.until(&posts[0], "PROCESSING").await;
    let back_at = world.sim.now_ms().await;
    redis.start_again().await;
    let resumed_at = eventually(PICKUP, "work resumes", async || {
        let calls = world.sim.calls(CREATORS[1]).await;
        let new = calls.iter().filter(|call| call.at_ms > back_at);
        new.map(|call| call.at_ms).min()
    })
    .await;
    println!("work resumed after {} ms", resumed_at - back_at);

    let fault = stall(3).await;
    posts.push(ask(3).await);
    world.sim.until_hit(fault).await;
    posts.push(ask(4).await);
    redis.command(&["FLUSHALL"]).await.unwrap();

    for (name, post) in CREATORS.iter().zip(&posts) {
        client.until(post, "PUBLISHED").await;
        assert_eq!(world.sim.published(name).await.len(), 1, "{name}");
        assert_eq!(world.sim.inits(name).await.len(), 1, "{name}");
    }
    world.sim.assert_content().await;
}
