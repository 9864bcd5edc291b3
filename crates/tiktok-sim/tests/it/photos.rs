//! Photos and pulled videos: what may be pulled, and what comes of it.

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tiktok_sim::{Rule, SimConfig};

use crate::support::{World, until};

const PATH: &str = "/v2/post/publish/content/init/";

/// A server with one JPEG, one PNG, a redirect, and a page that never ends.
async fn media() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let slow = || async {
        let start = futures::stream::iter([Ok::<_, std::io::Error>("\u{fff}")]);
        axum::body::Body::from_stream(futures::StreamExt::chain(start, futures::stream::pending()))
    };
    let app = Router::new()
        .route(
            "/a.jpg",
            get(|| async { [0xFF_u8, 0xD8, 0xFF, 0xE0, 1, 2, 3, 4] }),
        )
        .route("/b.png", get(|| async { "\u{89}PNG and so on" }))
        .route(
            "/moved.jpg",
            get(|| async { axum::response::Redirect::to("/a.jpg") }),
        )
        .route("/slow.mp4", get(slow));
    tokio::spawn(async move { axum::serve(listener, app).await });
    base
}

async fn world() -> World {
    let mut config = SimConfig::default();
    config.pulls.allow = true;
    config.pulls.loopback_http = true;
    config.limits.init = 100;
    World::with(config).await
}

fn photo_post(urls: &[String]) -> Value {
    json!({
        "media_type": "PHOTO", "post_mode": "DIRECT_POST", "is_aigc": false,
        "post_info": {"title": "pictures", "privacy_level": "PUBLIC_TO_EVERYONE"},
        "source_info": {"source": "PULL_FROM_URL", "photo_images": urls, "photo_cover_index": 0},
    })
}

fn stage(world: &World, id: &str) -> (String, Option<String>) {
    let inits = world.sim.inits();
    let init = inits
        .into_iter()
        .find(|init| init.publish_id == id)
        .unwrap();
    (init.stage, init.fail_reason)
}

#[tokio::test]
async fn photos_are_really_fetched() {
    let (world, base) = (world().await, media().await);
    let token = world.connect("mia").await;
    world.creator_info(&token).await;
    let good = vec![format!("{base}/a.jpg"), format!("{base}/a.jpg?sig=1")];
    let told = world.post(PATH, &token, &photo_post(&good)).await;
    let id = told.data("publish_id").as_str().unwrap().to_owned();
    assert!(id.starts_with("p_pub_url~v2."), "{id}");
    assert!(told.data("upload_url").is_null());
    until("the pull is over", || {
        stage(&world, &id).0 != "awaiting_pull"
    })
    .await;
    world.advance(10);
    let told = world.status(&token, &id).await;
    assert_eq!(told.data("status"), "PUBLISH_COMPLETE");
    assert_eq!(told.data("downloaded_bytes"), 16);

    for (name, reason) in [
        ("b.png", "file_format_check_failed"),
        ("moved.jpg", "photo_pull_failed"),
        ("missing.jpg", "photo_pull_failed"),
    ] {
        let body = photo_post(&[format!("{base}/{name}")]);
        let told = world.post(PATH, &token, &body).await;
        let id = told.data("publish_id").as_str().unwrap().to_owned();
        until("the pull fails", || stage(&world, &id).0 == "failed").await;
        assert_eq!(stage(&world, &id).1.as_deref(), Some(reason), "{name}");
    }
    world.assert_clean();
}

#[tokio::test]
async fn urls_must_be_owned_and_photos_described_rightly() {
    let world = world().await;
    world.sim.configure(|config| {
        config.pulls.verified = vec!["example.com".into(), "https://cdn.test/videos/".into()];
    });
    let token = world.connect("mia").await;
    world.creator_info(&token).await;
    for (url, code) in [
        ("https://example.com/a.jpg", "ok"),
        ("https://media.example.com/a.jpg?x=1", "ok"),
        ("https://badexample.com/a.jpg", "url_ownership_unverified"),
        ("http://example.com/a.jpg", "url_ownership_unverified"),
        ("https://cdn.test/videos/1/a.jpg", "ok"),
        ("https://cdn.test/other/a.jpg", "url_ownership_unverified"),
    ] {
        let told = world.post(PATH, &token, &photo_post(&[url.into()])).await;
        assert_eq!(told.code(), code, "{url}");
    }
    assert!(world.sim.broken().is_empty());
    let mut many = photo_post(&vec!["https://example.com/a.jpg".to_owned(); 36]);
    assert_eq!(world.post(PATH, &token, &many).await.status, 400);
    many["source_info"]["photo_images"] = json!(["https://example.com/a.jpg"]);
    many["source_info"]["photo_cover_index"] = json!(1);
    assert_eq!(world.post(PATH, &token, &many).await.status, 400);
    many["source_info"]["photo_cover_index"] = json!(0);
    many["post_mode"] = json!("MEDIA_UPLOAD");
    assert_eq!(world.post(PATH, &token, &many).await.code(), "ok");
    let last = world.sim.broken().pop().unwrap();
    assert_eq!(last.rule, Rule::DirectFieldInDraft);
}

#[tokio::test]
async fn a_running_pull_can_be_cancelled() {
    let (world, base) = (world().await, media().await);
    let token = world.connect("mia").await;
    let body = json!({
        "source_info": {"source": "PULL_FROM_URL", "video_url": format!("{base}/slow.mp4")},
    });
    let told = world
        .post("/v2/post/publish/inbox/video/init/", &token, &body)
        .await;
    let id = told.data("publish_id").as_str().unwrap();
    let cancel = "/v2/post/publish/cancel/";
    let name = json!({ "publish_id": id });
    let told = world.post(cancel, &token, &name).await;
    assert_eq!(told.code(), "ok");
    assert!(told.body.get("data").is_none());
    let told = world.status(&token, id).await;
    assert_eq!(told.data("fail_reason"), "publish_cancelled");
    assert_eq!(
        world.post(cancel, &token, &name).await.code(),
        "publish_not_cancellable"
    );
}
