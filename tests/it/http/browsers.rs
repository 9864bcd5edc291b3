//! Headers, foreign pages, and what no route answers.

use axum::{body::Body, http::Request};
use serde_json::Value;

use super::{get, request, router, send};
use crate::support::app::{Stack, TestApp};

const FRIEND: &str = "https://app.example";
const STRANGER: &str = "https://evil.example";

async fn start() -> TestApp {
    TestApp::start_with(Stack::Embedded, &[("http.allowed_origins", FRIEND)]).await
}

#[tokio::test]
async fn what_no_route_answers_is_json() {
    let t = start().await;
    let router = router(&t);
    for (method, path, status, code) in [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("GET", "/", 404, "NOT_FOUND"),
        ("POST", "/livez", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/readyz", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/oauth/tiktok/callback", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let answer = send(&router, request(method, path, &[])).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (answer.status, body["code"].as_str()),
            (status, Some(code)),
            "{method} {path}"
        );
        assert!(body["message"].as_str().unwrap().ends_with('.'));
        if status == 405 {
            assert!(
                answer.header("allow").contains("GET"),
                "{path}: {:?}",
                answer.headers
            );
        }
    }
}

#[tokio::test]
async fn every_answer_is_named_and_keeps_browsers_from_guessing() {
    let t = start().await;
    let router = router(&t);
    for path in [
        "/livez",
        "/nowhere",
        "/graphql",
        "/uploads/x",
        "/oauth/tiktok/callback",
        "/readyz",
    ] {
        let answer = get(&router, path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
        // Plain http on loopback: a browser must not be told to use https here.
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
    }
    let named = send(
        &router,
        request("GET", "/livez", &[("x-request-id", "abc-1")]),
    )
    .await;
    assert_eq!(named.header("x-request-id"), "abc-1");
    let forged = send(
        &router,
        request("GET", "/livez", &[("x-request-id", "a b")]),
    )
    .await;
    assert_eq!(forged.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn https_is_remembered_where_it_is_served() {
    let mut t = start().await;
    t.reconfigure(|config| config.http.public_url = "https://clips.example".parse().unwrap());
    let answer = get(&router(&t), "/livez").await;
    assert!(
        answer
            .header("strict-transport-security")
            .contains("max-age")
    );
}

#[tokio::test]
async fn allowed_pages_may_call_the_api_and_others_may_not() {
    let t = start().await;
    let router = router(&t);
    let asks = [
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type",
        ),
    ];
    for path in ["/graphql", "/graphql/stream"] {
        for (origin, allowed) in [
            (FRIEND, FRIEND),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            (STRANGER, ""),
        ] {
            let headers = [("origin", origin), asks[0], asks[1]];
            let preflight = send(&router, request("OPTIONS", path, &headers)).await;
            assert_eq!(preflight.status, 204);
            assert_eq!(
                preflight.header("access-control-allow-origin"),
                allowed,
                "{origin}"
            );
            assert_eq!(preflight.header("vary"), "Origin");
            let names = preflight
                .header("access-control-allow-headers")
                .to_lowercase();
            for name in ["authorization", "content-type", "x-request-id"] {
                assert_eq!(names.contains(name), !allowed.is_empty(), "{origin} {name}");
            }
            // Never: it would lend pages the browser's own credentials.
            assert_eq!(preflight.header("access-control-allow-credentials"), "");

            let key = format!("Bearer {}", t.key);
            let call = Request::post(path)
                .header("origin", origin)
                .header("authorization", key)
                .header("content-type", "application/json")
                .header("accept", "*/*")
                .body(Body::from(r#"{"query":"{ __typename }"}"#))
                .unwrap();
            let answer = send(&router, call).await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                allowed,
                "{origin}"
            );
            let exposed = answer
                .header("access-control-expose-headers")
                .to_lowercase();
            assert_eq!(exposed.contains("x-request-id"), !allowed.is_empty());
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_read() {
    let t = start().await;
    let router = router(&t);
    let body = format!(r#"{{"query":"{}"}}"#, "a".repeat(2 * 1024 * 1024));
    let call = Request::post("/graphql")
        .header("authorization", format!("Bearer {}", t.key))
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap();
    let answer = send(&router, call).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("PAYLOAD_TOO_LARGE"), "{}", answer.body);
}

#[tokio::test]
async fn a_server_that_is_not_ready_says_what_and_never_whom_it_asked() {
    let t = start().await;
    let router = router(&t);
    assert_eq!(get(&router, "/readyz").await.status, 200);
    t.app.db.close().await.unwrap();
    let answer = get(&router, "/readyz").await;
    assert_eq!(answer.status, 503);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["ready"], false);
    assert_eq!(body["checks"]["transport"], "ok");
    let said = body["checks"]["database"].as_str().unwrap();
    assert_eq!(said, "failed; the log and `clipqueue doctor` say why");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn pages_that_begin_something_are_opened_under_the_public_name() {
    let mut t = start().await;
    t.reconfigure(|config| config.http.public_url = "https://clips.example/q".parse().unwrap());
    let router = router(&t);
    let at = async |host: &str, path: &str, accept: &str| {
        let headers = [("host", host), ("accept", accept)];
        send(&router, request("GET", path, &headers)).await
    };
    let html = "text/html";
    for (path, leads) in [
        ("/sign-in", "/sign-in?sent=1"),
        ("/privacy/delete?a=b", "/privacy/delete?a=b&sent=1"),
        (
            "/privacy/requests/x?proof=other",
            "/privacy/requests/x?proof=other&sent=1",
        ),
        (
            "/ops/sign-in?next=%2Fjobs%3Fstate%3Dheld",
            "/ops/sign-in?next=%2Fjobs%3Fstate%3Dheld&sent=1",
        ),
    ] {
        let answer = at("localhost:8080", path, html).await;
        assert_eq!(answer.status, 307, "{path}");
        let address = format!("https://clips.example/q{leads}");
        assert_eq!(answer.header("location"), address);
        assert_eq!(answer.header("cache-control"), "no-store");
        // A proxy that writes its own name gets no loop.
        assert_ne!(
            at("localhost:8080", leads, html).await.status,
            307,
            "{path}"
        );
        // The public name, whatever its port and its letters.
        for host in ["clips.example", "Clips.Example:443", "clips.example:8443"] {
            assert_ne!(at(host, path, html).await.status, 307, "{host} {path}");
        }
    }
    // Nothing else is led away: programs keep no cookies, and a form would come as another.
    let answer = at("localhost", "/privacy/requests/x", "application/json").await;
    assert_eq!(answer.status, 404);
    for path in ["/livez", "/dashboard", "/erasure/x"] {
        assert_ne!(at("localhost", path, html).await.status, 307, "{path}");
    }
    let headers = [("host", "localhost"), ("sec-fetch-site", "same-origin")];
    let posted = send(&router, request("POST", "/sign-in", &headers)).await;
    assert_eq!(posted.status, 303, "{}", posted.body);
}
