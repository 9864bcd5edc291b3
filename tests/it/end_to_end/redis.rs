//! Redis dies, comes back empty, and is flushed, while posts are on their way.

use tiktok_sim::{Endpoint, FaultKind};

use super::{PATIENCE, client::Kind, movie::Movie, world::World};
use crate::support::{app::Stack, eventually, servers::RedisServer};

/// Three chunks of 32, 32 and 36 MB.
const SIZE: u64 = 100_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_survives_the_loss_of_redis() {
    let mut redis = RedisServer::start().await;
    let world = World::new(Stack::Servers, &[("transport.url", &redis.url())]).await;
    let daemon = world.daemon("daemon").await;
    let client = &daemon.client;
    let movie = Movie::of(SIZE);
    let media = client.upload(&movie).await;
    let names = ["uploading", "waiting", "while_down", "flushed"];
    let mut accounts = Vec::new();
    for name in names {
        accounts.push(world.connect(&daemon, name).await);
    }

    // One post is in a chunk when Redis dies, one was only just asked for, one comes meanwhile.
    let stall = FaultKind::Stall { ms: 5_000 };
    let fault = world.sim.fault(names[0], Endpoint::Upload, 1, stall).await;
    let mut posts = vec![client.post(&accounts[0], &media, Kind::Direct).await];
    world.sim.until_hit(fault).await;
    posts.push(client.post(&accounts[1], &media, Kind::Direct).await);
    redis.kill();
    eventually(PATIENCE, "the daemon misses Redis", async || {
        (!client.is_ready().await).then_some(())
    })
    .await;
    posts.push(client.post(&accounts[2], &media, Kind::Inbox).await);
    redis.start_again().await;
    eventually(PATIENCE, "the daemon has Redis again", async || {
        client.is_ready().await.then_some(())
    })
    .await;

    let stall = FaultKind::Stall { ms: 3_000 };
    let fault = world.sim.fault(names[3], Endpoint::Upload, 1, stall).await;
    posts.push(client.post(&accounts[3], &media, Kind::Direct).await);
    world.sim.until_hit(fault).await;
    redis.command(&["FLUSHALL"]).await.unwrap();

    for (name, post) in names.iter().zip(&posts) {
        let kind = match *name {
            "while_down" => Kind::Inbox,
            _ => Kind::Direct,
        };
        client.until(post, kind.end()).await;
        assert_eq!(world.sim.published(name).await.len(), 1, "{name}");
        assert_eq!(world.sim.inits(name).await.len(), 1, "{name}");
    }
    world.sim.assert_content().await;
}
