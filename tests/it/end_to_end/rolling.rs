//! A rolling restart under load: every process is replaced by SIGTERM while posts are on their way.

use serde_json::json;
use tiktok_sim::{Endpoint, FaultKind};

use super::{PATIENCE, client::Kind, movie::Movie, world::World};
use crate::support::app::Stack;

/// One chunk.
const SIZE: u64 = 6_000_000;
/// Posts asked for at a time, each of a creator of its own.
const WAVE: usize = 4;
/// How often that is; one process is replaced after each of the first two.
const WAVES: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_nothing_and_posts_nothing_twice() {
    let world = World::new(Stack::Servers, &[("queue.grace", "2s")]).await;
    let mut fleet = [world.daemon("old-1").await, world.daemon("old-2").await];
    let movie = Movie::of(SIZE);
    let media = fleet[0].client.upload(&movie).await;
    let names: Vec<String> = (0..WAVE * WAVES).map(|n| format!("creator{n}")).collect();
    let mut accounts = Vec::new();
    for name in &names {
        accounts.push(world.connect(&fleet[0], name).await);
    }
    let mut posts = Vec::new();
    for wave in 0..WAVES {
        for turn in wave * WAVE..(wave + 1) * WAVE {
            let (name, account) = (&names[turn], &accounts[turn]);
            // Half of the uploads are in the middle of it when their process is told to stop.
            let stall = FaultKind::Stall { ms: 3_000 };
            if posts.len() % 2 == 0 {
                world.sim.fault(name, Endpoint::Upload, 1, stall).await;
            }
            let client = &fleet[posts.len() % 2].client;
            posts.push(client.post(account, &media, Kind::Direct).await);
        }
        if wave + 1 < WAVES {
            // The replacement comes first, as supervisors do it; three run side by side for a while.
            let new = world.daemon(&format!("new-{wave}")).await;
            let mut old = std::mem::replace(&mut fleet[wave], new);
            old.process.signal("TERM");
            // Requests go on meanwhile.
            fleet[1 - wave].client.look(&posts[0]).await;
            let status = old.process.ended(PATIENCE).await;
            assert!(status.success(), "{status}");
        }
    }
    let client = &fleet[0].client;
    for post in &posts {
        client.until(post, "PUBLISHED").await;
    }
    for name in &names {
        assert_eq!(world.sim.published(name).await.len(), 1, "{name}");
        assert_eq!(world.sim.inits(name).await.len(), 1, "{name}");
    }
    let query = "query ($filter: JobFilter) { jobs(filter: $filter, first: 100) { edges { node { state attempt crashes } } } }";
    let jobs = client
        .run(query, json!({ "filter": { "kind": "upload_post" } }))
        .await;
    let jobs = jobs["jobs"]["edges"].as_array().unwrap();
    assert_eq!(jobs.len(), posts.len());
    for job in jobs {
        assert_eq!(job["node"]["crashes"], 0, "{job}");
        assert_eq!(job["node"]["state"], "COMPLETED", "{job}");
    }
    world.sim.assert_content().await;
}
