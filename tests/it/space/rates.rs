//! Operations of a minute: refused by 429 with the time to wait, and told in every answer.

use std::time::Duration;

use axum::http::StatusCode;
use clipqueue::domain::actor::Scope;
use serde_json::json;

use crate::support::app::TestApp;

crate::on_both_stacks!(
    a_user_who_asks_too_often_waits,
    without_a_limit_nothing_is_told,
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
