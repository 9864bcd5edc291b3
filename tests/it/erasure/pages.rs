//! What anybody may see with a code, and verifying a receipt without asking anybody.

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use clipqueue::domain::erasure;
use clipqueue_entities::Timestamp;
use serde_json::Value;
use tiktok_sim::{Endpoint, FaultKind};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::CREATOR;
use crate::support::{
    app::{Stack, TestApp},
    flows::HOUR,
};

fn router(t: &TestApp) -> Router {
    let token = CancellationToken::new;
    clipqueue::http::router(&t.app, None, token(), token())
}

/// A date as people are told it.
fn minute(at: Timestamp) -> String {
    let utc = chrono::DateTime::from_timestamp_millis(at.as_millis()).unwrap();
    utc.format("%Y-%m-%d %H:%M UTC").to_string()
}

async fn get(t: &TestApp, path: &str, accept: &str) -> (u16, String, String) {
    let request = Request::get(path).header(header::ACCEPT, accept);
    let request = request.body(Body::empty()).unwrap();
    let answer = router(t).oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let kept = parts.headers.get(header::CACHE_CONTROL);
    let kept = kept.map_or("", |value| value.to_str().unwrap()).to_owned();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (parts.status.as_u16(), kept, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_shows_how_the_erasure_stands_and_then_the_receipt() {
    let mut t = TestApp::start(Stack::Embedded).await;
    let own = t.connect(CREATOR).await;
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let path = format!("/erasure/{}", accepted.code);
    assert!(t.app.erasure_url(&accepted.code).as_str().ends_with(&path));
    let (status, kept, page) = get(&t, &path, "text/html").await;
    assert_eq!((status, kept.as_str()), (200, "no-store"));
    assert!(
        page.contains("being deleted") && page.contains("not yet"),
        "{page}"
    );
    let (_, _, json) = get(&t, &path, "application/json").await;
    let running: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(running["state"], "running");
    assert_eq!(running["receipt"], Value::Null);

    // The last step waits for its time, and says until when. Dates are for people, those of JSON are not.
    t.drain().await;
    let (_, _, page) = get(&t, &path, "text/html").await;
    let due = t.clock.now() + t.app.config.erasure.look_again_after;
    let due = Timestamp::from_millis(due.as_millis() + 59_999);
    let text = format!("not yet; at the earliest {}", minute(due));
    assert!(page.contains(&text), "{text}: {page}");
    assert!(
        page.contains(&format!("done {}", minute(t.clock.now()))),
        "{page}"
    );
    assert_eq!(page.matches("not yet").count(), 1, "{page}");
    let (_, _, json) = get(&t, &path, "application/json").await;
    let running: Value = serde_json::from_str(&json).unwrap();
    let done_at = running["steps"][0]["done_at"].as_str().unwrap();
    assert!(done_at.contains('T') && done_at.ends_with('Z'), "{done_at}");

    t.erased(&accepted).await;
    let (_, _, page) = get(&t, &path, "text/html").await;
    assert!(page.contains("<h1>Deleted</h1>"), "{page}");
    assert!(page.contains(&format!("{path}.json")) && !page.contains("not yet"));
    let (_, _, saved) = get(&t, &format!("{path}.json"), "*/*").await;
    let (_, _, keys) = get(&t, clipqueue::http::erasure::KEYS_PATH, "*/*").await;
    assert!(
        !saved.contains(&accepted.code),
        "the receipt is no key to itself"
    );

    for (wrong, accept) in [
        ("/erasure/nothing", "text/html"),
        ("/erasure/x.json", "*/*"),
    ] {
        let (status, kept, _) = get(&t, wrong, accept).await;
        assert_eq!((status, kept.as_str()), (404, "no-store"), "{wrong}");
    }

    // On another machine, with the two files alone.
    let dir = tempfile::tempdir().unwrap();
    let (file, key_file) = (
        dir.path().join("receipt.json"),
        dir.path().join("keys.json"),
    );
    std::fs::write(&key_file, &keys).unwrap();
    let verify = |text: &str| {
        std::fs::write(&file, text).unwrap();
        std::process::Command::new(env!("CARGO_BIN_EXE_clipqueue"))
            .env_clear()
            .current_dir(dir.path())
            .args(["receipt", "verify"])
            .arg(&file)
            .arg("--keys")
            .arg(&key_file)
            .output()
            .unwrap()
    };
    let good = verify(&saved);
    let says = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(good.status.success(), "{says}");
    assert!(
        says.contains("genuine") && says.contains("revoke"),
        "{says}"
    );
    let forged = verify(&saved.replace("\"revoked\":1", "\"revoked\":2"));
    assert!(!forged.status.success());
    let says = String::from_utf8_lossy(&forged.stderr).into_owned();
    assert!(says.contains("changed"), "{says}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_says_what_tiktok_would_not_end() {
    let mut t = TestApp::start(Stack::Embedded).await;
    let own = t.connect(CREATOR).await;
    t.fault_always(Endpoint::OauthRevoke, FaultKind::Status { status: 503 });
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "leave")
        .await
        .unwrap();
    let path = format!("/erasure/{}", accepted.code);
    let ended = "TikTok has ended the permission";
    let (_, _, page) = get(&t, &path, "text/html").await;
    assert!(page.contains(ended), "{page}");
    for _ in 0..30 {
        t.drain().await;
        t.advance(HOUR);
    }
    t.erased(&accepted).await;
    let (_, _, page) = get(&t, &path, "text/html").await;
    assert!(!page.contains(ended), "{page}");
    assert!(page.contains("TikTok did not end the permission"), "{page}");
}
