//! Operations of a minute: refused by 429 with the time to wait, and told in every answer.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use clipqueue::{
    domain::actor::Scope,
    graphql::schema,
    http::{self, graphql},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::app::TestApp;

crate::on_both_stacks!(
    a_user_who_asks_too_often_waits,
    without_a_limit_nothing_is_told,
    every_item_of_a_batch_counts_and_the_last_one_is_told,
    files_that_are_announced_and_deleted_count_and_their_bytes_do_not,
);

const VIEWER: &str = "{ viewer { name } }";

async fn a_user_who_asks_too_often_waits(mut t: TestApp) {
    t.reconfigure(|config| config.plans.paid.requests_per_minute = Some(3));
    let (_, other) = TestApp::user(&t.app, "ada", &Scope::CREATOR).await;
    let (_, bob) = TestApp::user(&t.app, "bob", &Scope::CREATOR).await;
    for left in [2, 1, 0] {
        let (status, headers, _) = t.ask(&t.key, VIEWER, json!({})).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["ratelimit-policy"], "\"api\";q=3;w=60");
        assert_eq!(headers["ratelimit"], format!("\"api\";r={left};t=60"));
        assert!(!headers.contains_key("retry-after"));
    }
    t.advance(Duration::from_secs(20));
    // Another key of the same user is no second allowance.
    for key in [&t.key, &other] {
        let (status, headers, answer) = t.ask(key, VIEWER, json!({})).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{answer}");
        assert_eq!(headers["retry-after"], "40");
        assert_eq!(headers["ratelimit"], "\"api\";r=0;t=40");
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "RATE_LIMITED");
        assert_eq!(error["extensions"]["retryAfter"], 40);
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("3 operations a minute")
        );
        assert!(answer.get("data").is_none(), "{answer}");
    }
    let (status, _, _) = t.ask(&bob, VIEWER, json!({})).await;
    assert_eq!(status, StatusCode::OK);
    t.advance(Duration::from_secs(40));
    let usage = "{ usage { requests { used limit left } usedUp } }";
    let (status, _, answer) = t.ask(&other, usage, json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let usage = &answer["data"]["usage"];
    assert_eq!(
        usage["requests"],
        json!({ "used": "1", "limit": "3", "left": "2" })
    );
    assert_eq!(usage["usedUp"], json!([]));
}

async fn without_a_limit_nothing_is_told(t: TestApp) {
    for _ in 0..20 {
        let (status, headers, _) = t.ask(&t.key, VIEWER, json!({})).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!headers.contains_key("ratelimit"));
    }
}

async fn every_item_of_a_batch_counts_and_the_last_one_is_told(mut t: TestApp) {
    t.reconfigure(|config| config.plans.paid.requests_per_minute = Some(4));
    // The product's own router takes no batches: this is its endpoint with them.
    let router = graphql::router(graphql::Endpoint {
        engine: graphql::Engine::new(schema::build(t.app.clone())),
        auth: Arc::new(http::auth::Keys::new(t.app.clone())),
        settings: graphql::Settings {
            max_batch: 3,
            ..graphql::Settings::default()
        },
        clock: t.app.clock.clone(),
        shutdown: CancellationToken::new(),
    });
    for (left, refused) in [(1, 0), (0, 2)] {
        let batch: Vec<Value> = (0..3).map(|_| json!({ "query": VIEWER })).collect();
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", t.key))
            .body(Body::from(json!(batch).to_string()))
            .unwrap();
        let (found, headers, body) = answered(&router, request).await;
        assert_eq!(found, StatusCode::OK, "{body}");
        assert_eq!(headers["ratelimit"], format!("\"api\";r={left};t=60"));
        let answers: Vec<Value> = serde_json::from_str(&body).unwrap();
        let codes = answers
            .iter()
            .filter(|answer| answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED");
        assert_eq!(codes.count(), refused, "{body}");
        assert_eq!(headers.contains_key("retry-after"), refused > 0);
    }
}

async fn files_that_are_announced_and_deleted_count_and_their_bytes_do_not(mut t: TestApp) {
    t.reconfigure(|config| config.plans.paid.requests_per_minute = Some(2));
    let base = t.app.config.http.public_url.path().trim_end_matches('/');
    assert_eq!(base, "", "the addresses below are paths");
    let ask = |method: &str, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", t.key))
            .header(
                "origin",
                t.app.config.http.public_url.origin().ascii_serialization(),
            )
            .header("tus-resumable", "1.0.0")
    };
    let announce = || ask("POST", "/uploads").header("upload-length", "100");
    let empty = Body::empty;
    let (status, headers, body) = send(&t, announce().body(empty()).unwrap()).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!(headers["ratelimit"], "\"api\";r=1;t=60");
    let exposed = headers["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("RateLimit,") && exposed.contains("RateLimit-Policy"));
    let place: axum::http::Uri = headers["location"].to_str().unwrap().parse().unwrap();
    let path = place.path();
    let patch = ask("PATCH", path)
        .header("upload-offset", "0")
        .header("content-type", "application/offset+octet-stream");
    let (status, headers, body) = send(&t, patch.body(Body::from("some")).unwrap()).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    assert!(!headers.contains_key("ratelimit"), "bytes are not counted");
    let (status, _, _) = send(&t, ask("HEAD", path).body(empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    let (status, headers, _) = send(&t, ask("DELETE", path).body(empty()).unwrap()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(headers["ratelimit"], "\"api\";r=0;t=60");

    t.advance(Duration::from_secs(20));
    let (status, headers, body) = send(&t, announce().body(empty()).unwrap()).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{body}");
    assert_eq!(headers["retry-after"], "40");
    assert_eq!(headers["ratelimit"], "\"api\";r=0;t=40");
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["code"], "RATE_LIMITED");
    // It is one allowance with the API's.
    let (status, _, _) = t.ask(&t.key, VIEWER, json!({})).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    t.advance(Duration::from_secs(40));
    let (status, _, _) = send(&t, announce().body(empty()).unwrap()).await;
    assert_eq!(status, StatusCode::CREATED);
}

async fn send(t: &TestApp, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let token = CancellationToken::new;
    answered(&http::router(&t.app, None, token(), token()), request).await
}

async fn answered(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let answer = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(bytes.to_vec()).unwrap();
    (parts.status, parts.headers, body)
}
