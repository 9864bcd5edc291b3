//! Drafts: the inbox, the creator's own actions, the cap, and a creator who leaves.

use tiktok_sim::Rule;

use crate::support::{World, mp4, one_chunk};

#[tokio::test]
async fn a_draft_waits_in_the_inbox_until_its_creator_posts_it_even_twice() {
    let world = World::new().await;
    world
        .sim
        .configure(|config| config.pipeline.processing_ms = 60_000);
    let token = world.connect("mia").await;
    let id = world.deliver_draft(&token, &mp4(100)).await;
    assert!(id.starts_with("v_inbox_file~v2."), "{id}");
    assert!(
        world
            .sim
            .finish_draft(&id, "PUBLIC_TO_EVERYONE", "early")
            .is_err()
    );
    world.advance(61);
    assert_eq!(
        world.status(&token, &id).await.data("status"),
        "SEND_TO_USER_INBOX"
    );
    let first = world
        .sim
        .finish_draft(&id, "PUBLIC_TO_EVERYONE", "one")
        .unwrap();
    let second = world
        .sim
        .finish_draft(&id, "PUBLIC_TO_EVERYONE", "two")
        .unwrap();
    world.advance(10);
    let told = world.status(&token, &id).await;
    assert_eq!(told.data("status"), "PUBLISH_COMPLETE");
    let ids = told.data("publicaly_available_post_id");
    assert_eq!(*ids, serde_json::json!([first, second]));
    let rows = world.sim.publishes();
    let reach: Vec<(&str, bool)> = rows
        .iter()
        .map(|row| (row.reach.as_str(), row.by_creator))
        .collect();
    let public = ("PUBLIC_TO_EVERYONE", true);
    assert_eq!(reach, [("INBOX", false), public, public]);
    assert!(world.sim.duplicates().is_empty(), "the creator may");
    world.assert_clean();
}

#[tokio::test]
async fn five_drafts_may_be_pending() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let mut ids = Vec::new();
    for size in 100..105 {
        ids.push(world.deliver_draft(&token, &mp4(size)).await);
    }
    world.advance(60);
    let cap = "spam_risk_too_many_pending_share";
    let told = world.draft(&token, &one_chunk(100)).await;
    assert_eq!((told.status, told.code()), (403, cap));
    world.sim.finish_draft(&ids[0], "SELF_ONLY", "").unwrap();
    assert_eq!(world.draft(&token, &one_chunk(100)).await.code(), "ok");
    assert_eq!(world.draft(&token, &one_chunk(100)).await.code(), cap);
    world.sim.discard_draft(&ids[1]).unwrap();
    assert_eq!(world.draft(&token, &one_chunk(100)).await.code(), "ok");
    assert!(world.sim.discard_draft(&ids[0]).is_err(), "it is posted");
}

#[tokio::test]
async fn an_upload_that_never_came_leaves_the_cap_with_its_url() {
    let world = World::new().await;
    let pair = world.connect_as("mia", Default::default()).await;
    let token = pair["access_token"].as_str().unwrap();
    for _ in 0..5 {
        assert_eq!(world.draft(token, &one_chunk(100)).await.code(), "ok");
    }
    world.advance(60);
    assert_eq!(world.draft(token, &one_chunk(100)).await.status, 403);
    world.advance(3_600);
    assert_eq!(world.draft(token, &one_chunk(100)).await.code(), "ok");
}

#[tokio::test]
async fn a_creator_who_leaves_ends_transfers_and_tokens() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let opened = world.draft(&token, &one_chunk(100)).await;
    world.sim.disconnect("mia", 1).unwrap();
    assert_eq!(world.creator_info(&token).await.status, 401);
    let url = opened.data("upload_url").as_str().unwrap();
    assert_eq!(world.put(url, mp4(100), (0, 99), 100).await.status(), 404);
    let inits = world.sim.inits();
    assert_eq!(inits[0].fail_reason.as_deref(), Some("auth_removed"));
    let events: Vec<String> = world.sim.webhooks().into_iter().map(|w| w.event).collect();
    assert_eq!(events, ["post.publish.failed", "authorization.removed"]);
    assert!(
        !world
            .sim
            .broken()
            .iter()
            .any(|broken| broken.rule == Rule::UnknownToken)
    );
}
