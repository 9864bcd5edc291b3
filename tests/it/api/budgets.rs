//! Budgets for creators, breakers for operators, as the API shows them.

use std::time::Duration;

use serde_json::json;
use tiktok_sim::{Endpoint, Fault, FaultKind};

use super::{fixture::World, posts::inbox_post};

const BUDGET: &str = "query ($account: ID!) { postingBudget(accountId: $account) {
    accountId waiting
    budgets { name owner limit estimated left windowSeconds refillsAt tiktokCode }
    line { id state waitsFor { reason until place } nextAction { actor text at } } } }";

#[tokio::test]
async fn a_creator_sees_what_is_left_and_who_waits() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let account = async_graphql::ID::from(
        world
            .ask(&tenant, "{ tiktokAccounts { id } }", json!({}))
            .await["tiktokAccounts"][0]["id"]
            .as_str()
            .unwrap(),
    );
    let variables = json!({ "account": account });
    let fresh = world.ask(&tenant, BUDGET, variables.clone()).await;
    let fresh = &fresh["postingBudget"];
    assert_eq!(fresh["waiting"], 0);
    let budgets = fresh["budgets"].as_array().unwrap();
    assert_eq!(budgets.len(), 12);
    let of = |name: &str| budgets.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(of("video_init")["left"], 6);
    assert_eq!(of("creator_info")["limit"], 20);
    assert_eq!(of("status_fetch")["limit"], 30);
    assert_eq!(of("video_list")["owner"], "APP");
    assert_eq!(of("video_list")["left"], 600);
    assert_eq!(of("pending_drafts")["left"], 5);
    assert_eq!(of("posts_per_day")["limit"], 15);
    assert_eq!(of("posts_per_day")["estimated"], true);
    assert_eq!(of("creators_per_day")["limit"], json!(null));

    // TikTok says that a minute is used up: the post waits and says so.
    world
        .sim
        .fault(Fault::once(Endpoint::InboxInit, FaultKind::RateLimit));
    let media = world.media(&tenant.actor).await;
    let post = inbox_post(&world, &tenant, &media, "waits").await;
    world.clock.advance(Duration::from_secs(3_601));
    world.drain().await;
    let waiting = world.ask(&tenant, BUDGET, variables).await;
    let waiting = &waiting["postingBudget"];
    assert_eq!(waiting["waiting"], 1, "{waiting}");
    let line = &waiting["line"][0];
    assert_eq!(line["id"], json!(post));
    assert_eq!(line["waitsFor"]["reason"], "rate_limit");
    assert_eq!(line["waitsFor"]["place"], 1);
    assert_eq!(line["waitsFor"]["until"], line["nextAction"]["at"]);
    assert_eq!(line["nextAction"]["actor"], "CLIPQUEUE");
    let budgets = waiting["budgets"].as_array().unwrap();
    let inits = budgets.iter().find(|one| one["name"] == "inbox_video_init");
    assert_eq!(inits.unwrap()["left"], 0);
    assert_ne!(inits.unwrap()["refillsAt"], json!(null));
}

#[tokio::test]
async fn operators_see_every_breaker() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let document =
        "{ breakers { endpoint state reason parkedCreators since nextProbeAt probes failures } }";
    let closed = world.ask(&tenant, document, json!({})).await;
    let closed = closed["breakers"].as_array().unwrap();
    assert_eq!(closed.len(), 12);
    assert!(closed.iter().all(|breaker| breaker["state"] == "CLOSED"));

    let calls = &world.app.calls;
    let refused: Result<(), tiktok::Error> = Err(tiktok::Error::OAuth {
        endpoint: tiktok::Endpoint::Token,
        code: tiktok::error::OAuthCode::InvalidClient,
        message: String::new(),
        http_status: 200,
        logs: tiktok::error::LogIds::default(),
    });
    calls
        .overheard(None, tiktok::Endpoint::Token, &refused)
        .await;
    let open = world.ask(&tenant, document, json!({})).await;
    let open = open["breakers"].as_array().unwrap();
    let token = open.iter().find(|one| one["endpoint"] == "oauth_token");
    let token = token.unwrap();
    assert_eq!(token["state"], "OPEN");
    assert_eq!(token["reason"], "CLIENT_REFUSED");
    assert_eq!(token["parkedCreators"], 0);
    assert_ne!(token["nextProbeAt"], json!(null));
}
