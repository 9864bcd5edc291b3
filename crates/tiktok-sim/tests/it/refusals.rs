//! What is refused whoever calls: misshapen bodies, too many calls, wrong paths, worn-out tokens.

use serde_json::json;
use tiktok_sim::Rule;

use crate::support::{World, chunked, one_chunk};

#[tokio::test]
async fn init_refuses_what_the_documents_do_not_know() {
    let world = World::new().await;
    world.sim.configure(|config| config.limits.init = 100);
    let token = world.connect("mia").await;
    world.creator_info(&token).await;
    let path = "/v2/post/publish/video/init/";
    let file = one_chunk(100);
    for (body, rule, message) in [
        (
            json!({"post_info": {"privacy_level": "SELF_ONLY", "titel": ""}, "source_info": file}),
            Rule::UnknownField,
            "The request post info is empty or incorrect",
        ),
        (
            json!({"source_info": file}),
            Rule::BadBody,
            "The request post info is empty or incorrect",
        ),
        (
            json!({"post_info": {"privacy_level": "SELF_ONLY"}}),
            Rule::BadBody,
            "The request source info is empty or incorrect",
        ),
        (
            json!({"post_info": {"privacy_level": "SELF_ONLY", "title": "𝄞".repeat(1_101)}, "source_info": file}),
            Rule::CaptionTooLong,
            "The request post info is empty or incorrect",
        ),
        (
            json!({"post_info": {"privacy_level": "SELF_ONLY", "brand_content_toggle": true}, "source_info": file}),
            Rule::BrandedOnlyMe,
            "The request post info is empty or incorrect",
        ),
        (
            json!({"post_info": {"privacy_level": "SELF_ONLY"}, "source_info": chunked(50_000_123, 10_000_000, 6)}),
            Rule::ChunkArithmetic,
            "The total chunk count is invalid",
        ),
        (
            json!({"post_info": {"privacy_level": "SELF_ONLY"}, "source_info": chunked(20_000_000, 10_000_001, 1)}),
            Rule::ChunkArithmetic,
            "The chunk size is invalid",
        ),
    ] {
        let told = world.post(path, &token, &body).await;
        assert_eq!(
            (told.status, told.code()),
            (400, "invalid_params"),
            "{body}"
        );
        assert_eq!(told.body["error"]["message"], message);
        assert_eq!(world.sim.broken().pop().unwrap().rule, rule);
    }
    world
        .sim
        .configure(|config| config.quirks.documented_invalid_param = true);
    let told = world.post(path, &token, &json!({})).await;
    assert_eq!(told.code(), "invalid_param");
    assert!(world.sim.inits().is_empty());
}

#[tokio::test]
async fn limits_slide_per_token_and_are_a_broken_rule() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    for _ in 0..20 {
        assert_eq!(world.creator_info(&token).await.code(), "ok");
    }
    let over = world.creator_info(&token).await;
    assert_eq!((over.status, over.code()), (429, "rate_limit_exceeded"));
    assert_eq!(world.sim.broken()[0].rule, Rule::OverRateLimit);
    let other = world.connect("ben").await;
    assert_eq!(world.creator_info(&other).await.code(), "ok");
    world.advance(60);
    assert_eq!(world.creator_info(&token).await.code(), "ok");
    for _ in 0..6 {
        world.init(&token, "SELF_ONLY", &one_chunk(100)).await;
    }
    let over = world.init(&token, "SELF_ONLY", &one_chunk(100)).await;
    assert_eq!(over.status, 429);
}

#[tokio::test]
async fn paths_methods_and_tokens_are_exact() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let get = async |path: &str| {
        let call = world.http.get(world.url(path)).bearer_auth(&token);
        call.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get("/v2/user/info?fields=open_id").await, 404);
    assert_eq!(get("/v2/user/infos/").await, 404);
    assert_eq!(get("/v2/video/list/").await, 405);
    assert_eq!(get("/v2/user/info/?fields=open_id&x=1").await, 400);
    assert_eq!(world.creator_info("act.made-up").await.status, 401);
    let rules: Vec<Rule> = world
        .sim
        .broken()
        .iter()
        .map(|broken| broken.rule)
        .collect();
    assert_eq!(
        rules,
        [
            Rule::MissingTrailingSlash,
            Rule::UnknownEndpoint,
            Rule::WrongMethod,
            Rule::UnknownField,
            Rule::UnknownToken,
        ]
    );
}

#[tokio::test]
async fn an_init_with_an_expired_token_is_the_clients_fault_and_so_is_insisting() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    world.advance(7_200);
    assert_eq!(world.status(&token, "x").await.status, 401);
    assert!(world.sim.broken().is_empty());
    assert!(!world.sim.verify().is_clean(), "a refusal nobody declared");
    world.sim.expect_refusal("access_token_invalid");
    world.assert_clean();
    assert_eq!(
        world
            .init(&token, "SELF_ONLY", &one_chunk(100))
            .await
            .status,
        401
    );
    assert_eq!(world.sim.broken()[0].rule, Rule::ExpiredTokenOnInit);
    world.advance(5);
    world.status(&token, "x").await;
    assert_eq!(world.sim.broken()[1].rule, Rule::RefusedTokenUsedAgain);
}
