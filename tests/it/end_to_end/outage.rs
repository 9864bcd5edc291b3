//! Redis is away for long: requests are taken, nothing dies, and work resumes when it is back.
//!
//! How long an outage lasts makes no difference once the gaps between attempts have reached their
//! cap, which a unit test in `queue::daemon::patience` holds below five seconds in all; this outage
//! is many times as long as that takes.

use std::time::Duration;

use tokio::time::Instant;

use super::{PATIENCE, PICKUP, client::Kind, movie::Movie, world::World};
use crate::support::{app::Stack, eventually, servers::RedisServer};

const AWAY: Duration = Duration::from_secs(15);
const CREATORS: [&str; 3] = ["first", "second", "third"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_outage_of_redis_kills_nothing_and_work_resumes_at_its_end() {
    let mut redis = RedisServer::start().await;
    let url = redis.url();
    let world = World::new(Stack::Servers, &[("transport.url", &*url)]).await;
    let mut daemon = world.daemon("daemon").await;
    let movie = Movie::of(6_000_000);
    let media = daemon.client.upload(&movie).await;
    let mut accounts = Vec::new();
    for name in CREATORS {
        accounts.push(world.connect(&daemon, name).await);
    }
    redis.kill();
    let gone = Instant::now();
    eventually(PATIENCE, "the daemon misses Redis", async || {
        (!daemon.client.is_ready().await).then_some(())
    })
    .await;
    let mut posts = Vec::new();
    for account in &accounts {
        posts.push(daemon.client.post(account, &media, Kind::Direct).await);
    }
    eventually(PATIENCE, "the outage has lasted", async || {
        daemon.process.assert_running();
        // Reading goes on all the time.
        let seen = daemon.client.look(&posts[0]).await;
        assert_eq!(seen["state"], "SCHEDULED", "{seen}");
        (gone.elapsed() >= AWAY).then_some(())
    })
    .await;
    let back_at = world.sim.now_ms().await;
    redis.start_again().await;
    let resumed_at = eventually(PICKUP, "work resumes", async || {
        let calls = world.sim.calls(CREATORS[0]).await;
        let new = calls.iter().filter(|call| call.at_ms > back_at);
        new.map(|call| call.at_ms).min()
    })
    .await;
    println!("work resumed after {} ms", resumed_at - back_at);
    for (name, post) in CREATORS.iter().zip(&posts) {
        daemon.client.until(post, "PUBLISHED").await;
        assert_eq!(world.sim.published(name).await.len(), 1, "{name}");
        assert_eq!(world.sim.inits(name).await.len(), 1, "{name}");
    }
    world.sim.assert_content().await;
}
