//! API keys: rotated with an overlap, restricted to accounts.

use std::time::Duration;

use clipqueue::domain::{
    actor::{Actor, Scope},
    api_keys,
    error::Code,
    key_rotation::{self, Rotation},
};
use clipqueue_entities::ApiKeyId;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::code;
use crate::support::{app::TestApp, flows::HOUR};

crate::on_both_stacks!(
    a_rotated_key_works_beside_its_successor,
    a_key_is_not_rotated_into_more,
    a_restricted_key_is_for_its_accounts_alone,
);

const DAY: Duration = Duration::from_secs(86_400);

async fn works(t: &TestApp, text: &str) -> bool {
    api_keys::authenticate(&t.app, text).await.unwrap().is_ok()
}

fn within(overlap: Duration) -> Rotation {
    Rotation {
        overlap,
        expires_at: None,
    }
}

async fn a_rotated_key_works_beside_its_successor(t: TestApp) {
    let (app, actor) = (&t.app, &t.actor);
    let end = Some(t.clock.now() + 30 * DAY);
    let scopes = [Scope::PostsRead, Scope::MediaWrite];
    let old = api_keys::create(app, actor.user_id, "site", &scopes, end)
        .await
        .unwrap();
    let text = api_keys::expose(&old).to_owned();
    t.advance(10 * DAY);
    let document = "mutation ($input: RotateApiKeyInput!) { rotateApiKey(input: $input) {
        token apiKey { id name scopes expiresAt } replaced { id expiresAt replacedById } userErrors { code field } } }";
    let keys = "{ apiKeys { id name } }";
    let (_, _, listed) = t.ask(&t.key, keys, json!({})).await;
    let id = &listed["data"]["apiKeys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] == "site")
        .unwrap()["id"];
    let input = json!({ "id": id, "idempotencyKey": "r1", "overlapSeconds": 7200 });
    let (_, _, answer) = t.ask(&t.key, document, json!({ "input": input })).await;
    let rotated = &answer["data"]["rotateApiKey"];
    assert_eq!(rotated["userErrors"], json!([]), "{answer}");
    assert_eq!(rotated["apiKey"]["name"], "site");
    assert_eq!(
        rotated["apiKey"]["scopes"],
        json!(["MEDIA_WRITE", "POSTS_READ"])
    );
    assert_eq!(rotated["replaced"]["replacedById"], rotated["apiKey"]["id"]);
    let new = rotated["token"].as_str().unwrap().to_owned();
    assert!(works(&t, &text).await && works(&t, &new).await);

    // The same request gives the same key, and its text no more.
    let (_, _, again) = t.ask(&t.key, document, json!({ "input": input })).await;
    let again = &again["data"]["rotateApiKey"];
    assert_eq!(again["token"], Value::Null);
    assert_eq!(again["apiKey"]["id"], rotated["apiKey"]["id"]);
    let twice = key_rotation::rotate(app, actor, old.key.id, within(HOUR), "r2").await;
    assert_eq!(code(twice), Code::WrongState);

    t.advance(2 * HOUR);
    assert!(!works(&t, &text).await && works(&t, &new).await);
    // The successor lives as long as the first was meant to.
    t.advance(30 * DAY - 3 * HOUR);
    assert!(works(&t, &new).await);
    t.advance(2 * HOUR);
    assert!(!works(&t, &new).await);
}

async fn a_key_is_not_rotated_into_more(t: TestApp) {
    let (app, user) = (&t.app, t.actor.user_id);
    let strong = api_keys::create(app, user, "strong", &Scope::ALL, None)
        .await
        .unwrap();
    let weak = Actor {
        scopes: vec![Scope::KeysAdmin, Scope::PostsRead],
        ..t.actor.clone()
    };
    let answer = key_rotation::rotate(app, &weak, strong.key.id, within(HOUR), "r").await;
    assert_eq!(code(answer), Code::ScopeNotHeld);
    assert!(works(&t, api_keys::expose(&strong)).await);
    let long = key_rotation::rotate(app, &t.actor, strong.key.id, within(31 * DAY), "r").await;
    assert_eq!(code(long), Code::Invalid);
    let bob = TestApp::user(app, "bob", &Scope::ALL).await.0;
    let foreign = key_rotation::rotate(app, &bob, strong.key.id, within(HOUR), "r").await;
    assert!(foreign.is_err());
    let at_once = key_rotation::rotate(app, &t.actor, strong.key.id, within(Duration::ZERO), "r");
    let rotated = at_once.await.unwrap();
    assert!(!works(&t, api_keys::expose(&strong)).await);
    assert!(works(&t, rotated.text.unwrap().expose_secret()).await);
    api_keys::revoke(app, user, rotated.new.id).await.unwrap();
    let ended = key_rotation::rotate(app, &t.actor, rotated.new.id, within(HOUR), "r2").await;
    assert_eq!(code(ended), Code::WrongState);
    let unknown = key_rotation::rotate(app, &t.actor, ApiKeyId::new(), within(HOUR), "r3").await;
    assert!(unknown.is_err());
}

async fn a_restricted_key_is_for_its_accounts_alone(t: TestApp) {
    let (own, other) = (t.connect("ada.clips").await, t.connect("ada.more").await);
    let media = t.upload().await;
    let posts = [own.id, other.id].map(|account| TestApp::inbox(account, media));
    let mut made = Vec::new();
    for mut post in posts {
        post.keep_draft = true;
        made.push(t.post(post).await.id);
    }
    let make = async |scopes: &[Scope], accounts: &[_], key: &str| {
        api_keys::create_by(
            &t.app,
            &t.actor,
            "narrow",
            scopes,
            None,
            Some(accounts),
            key,
        )
        .await
    };
    let wide = make(&[Scope::PostsRead, Scope::OpsRead], &[own.id], "k1").await;
    assert_eq!(code(wide), Code::Invalid);
    let bob = TestApp::user(&t.app, "bob", &Scope::ALL).await.0;
    let foreign = api_keys::create_by(
        &t.app,
        &bob,
        "narrow",
        &[Scope::PostsRead],
        None,
        Some(&[own.id]),
        "k",
    )
    .await;
    assert_eq!(code(foreign), Code::NotFound);
    assert_eq!(
        code(make(&[Scope::PostsRead], &[], "k2").await),
        Code::Invalid
    );
    let scopes = [
        Scope::AccountsRead,
        Scope::PostsRead,
        Scope::PostsWrite,
        Scope::MediaRead,
    ];
    let (_, text) = make(&scopes, &[own.id], "k3").await.unwrap();
    let text = text.unwrap().expose_secret().to_owned();

    let document =
        "{ tiktokAccounts { username } posts { edges { node { id account { username } } } } }";
    let (_, _, seen) = t.ask(&text, document, json!({})).await;
    assert_eq!(
        seen["data"]["tiktokAccounts"].as_array().unwrap().len(),
        1,
        "{seen}"
    );
    let edges = seen["data"]["posts"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 1);
    let cancel = "mutation ($id: ID!) { cancelPost(input: { id: $id }) { post { state } userErrors { code field } } }";
    let (_, _, all) = t
        .ask(&t.key, "{ posts { edges { node { id } } } }", json!({}))
        .await;
    let ids: Vec<&Value> = all["data"]["posts"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| &edge["node"]["id"])
        .collect();
    assert_eq!(ids.len(), 2);
    for id in ids {
        let may = *id == edges[0]["node"]["id"];
        let (_, _, answer) = t.ask(&text, cancel, json!({ "id": id })).await;
        let payload = &answer["data"]["cancelPost"];
        if may {
            assert_eq!(payload["post"]["state"], "CANCELLED", "{answer}");
        } else {
            assert_eq!(
                payload["userErrors"][0],
                json!({ "code": "NOT_FOUND", "field": ["input", "id"] })
            );
            assert_eq!(payload["post"], Value::Null);
        }
        let (_, _, node) = t
            .ask(
                &text,
                "query ($id: ID!) { node(id: $id) { id } }",
                json!({ "id": id }),
            )
            .await;
        assert_eq!(node["data"]["node"].is_null(), !may, "{node}");
    }
    // What tells no accounts apart is closed, whatever it is called.
    let alias = "{ viewer: experimentLabels { label } }";
    let (_, _, closed) = t.ask(&text, alias, json!({})).await;
    assert_eq!(
        closed["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{closed}"
    );
}
