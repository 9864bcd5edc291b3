//! The door: what is let in, what is turned away, and what is taken once.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use clipqueue::{config::DEMO_CLIENT_SECRET, http::webhooks::PATH};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::sign;
use crate::support::app::TestApp;

crate::on_both_stacks!(
    only_what_is_signed_for_this_app_is_taken,
    an_old_signature_is_taken_as_long_as_tiktok_repeats,
    what_concerns_nobody_is_acknowledged,
    a_repetition_is_taken_once_whatever_its_signature,
    bodies_are_capped_and_odd_ones_do_no_harm,
    a_store_that_is_away_asks_tiktok_to_repeat,
);

const SECRET: &str = DEMO_CLIENT_SECRET;

fn router(t: &TestApp) -> Router {
    let token = CancellationToken::new;
    clipqueue::http::router(&t.app, None, token(), token())
}

async fn knock(t: &TestApp, signature: Option<&str>, body: &[u8]) -> StatusCode {
    let mut request = Request::post(PATH);
    if let Some(signature) = signature {
        request = request.header("tiktok-signature", signature);
    }
    let request = request.body(Body::from(body.to_vec())).unwrap();
    router(t).oneshot(request).await.unwrap().status()
}

fn complete(t: &TestApp, publish_id: &str) -> Vec<u8> {
    let content = json!({ "publish_id": publish_id, "publish_type": "DIRECT_PUBLISH" });
    t.notice_body("post.publish.complete", "-000Some_one", t.now_s(), &content)
}

async fn only_what_is_signed_for_this_app_is_taken(t: TestApp) {
    let now = t.now_s();
    let body = complete(&t, "v_pub_file~v2-1.1");
    let good = sign(SECRET, now, &body);
    let forged = sign("another secret", now, &body);
    let (time, hash) = good.split_once(',').unwrap();
    let cut = format!("{time},{}", &hash[..20]);
    let elsewhen = format!("t={},{hash}", now + 1);
    for signature in [
        None,
        Some(""),
        Some("t=1"),
        Some(forged.as_str()),
        Some(cut.as_str()),
        Some(elsewhen.as_str()),
    ] {
        let status = knock(&t, signature, &body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{signature:?}");
    }
    // A body that lost its end, or one byte, is not the one that was signed.
    let mut changed = body.clone();
    changed[10] ^= 1;
    for other in [&body[..body.len() - 1], &changed[..], b""] {
        assert_eq!(
            knock(&t, Some(&good), other).await,
            StatusCode::UNAUTHORIZED
        );
    }
    let foreign = json!({
        "client_key": "another-app",
        "event": "post.publish.complete",
        "create_time": now,
        "user_openid": "x",
        "content": "{\"publish_id\":\"p\"}",
    });
    let foreign = foreign.to_string().into_bytes();
    let signature = sign(SECRET, now, &foreign);
    assert_eq!(
        knock(&t, Some(&signature), &foreign).await,
        StatusCode::FORBIDDEN
    );
    assert!(t.notices().await.is_empty());
    assert!(t.jobs("apply_notice").await.is_empty());
    assert_eq!(knock(&t, Some(&good), &body).await, StatusCode::OK);
    assert_eq!(t.notices().await.len(), 1);
    assert_eq!(t.jobs("apply_notice").await.len(), 1);
}

async fn an_old_signature_is_taken_as_long_as_tiktok_repeats(t: TestApp) {
    let now = t.now_s();
    let hour = 3600;
    for (age, expected) in [
        (-60, StatusCode::OK),
        (-hour, StatusCode::UNAUTHORIZED),
        (72 * hour, StatusCode::OK),
        (74 * hour, StatusCode::UNAUTHORIZED),
    ] {
        let body = complete(&t, &format!("v_pub_file~v2-1.{}", age + 10_000));
        let signature = sign(SECRET, now - age, &body);
        assert_eq!(knock(&t, Some(&signature), &body).await, expected, "{age}");
    }
    // The signature's own time may be in milliseconds.
    let body = complete(&t, "v_pub_file~v2-1.2");
    let signature = sign(SECRET, now * 1000, &body);
    assert_eq!(knock(&t, Some(&signature), &body).await, StatusCode::OK);
    assert_eq!(t.notices().await.len(), 3);
}

async fn what_concerns_nobody_is_acknowledged(mut t: TestApp) {
    let now = t.now_s();
    let ping = t.notice_body(
        "tiktok.ping",
        "test-user",
        now * 1000,
        &json!({ "reason": "testing Webhook" }),
    );
    let tomorrow = t.notice_body("an.event.of.tomorrow", "x", now, &json!({}));
    let legacy = t.notice_body("video.upload.failed", "x", now, &json!({"share_id": "s"}));
    let useless = t.notice_body("post.publish.complete", "x", now, &json!({}));
    for body in [ping, tomorrow, legacy, useless] {
        let signature = sign(SECRET, now, &body);
        assert_eq!(knock(&t, Some(&signature), &body).await, StatusCode::OK);
    }
    assert!(t.notices().await.is_empty());
    // The portal's own test, as the simulator sends it.
    t.open_door().await;
    t.sim
        .configure(|config| config.webhooks.ms_timestamps = true);
    t.sim.ping_webhook();
    t.delivered(1).await;
    t.drain().await;
    assert!(t.notices().await.is_empty());
}

async fn a_repetition_is_taken_once_whatever_its_signature(mut t: TestApp) {
    let body = complete(&t, "v_pub_file~v2-1.3");
    for later in [0, 0, 5, 3600] {
        t.advance(Duration::from_secs(later));
        let signature = sign(SECRET, t.now_s(), &body);
        assert_eq!(knock(&t, Some(&signature), &body).await, StatusCode::OK);
    }
    // Two at the same moment.
    let other = complete(&t, "v_pub_file~v2-1.4");
    let signature = sign(SECRET, t.now_s(), &other);
    let (one, two) = tokio::join!(
        knock(&t, Some(&signature), &other),
        knock(&t, Some(&signature), &other)
    );
    assert_eq!((one, two), (StatusCode::OK, StatusCode::OK));
    assert_eq!(t.notices().await.len(), 2);
    assert_eq!(t.jobs("apply_notice").await.len(), 2);
    t.drain().await;
}

async fn bodies_are_capped_and_odd_ones_do_no_harm(t: TestApp) {
    let now = t.now_s();
    let huge = vec![b' '; 65 * 1024];
    let signature = sign(SECRET, now, &huge);
    assert_eq!(
        knock(&t, Some(&signature), &huge).await,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    for odd in [&b"[]"[..], b"{\"event\":", b"{}", b"\xff\xfe", b""] {
        let signature = sign(SECRET, now, odd);
        let status = knock(&t, Some(&signature), odd).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{odd:?}");
    }
    // Characters that a database may refuse never reach it.
    let content = json!({ "publish_id": "p", "reason": "a\u{0}b\u{1f600}", "x": "\u{0}" });
    for open_id in ["with\u{0}nul", "-000good"] {
        let body = t.notice_body("post.publish.failed", open_id, now, &content);
        let signature = sign(SECRET, now, &body);
        assert_eq!(knock(&t, Some(&signature), &body).await, StatusCode::OK);
    }
    assert_eq!(t.notices().await.len(), 2);
    let get = Request::get(PATH).body(Body::empty()).unwrap();
    let status = router(&t).oneshot(get).await.unwrap().status();
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

async fn a_store_that_is_away_asks_tiktok_to_repeat(t: TestApp) {
    use sea_orm::ConnectionTrait as _;
    let body = complete(&t, "v_pub_file~v2-1.5");
    let signature = sign(SECRET, t.now_s(), &body);
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    let db = t.app.db.write();
    db.execute_unprepared(&rename("tiktok_notices", "away"))
        .await
        .unwrap();
    let status = knock(&t, Some(&signature), &body).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    db.execute_unprepared(&rename("away", "tiktok_notices"))
        .await
        .unwrap();
    assert_eq!(knock(&t, Some(&signature), &body).await, StatusCode::OK);
    assert_eq!(t.notices().await.len(), 1);
}
