//! Lists, queries, counters.

use serde_json::{Value, json};
use tiktok_sim::Counters;

use crate::support::{Told, World, mp4};

async fn list(world: &World, token: &str, body: Value) -> Told {
    let path = "/v2/video/list/?fields=id,create_time,view_count,like_count,title";
    world.post(path, token, &body).await
}

#[tokio::test]
async fn public_videos_page_by_milliseconds_and_their_counters_grow() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    for size in 100..103 {
        world
            .deliver_post(&token, "PUBLIC_TO_EVERYONE", &mp4(size))
            .await;
        world.advance(10);
    }
    world.deliver_post(&token, "SELF_ONLY", &mp4(99)).await;
    world.advance(10);
    let first = list(&world, &token, json!({ "max_count": 2 })).await;
    assert_eq!(first.data("videos").as_array().unwrap().len(), 2);
    assert_eq!(first.data("has_more"), true);
    let cursor = first.data("cursor").as_i64().unwrap();
    let created = first.data("videos")[1]["create_time"].as_i64().unwrap();
    assert_eq!(cursor / 1_000, created);
    let second = list(&world, &token, json!({ "cursor": cursor, "max_count": 2 })).await;
    assert_eq!(second.data("videos").as_array().unwrap().len(), 1);
    assert_eq!(second.data("has_more"), false);

    let id = second.data("videos")[0]["id"].as_str().unwrap().to_owned();
    let number = id.parse().unwrap();
    let counters = Counters {
        views: 1_000,
        likes: 7,
        ..Counters::default()
    };
    world.sim.set_counters(number, counters).unwrap();
    world.advance(3_600);
    let query = async |token: &str| {
        let path = "/v2/video/query/?fields=id,view_count,like_count";
        let body = json!({"filters": {"video_ids": [id, "1"]}});
        world.post(path, token, &body).await.body["data"]["videos"].clone()
    };
    let seen = query(&token).await;
    assert_eq!(
        seen,
        json!([{"id": id, "view_count": 1_120, "like_count": 19}])
    );
    let other = world.connect("ben").await;
    assert_eq!(query(&other).await, json!([]));
    world.assert_clean();
    world.sim.delete_video(number).unwrap();
    assert_eq!(query(&other).await, json!([]));
    let all = list(&world, &other, json!({ "max_count": 21 })).await;
    assert_eq!((all.status, all.code()), (400, "invalid_params"));
}
