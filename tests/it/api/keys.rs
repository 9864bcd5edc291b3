//! API keys made through the API.

use clipqueue::domain::{
    actor::{Actor, Scope},
    api_keys,
};
use serde_json::{Value, json};

use super::fixture::World;

const CREATE: &str = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { id name prefix scopes } token userErrors { field code } } }";

#[tokio::test]
async fn a_key_is_shown_once_works_and_ends() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let input = json!({ "idempotencyKey": "k1", "name": "front end", "scopes": ["POSTS_READ", "MEDIA_WRITE"] });
    let made = world.ask(&tenant, CREATE, json!({ "input": input })).await;
    let made = &made["createApiKey"];
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with(made["apiKey"]["prefix"].as_str().unwrap()));
    let actor = api_keys::authenticate(&world.app, token)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(actor.scopes, [Scope::MediaWrite, Scope::PostsRead]);
    assert_eq!(actor.user_id, tenant.actor.user_id);

    let again = world.ask(&tenant, CREATE, json!({ "input": input })).await;
    assert_eq!(again["createApiKey"]["token"], Value::Null);
    assert_eq!(again["createApiKey"]["apiKey"]["id"], made["apiKey"]["id"]);
    let mut other = input.clone();
    other["name"] = json!("another");
    let other = world.ask(&tenant, CREATE, json!({ "input": other })).await;
    assert_eq!(
        other["createApiKey"]["userErrors"][0]["code"],
        "IDEMPOTENCY_MISMATCH"
    );

    let revoke = "mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { revokedAt } userErrors { code } } }";
    let ended = world
        .ask(
            &tenant,
            revoke,
            json!({ "input": { "id": made["apiKey"]["id"] } }),
        )
        .await;
    assert_eq!(
        ended["revokeApiKey"]["apiKey"]["revokedAt"],
        "2027-01-15T08:00:00.000Z"
    );
    assert!(
        api_keys::authenticate(&world.app, token)
            .await
            .unwrap()
            .is_err()
    );
    let keys = world
        .ask(&tenant, "{ apiKeys { name revokedAt } }", json!({}))
        .await;
    assert_eq!(keys["apiKeys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_cannot_grant_what_its_maker_lacks() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let maker = Actor {
        scopes: vec![Scope::KeysAdmin, Scope::PostsRead],
        ..tenant.actor.clone()
    };
    for scope in ["OPS_READ", "OPS_WRITE", "POSTS_WRITE"] {
        let input =
            json!({ "idempotencyKey": scope, "name": "more", "scopes": ["POSTS_READ", scope] });
        let answer = world
            .run(Some(&maker), CREATE, json!({ "input": input }))
            .await;
        let payload = &answer["data"]["createApiKey"];
        assert_eq!(
            payload["userErrors"][0]["code"], "SCOPE_NOT_HELD",
            "{answer}"
        );
        assert_eq!(payload["token"], Value::Null);
    }
    let keys = world.ask(&tenant, "{ apiKeys { name } }", json!({})).await;
    assert_eq!(keys["apiKeys"], json!([]));
}
