//! Webhooks, sources and imports by GraphQL, as a front end uses them.

use serde_json::{Value, json};

use super::fixture::World;

const CREATE: &str =
    "mutation ($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) {
    secret endpoint { id url kinds enabled } userErrors { field code } } }";

#[tokio::test]
async fn an_endpoint_is_made_turned_and_told() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let input = json!({ "input": {
        "idempotencyKey": "one", "url": "https://hooks.example.com/x", "kinds": ["post.*"],
    } });
    let made = world.ask(&tenant, CREATE, input.clone()).await;
    let made = &made["createWebhookEndpoint"];
    assert_eq!(made["userErrors"], json!([]));
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(made["endpoint"]["kinds"], json!(["post.*"]));
    // The same request gives the same endpoint; the secret was shown.
    let again = world.ask(&tenant, CREATE, input).await;
    let again = &again["createWebhookEndpoint"];
    assert_eq!(again["endpoint"]["id"], made["endpoint"]["id"]);
    assert_eq!(again["secret"], Value::Null);
    let inside = json!({ "input": { "idempotencyKey": "two", "url": "https://10.0.0.1/" } });
    let refused = world.ask(&tenant, CREATE, inside).await;
    assert_eq!(
        refused["createWebhookEndpoint"]["userErrors"],
        json!([{ "field": ["input", "url"], "code": "INVALID" }])
    );

    let id = &made["endpoint"]["id"];
    let rotated = world
        .ask(
            &tenant,
            "mutation ($input: RotateWebhookSecretInput!) { rotateWebhookSecret(input: $input) {
                secret endpoint { oldSecretUntil } userErrors { code } } }",
            json!({ "input": { "idempotencyKey": "three", "id": id } }),
        )
        .await;
    let rotated = &rotated["rotateWebhookSecret"];
    assert_ne!(rotated["secret"], made["secret"]);
    assert_ne!(rotated["endpoint"]["oldSecretUntil"], Value::Null);

    // A post's event becomes a delivery that names the post, its account and the cursor as this API does.
    let media = world.media(&tenant.actor).await;
    let post = super::posts::inbox_post(&world, &tenant, &media, "first").await;
    clipqueue::domain::webhooks::follow::follow(&world.app, tenant.actor.user_id)
        .await
        .unwrap();
    let told = world
        .ask(
            &tenant,
            "query ($id: ID!) {
                viewer { eventCursor }
                tiktokAccounts { id }
                webhookDeliveries(endpointId: $id, first: 5) {
                    edges { node { id webhookId kind state body attempts { number } endpointId } } } }",
            json!({ "id": id }),
        )
        .await;
    let edges = told["webhookDeliveries"]["edges"].as_array().unwrap();
    let newest = &edges[0]["node"];
    assert_eq!(&newest["endpointId"], id);
    assert_eq!(newest["state"], "PENDING");
    let body: Value = serde_json::from_str(newest["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["data"]["cursor"], told["viewer"]["eventCursor"]);
    assert_eq!(body["data"]["postId"], json!(post));
    assert_eq!(body["data"]["accountId"], told["tiktokAccounts"][0]["id"]);

    let off = world
        .ask(
            &tenant,
            "mutation ($input: UpdateWebhookEndpointInput!) { updateWebhookEndpoint(input: $input) {
                endpoint { enabled disabledReason } } }",
            json!({ "input": { "id": id, "enabled": false } }),
        )
        .await;
    assert_eq!(
        off["updateWebhookEndpoint"]["endpoint"],
        json!({ "enabled": false, "disabledReason": "asked" })
    );
    let gone = world
        .ask(
            &tenant,
            "mutation ($input: DeleteWebhookEndpointInput!) { deleteWebhookEndpoint(input: $input) {
                endpoint { id } } }",
            json!({ "input": { "id": id } }),
        )
        .await;
    assert_eq!(&gone["deleteWebhookEndpoint"]["endpoint"]["id"], id);
    let left = world
        .ask(&tenant, "{ webhookEndpoints { id } }", json!({}))
        .await;
    assert_eq!(left["webhookEndpoints"], json!([]));
}

#[tokio::test]
async fn a_source_says_how_to_prove_it_and_an_import_needs_the_proof() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let added = world
        .ask(
            &tenant,
            "mutation ($input: AddVerifiedSourceInput!) { addVerifiedSource(input: $input) {
                source { id url state dnsRecord fileUrl proof } userErrors { code } } }",
            json!({ "input": { "idempotencyKey": "one", "url": "https://media.example.com/clips" } }),
        )
        .await;
    let source = &added["addVerifiedSource"]["source"];
    assert_eq!(source["url"], "https://media.example.com/clips/");
    assert_eq!(source["state"], "PENDING");
    assert_eq!(source["dnsRecord"], "_clipqueue.media.example.com");
    assert_eq!(
        source["fileUrl"],
        "https://media.example.com/clips/clipqueue-verification.txt"
    );
    let proof = source["proof"].as_str().unwrap();
    assert!(proof.starts_with("clipqueue-verification=") && proof.len() > 40);
    let refused = world
        .ask(
            &tenant,
            "mutation ($input: ImportMediaInput!) { importMedia(input: $input) {
                mediaImport { id } userErrors { field code } } }",
            json!({ "input": { "idempotencyKey": "two", "url": "https://media.example.com/clips/a.mp4" } }),
        )
        .await;
    assert_eq!(
        refused["importMedia"]["userErrors"],
        json!([{ "field": ["input", "url"], "code": "INVALID" }])
    );
    let node = world
        .ask(
            &tenant,
            "query ($id: ID!) { node(id: $id) { ... on VerifiedSource { url } } mediaImports { edges { cursor } } }",
            json!({ "id": source["id"] }),
        )
        .await;
    assert_eq!(node["node"]["url"], "https://media.example.com/clips/");
    assert_eq!(node["mediaImports"]["edges"], json!([]));
}
