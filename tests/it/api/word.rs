//! What people say of a post, as a front end and an operator say it.

use clipqueue_entities::{PostId, post, post::PostState};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};

use super::{
    fixture::{Tenant, World},
    posts::inbox_post,
};

/// A post in doubt, made so behind everybody's back.
async fn doubted(world: &World, tenant: &Tenant, label: &str) -> Value {
    let media = world.media(&tenant.actor).await;
    let id = inbox_post(world, tenant, &media, label).await;
    let posts = post::Entity::find().all(world.app.db.read()).await.unwrap();
    let row = posts
        .into_iter()
        .find(|post| post.experiment_label.as_deref() == Some(label))
        .unwrap();
    let mut row = row.into_active_model();
    row.state = Set(PostState::Unconfirmed);
    row.update(world.app.db.write()).await.unwrap();
    json!(id)
}

const CONFIRM: &str = "mutation ($input: ConfirmPostInput!) { confirmPost(input: $input) {
    post { state shareUrl tiktokPostIds videos { videoId standing shareUrl caption postedAt joinedAt hiddenAt }
      timeline(last: 1) { edges { node { kind from to notice videoId evidence { source subject } } } } }
    userErrors { field code message retryable retryAt } } }";

const SETTLE: &str = "mutation ($input: SettlePostInput!) { settlePost(input: $input) {
    state userErrors { field code message } } }";

#[tokio::test]
async fn a_creator_confirms_and_sees_what_became_of_it() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let id = doubted(&world, &tenant, "doubt").await;
    let input = json!({
        "id": id,
        "posted": true,
        "shareUrl": "https://www.tiktok.com/@alice/video/7412345678901234567?_r=1",
        "idempotencyKey": "1",
    });
    let answer = world.ask(&tenant, CONFIRM, json!({ "input": input })).await;
    let payload = &answer["confirmPost"];
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    let post = &payload["post"];
    assert_eq!(post["state"], "PUBLISHED");
    assert_eq!(post["tiktokPostIds"], json!(["7412345678901234567"]));
    assert_eq!(post["videos"][0]["standing"], "JOINED");
    assert_eq!(
        post["videos"][0]["shareUrl"],
        "https://www.tiktok.com/@alice/video/7412345678901234567"
    );
    let event = &post["timeline"]["edges"][0]["node"];
    assert_eq!(event["from"], "UNCONFIRMED");
    assert_eq!(event["evidence"]["source"], "CREATOR");

    let other = doubted(&world, &tenant, "other").await;
    let input = json!({ "id": other, "posted": false, "idempotencyKey": "2" });
    let answer = world.ask(&tenant, CONFIRM, json!({ "input": input })).await;
    let error = &answer["confirmPost"]["userErrors"][0];
    assert_eq!(error["code"], "WRONG_STATE", "{error}");
    assert!(error["retryAt"].is_string(), "it says when: {error}");
    assert_eq!(answer["confirmPost"]["post"]["state"], "UNCONFIRMED");
    let input = json!({ "id": other, "posted": true, "videoId": "7412345678901234567", "idempotencyKey": "3" });
    let answer = world.ask(&tenant, CONFIRM, json!({ "input": input })).await;
    let error = &answer["confirmPost"]["userErrors"][0];
    assert_eq!(error["field"], json!(["input", "videoId"]), "{error}");
}

#[tokio::test]
async fn an_operator_settles_and_it_is_recorded() {
    let world = World::new().await;
    let owner = world.tenant("alice").await;
    let operator = world.tenant("operator").await;
    let id = doubted(&world, &owner, "doubt").await;
    let input = |reason: &str| json!({ "input": { "id": id, "posted": true, "reason": reason, "idempotencyKey": "1" } });
    let answer = world.ask(&operator, SETTLE, input("")).await;
    assert_eq!(answer["settlePost"]["userErrors"][0]["code"], "INVALID");
    let answer = world
        .ask(&operator, SETTLE, input("it is on the profile"))
        .await;
    assert_eq!(answer["settlePost"]["state"], "PUBLISHED", "{answer}");
    let unknown = json!({ "input": {
        "id": nobody(), "posted": true, "reason": "x", "idempotencyKey": "2" } });
    let answer = world.ask(&operator, SETTLE, unknown).await;
    assert_eq!(answer["settlePost"]["userErrors"][0]["code"], "NOT_FOUND");
    let entries = clipqueue_entities::audit_entry::Entity::find()
        .all(world.app.db.read())
        .await
        .unwrap();
    let mut outcomes: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action == "post.settle")
        .map(|entry| entry.outcome.as_str())
        .collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["done", "invalid", "not_found"]);
}

/// The id of a post that does not exist.
fn nobody() -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(format!("Post:{}", PostId::new()))
}
