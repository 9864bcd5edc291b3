//! Direct posts: who may post what, in which order things are checked, and how a post comes to be seen.

use serde_json::json;
use tiktok_sim::{AccountPatch, PostIdMode, Rule, Script, SimConfig};

use crate::support::{World, mp4, one_chunk};

#[tokio::test]
async fn the_clock_drives_a_post_to_its_audience() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    world.sim.configure(|config| {
        config.pipeline.processing_ms = 30_000;
        config.pipeline.moderation_ms = 60_000;
    });
    let id = world
        .deliver_post(&token, "PUBLIC_TO_EVERYONE", &mp4(1_000))
        .await;
    assert!(id.starts_with("v_pub_file~v2-1."), "{id}");
    let told = world.status(&token, &id).await;
    assert_eq!(told.data("status"), "PROCESSING_UPLOAD");
    assert_eq!(told.data("uploaded_bytes"), 1_000);
    assert!(world.sim.publishes().is_empty());

    world.advance(31);
    let told = world.status(&token, &id).await;
    assert_eq!(told.data("status"), "PUBLISH_COMPLETE");
    assert!(told.data("publicaly_available_post_id").is_null());
    world.advance(60);
    let told = world.status(&token, &id).await;
    let ids = told.data("publicaly_available_post_id").as_array().unwrap();
    let post_id = ids[0].as_u64().unwrap();
    assert_eq!(post_id.to_string().len(), 19);
    assert_ne!(post_id as f64 as u64, post_id, "must not survive a double");

    let shown = world.sim.publishes();
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (shown[0].reach.as_str(), shown[0].by_creator),
        ("PUBLIC_TO_EVERYONE", false)
    );
    assert!(world.sim.duplicates().is_empty());
    world.assert_clean();
}

#[tokio::test]
async fn post_ids_come_late_never_or_several() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let mut told = Vec::new();
    for mode in [
        PostIdMode::Late { ms: 3_600_000 },
        PostIdMode::Never,
        PostIdMode::Multiple { count: 3 },
    ] {
        let script = Script {
            post_id: Some(mode),
            ..Script::default()
        };
        world.sim.script("mia", script).unwrap();
        let id = world
            .deliver_post(&token, "PUBLIC_TO_EVERYONE", &mp4(100))
            .await;
        world.advance(10);
        let early = world.status(&token, &id).await;
        let count = |ids: &serde_json::Value| ids.as_array().map_or(0, Vec::len);
        let early = count(early.data("publicaly_available_post_id"));
        told.push((id, early));
    }
    world.advance(3_600);
    let mut late = Vec::new();
    for (id, early) in &told {
        let now = world.status(&token, id).await;
        let now = now
            .data("publicaly_available_post_id")
            .as_array()
            .map_or(0, Vec::len);
        late.push((*early, now));
    }
    assert_eq!(late, [(0, 1), (0, 0), (3, 3)]);
    assert_eq!(world.sim.videos(Some("mia")).len(), 3);
    // The same bytes and caption three times: that is what the judge is for.
    assert_eq!(world.sim.duplicates()[0].times.len(), 3);
}

#[tokio::test]
async fn failures_and_stuck_posts_are_scripted() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let script = Script {
        fail_reason: Some("internal".into()),
        ..Script::default()
    };
    world.sim.script("mia", script).unwrap();
    let failed = world.deliver_post(&token, "SELF_ONLY", &mp4(100)).await;
    world
        .sim
        .script(
            "mia",
            Script {
                stuck: Some(true),
                ..Script::default()
            },
        )
        .unwrap();
    let stuck = world.deliver_post(&token, "SELF_ONLY", &mp4(100)).await;
    let garbled = world.deliver_post(&token, "SELF_ONLY", &[7; 100]).await;
    world.advance(7_000);
    let told = world.status(&token, &failed).await;
    let body = json!({"status": "FAILED", "fail_reason": "internal", "uploaded_bytes": 100});
    assert_eq!(told.body["data"], body);
    assert_eq!(
        world.status(&token, &stuck).await.data("status"),
        "PROCESSING_UPLOAD"
    );
    let told = world.status(&token, &garbled).await;
    assert_eq!(told.data("fail_reason"), "file_format_check_failed");
    assert!(world.sim.publishes().is_empty());
}

#[tokio::test]
async fn status_may_lag_behind_init() {
    let world = World::new().await;
    world
        .sim
        .configure(|config| config.pipeline.status_lag_ms = 60_000);
    let token = world.connect("mia").await;
    let id = world.deliver_draft(&token, &mp4(100)).await;
    let early = world.status(&token, &id).await;
    assert_eq!((early.status, early.code()), (400, "invalid_publish_id"));
    world.assert_clean();
    world.advance(60);
    assert_eq!(world.status(&token, &id).await.code(), "ok");
    let unknown = world.status(&token, "v_pub_file~v2-1.1").await;
    assert_eq!(unknown.code(), "invalid_publish_id");
    let other = world.connect("ben").await;
    let theirs = world.status(&other, &id).await;
    assert_eq!(
        theirs.code(),
        "token_not_authorized_for_specified_publish_id"
    );
    let rules: Vec<Rule> = world
        .sim
        .broken()
        .iter()
        .map(|broken| broken.rule)
        .collect();
    assert_eq!(
        rules,
        [Rule::UnknownPublishId, Rule::PublishIdOfOtherAccount]
    );
}

#[tokio::test]
async fn an_unaudited_app_posts_privately_on_private_accounts_only() {
    let config = SimConfig {
        audited: false,
        ..SimConfig::default()
    };
    let world = World::with(config).await;
    let refusal = "unaudited_client_can_only_post_to_private_accounts";
    let public = world.connect("mia").await;
    let info = world.creator_info(&public).await;
    assert_eq!(info.data("privacy_level_options")[0], "PUBLIC_TO_EVERYONE");
    let told = world.init(&public, "SELF_ONLY", &one_chunk(100)).await;
    assert_eq!((told.status, told.code()), (403, refusal));

    let private = AccountPatch {
        private: Some(true),
        ..AccountPatch::default()
    };
    let pair = world.connect_as("ben", private.clone()).await;
    let token = pair["access_token"].as_str().unwrap();
    let info = world.creator_info(token).await;
    assert_eq!(info.data("privacy_level_options")[0], "FOLLOWER_OF_CREATOR");
    assert_eq!(info.data("duet_disabled"), true);
    let told = world
        .init(token, "FOLLOWER_OF_CREATOR", &one_chunk(100))
        .await;
    assert_eq!(told.code(), refusal);
    assert_eq!(
        world.init(token, "SELF_ONLY", &one_chunk(100)).await.code(),
        "ok"
    );

    // Five creators in a day; the sixth waits.
    for name in ["c", "d", "e", "f"] {
        let pair = world.connect_as(name, private.clone()).await;
        let token = pair["access_token"].as_str().unwrap();
        world.creator_info(token).await;
        assert_eq!(
            world.init(token, "SELF_ONLY", &one_chunk(100)).await.code(),
            "ok"
        );
    }
    let pair = world.connect_as("g", private).await;
    let token = pair["access_token"].as_str().unwrap();
    let info = world.creator_info(token).await;
    assert_eq!((info.status, info.code()), (200, "reached_active_user_cap"));
    let told = world.init(token, "SELF_ONLY", &one_chunk(100)).await;
    assert_eq!((told.status, told.code()), (403, "reached_active_user_cap"));
}

#[tokio::test]
async fn privacy_must_be_among_the_options_and_looked_up_first() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let unseen = world
        .init(&token, "FOLLOWER_OF_CREATOR", &one_chunk(9))
        .await;
    assert_eq!(
        (unseen.status, unseen.code()),
        (403, "privacy_level_option_mismatch")
    );
    let rules: Vec<Rule> = world
        .sim
        .broken()
        .iter()
        .map(|broken| broken.rule)
        .collect();
    assert_eq!(rules, [Rule::CreatorInfoNotFresh, Rule::PrivacyNotOffered]);

    // An account that turns private after the look is not the client's fault.
    world.creator_info(&token).await;
    let private = AccountPatch {
        private: Some(true),
        ..AccountPatch::default()
    };
    world.sim.account("mia", private);
    let told = world
        .init(&token, "PUBLIC_TO_EVERYONE", &one_chunk(9))
        .await;
    assert_eq!(told.code(), "privacy_level_option_mismatch");
    assert_eq!(world.sim.broken().len(), 2);
}

#[tokio::test]
async fn bans_and_daily_caps_answer_200_when_asked_and_403_at_init() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let elsewhere = AccountPatch {
        posts_elsewhere: Some(14),
        ..AccountPatch::default()
    };
    world.sim.account("mia", elsewhere);
    world.deliver_post(&token, "SELF_ONLY", &mp4(100)).await;
    let info = world.creator_info(&token).await;
    assert_eq!(
        (info.status, info.code()),
        (200, "spam_risk_too_many_posts")
    );
    let told = world.init(&token, "SELF_ONLY", &one_chunk(100)).await;
    assert_eq!(
        (told.status, told.code()),
        (403, "spam_risk_too_many_posts")
    );

    let banned = AccountPatch {
        banned: Some(true),
        ..AccountPatch::default()
    };
    world.sim.account("mia", banned);
    let info = world.creator_info(&token).await;
    assert_eq!(
        (info.status, info.code()),
        (200, "spam_risk_user_banned_from_posting")
    );
    let told = world.init(&token, "SELF_ONLY", &one_chunk(100)).await;
    assert_eq!(told.code(), "spam_risk_user_banned_from_posting");
}
