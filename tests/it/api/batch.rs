//! Several posts in one request and posts at local times, as a front end sends them.

use axum::{
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

use super::{
    fixture::{Tenant, World},
    posts::ids,
};

const CREATE: &str = "mutation ($input: CreatePostsInput!) { createPosts(input: $input) {
    created refused
    rows { row post { id state publishAt } userErrors { field code message } }
    userErrors { field code message } } }";

/// Sends a body through the router, with a key of the tenant's, and all limits as they come.
async fn post(world: &World, tenant: &Tenant, document: &str, input: Value) -> (StatusCode, Value) {
    let user = tenant.actor.user_id;
    let key = api_keys::create(&world.app, user, "test", &Scope::CREATOR, None)
        .await
        .unwrap();
    let router = http::router(
        &world.app,
        None,
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let body = json!({ "query": document, "variables": { "input": input } }).to_string();
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", api_keys::expose(&key)),
        )
        .body(Body::from(body))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 22).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn five_hundred_rows_fit_into_one_request() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let (account, media) = ids(&tenant, &media);
    // As long as captions are in life.
    let caption = "A caption that says a little more than nothing #clip ".repeat(15);
    let mut rows: Vec<Value> = (0..500)
        .map(|row| {
            json!({
                "accountId": account,
                "mediaId": media,
                "caption": format!("{row} {caption}"),
                "uploadReference": format!("reference-{row}"),
            })
        })
        .collect();
    rows[3]["caption"] = json!("x".repeat(2201));
    rows[7]["publishAtLocal"] = json!({ "at": "2027-03-28T02:30", "zone": "Mars/Olympus" });
    rows[8]["publishAtLocal"] = json!({ "at": "2027-03-28T02:30", "zone": "Europe/Berlin" });
    let input = json!({ "idempotencyKey": "many", "posts": rows });
    let (status, answer) = post(&world, &tenant, CREATE, input).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let made = &answer["data"]["createPosts"];
    assert_eq!(
        (&made["created"], &made["refused"]),
        (&json!(498), &json!(2)),
        "{answer}"
    );
    assert_eq!(made["userErrors"], json!([]));
    assert_eq!(made["rows"][499]["row"], 499);
    assert_eq!(made["rows"][499]["post"]["state"], "SCHEDULED");
    let error = &made["rows"][3]["userErrors"][0];
    assert_eq!(error["field"], json!(["input", "posts", "3", "caption"]));
    assert_eq!(error["code"], "TOO_LONG");
    let error = &made["rows"][7]["userErrors"][0];
    assert_eq!(
        error["field"],
        json!(["input", "posts", "7", "publishAtLocal", "zone"])
    );
    // The time that does not exist moved on by the hour that is missing.
    assert_eq!(
        made["rows"][8]["post"]["publishAt"],
        "2027-03-28T01:30:00.000Z"
    );
}

#[tokio::test]
async fn a_row_costs_what_it_selects() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let (account, media) = ids(&tenant, &media);
    let rows: Vec<Value> = (0..100)
        .map(|_| json!({ "accountId": account, "mediaId": media }))
        .collect();
    let input = json!({ "idempotencyKey": "dear", "posts": rows });
    let dear = "mutation ($input: CreatePostsInput!) { createPosts(input: $input) {
        rows { post { timeline(first: 100) { edges { node { kind evidence { source } } } } } } } }";
    let (_, answer) = post(&world, &tenant, dear, input.clone()).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "COST_LIMIT",
        "{answer}"
    );
    let (_, answer) = post(&world, &tenant, CREATE, input).await;
    assert_eq!(answer["data"]["createPosts"]["created"], 100, "{answer}");
}

#[tokio::test]
async fn all_or_nothing_says_that_nothing_was_made() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let (account, media) = ids(&tenant, &media);
    let mut rows = vec![json!({ "accountId": account, "mediaId": media }); 2];
    rows[1]["caption"] = json!("x".repeat(2201));
    let input = json!({ "idempotencyKey": "all", "posts": rows, "allOrNothing": true });
    let answer = world.ask(&tenant, CREATE, json!({ "input": input })).await;
    let made = &answer["createPosts"];
    assert_eq!(made["created"], 0);
    assert_eq!(made["userErrors"][0]["code"], "BATCH_REFUSED");
    assert_eq!(made["rows"][0]["userErrors"], json!([]));
    assert_eq!(made["rows"][0]["post"], Value::Null);
    let posts = world
        .ask(&tenant, "{ posts { edges { cursor } } }", json!({}))
        .await;
    assert_eq!(posts["posts"]["edges"], json!([]));
}

#[tokio::test]
async fn a_local_time_and_a_rule_for_lateness_are_shown_with_the_post() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let (account, media) = ids(&tenant, &media);
    let create = "mutation ($input: CreatePostInput!) { createPost(input: $input) { post {
        id version publishAt deadlineAt
        publishAtLocal { at zone gap overlap resolution shown utcOffsetSeconds }
        late { policy withinSeconds until chosen } } userErrors { field code message } } }";
    let input = json!({
        "idempotencyKey": "local",
        "accountId": account,
        "mediaId": media,
        "publishAtLocal": { "at": "2027-03-28T02:30:00", "zone": "Europe/Berlin" },
        "late": { "policy": "WITHIN", "withinSeconds": 3600 },
    });
    let answer = world.ask(&tenant, create, json!({ "input": input })).await;
    let made = &answer["createPost"]["post"];
    assert_eq!(made["publishAt"], "2027-03-28T01:30:00.000Z", "{answer}");
    assert_eq!(
        made["publishAtLocal"],
        json!({
            "at": "2027-03-28T02:30:00", "zone": "Europe/Berlin", "gap": "LATER", "overlap": "EARLIER",
            "resolution": "MOVED_LATER", "shown": "2027-03-28T03:30:00", "utcOffsetSeconds": 7200,
        })
    );
    assert_eq!(
        made["late"],
        json!({ "policy": "WITHIN", "withinSeconds": 3600, "until": "2027-03-28T02:30:00.000Z", "chosen": true })
    );
    let change = "mutation ($input: UpdatePostInput!) { updatePost(input: $input) {
        post { publishAt publishAtLocal { zone } late { policy withinSeconds chosen } }
        userErrors { field code message } } }";
    let input = json!({ "id": made["id"], "expectedVersion": 1, "changes": {
        "publishAt": "2027-03-01T12:00:00Z", "late": null } });
    let answer = world.ask(&tenant, change, json!({ "input": input })).await;
    let changed = &answer["updatePost"]["post"];
    assert_eq!(changed["publishAt"], "2027-03-01T12:00:00.000Z", "{answer}");
    assert_eq!(changed["publishAtLocal"], Value::Null);
    assert_eq!(
        changed["late"],
        json!({ "policy": "WITHIN", "withinSeconds": 21600, "chosen": false })
    );
    for wrong in [
        "2027-03-28T02:30:00Z",
        "2027-03-28",
        "2027-02-30T00:00",
        "02:30",
    ] {
        let input = json!({ "idempotencyKey": "wrong", "accountId": account, "mediaId": media,
            "publishAtLocal": { "at": wrong, "zone": "Europe/Berlin" } });
        let answer = world
            .run(Some(&tenant.actor), create, json!({ "input": input }))
            .await;
        assert!(answer["errors"][0].is_object(), "{wrong}: {answer}");
    }
}
