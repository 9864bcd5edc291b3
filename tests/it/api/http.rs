//! The API over HTTP, with real keys and a real upload.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use clipqueue::{
    domain::{actor::Scope, api_keys},
    http,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::fixture::{CLIP, World};

struct Client {
    router: Router,
    key: String,
}

impl Client {
    async fn new(world: &World, scopes: &[Scope]) -> Self {
        let user = api_keys::ensure_user(&world.app, "carol").await.unwrap();
        let key = api_keys::create(&world.app, user.id, "test", scopes, None)
            .await
            .unwrap();
        Self {
            router: http::router(
                &world.app,
                None,
                CancellationToken::new(),
                CancellationToken::new(),
            ),
            key: api_keys::expose(&key).to_owned(),
        }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn ask(
        &self,
        key: Option<&str>,
        document: &str,
        variables: Value,
    ) -> (StatusCode, Value) {
        let mut request =
            Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let body = json!({ "query": document, "variables": variables }).to_string();
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}

#[tokio::test]
async fn a_file_goes_up_by_the_address_that_create_upload_gives() {
    let world = World::new().await;
    let client = Client::new(&world, &Scope::CREATOR).await;
    let document = "mutation ($input: CreateUploadInput!) { createUpload(input: $input) { media { id state size } uploadUrl expiresAt userErrors { code } } }";
    let input = json!({ "idempotencyKey": "u1", "filename": "clip.mp4", "size": CLIP.len().to_string(), "contentType": "video/mp4" });
    let (status, answer) = client
        .ask(Some(&client.key), document, json!({ "input": input }))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let upload = &answer["data"]["createUpload"];
    assert_eq!(upload["media"]["state"], "UPLOADING", "{answer}");
    let (_, again) = client
        .ask(Some(&client.key), document, json!({ "input": input }))
        .await;
    assert_eq!(
        again["data"]["createUpload"]["media"]["id"],
        upload["media"]["id"]
    );

    let url = url::Url::parse(upload["uploadUrl"].as_str().unwrap()).unwrap();
    let patch = Request::patch(url.path())
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", "0")
        .header(header::CONTENT_TYPE, "application/offset+octet-stream")
        .body(Body::from(CLIP))
        .unwrap();
    let (status, _) = client.send(patch).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, node) = client
        .ask(
            Some(&client.key),
            "query ($id: ID!) { node(id: $id) { ... on Media { state received contentType } } }",
            json!({ "id": upload["media"]["id"] }),
        )
        .await;
    let media = &node["data"]["node"];
    assert_eq!(media["state"], "READY", "{node}");
    assert_eq!(media["received"], CLIP.len().to_string());
    assert_eq!(media["contentType"], "video/mp4");

    for size in ["0", "-5", "9000000000"] {
        let input =
            json!({ "idempotencyKey": format!("bad{size}"), "filename": "x", "size": size });
        let (_, refused) = client
            .ask(Some(&client.key), document, json!({ "input": input }))
            .await;
        assert_eq!(
            refused["data"]["createUpload"]["userErrors"][0]["code"], "INVALID",
            "{refused}"
        );
    }
}

#[tokio::test]
async fn keys_and_scopes_hold_at_the_door() {
    let world = World::new().await;
    let client = Client::new(&world, &[Scope::PostsRead]).await;
    let (status, viewer) = client
        .ask(
            Some(&client.key),
            "{ viewer { id name scopes } }",
            json!({}),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(viewer["data"]["viewer"]["name"], "carol");
    assert_eq!(viewer["data"]["viewer"]["scopes"], json!(["POSTS_READ"]));
    let (status, _) = client.ask(None, "{ viewer { id } }", json!({})).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_, refused) = client
        .ask(
            Some(&client.key),
            "{ jobs { edges { cursor } } }",
            json!({}),
        )
        .await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(refused["data"], Value::Null);
}

#[tokio::test]
async fn a_page_of_pages_costs_too_much() {
    let world = World::new().await;
    let client = Client::new(&world, &Scope::CREATOR).await;
    let document =
        "{ posts(first: 100) { edges { node { timeline(first: 100) { edges { cursor } } } } } }";
    let (_, answer) = client.ask(Some(&client.key), document, json!({})).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "COST_LIMIT",
        "{answer}"
    );
    let naive = "mutation { createApiKey(input: { idempotencyKey: \"x\", name: \"x\", scopes: [], expiresAt: \"2030-01-01T00:00:00\" }) { token } }";
    let (_, answer) = client.ask(Some(&client.key), naive, json!({})).await;
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("with an offset"), "{answer}");
}

#[tokio::test]
async fn tools_may_introspect_with_an_operators_key() {
    let world = World::new().await;
    let query = include_str!("../graphql_protocol/introspection.graphql");
    let operator = Client::new(&world, &[Scope::OpsRead]).await;
    let (status, answer) = operator.ask(Some(&operator.key), query, json!({})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["errors"], Value::Null);
    let types = answer["data"]["__schema"]["types"].as_array().unwrap();
    assert!(types.iter().any(|ty| ty["name"] == "TikTokAccount"));
    let other = Client::new(&world, &Scope::CREATOR).await;
    let (_, refused) = other.ask(Some(&other.key), query, json!({})).await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"],
        "INTROSPECTION_DISABLED"
    );
}
