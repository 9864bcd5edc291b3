//! Who gets in, and for how long.

use std::{sync::Mutex, time::Duration};

use axum::http::Request;
use clipqueue::{
    domain::{
        actor::Scope,
        api_keys,
        audit::{self, AuditFilter},
    },
    http::Peer,
};
use clipqueue_entities::{ApiKeyId, console_session};
use sea_orm::EntityTrait as _;

use super::{Desk, OURS, key_of, request, router, send};
use crate::{
    on_both_stacks,
    support::app::{Stack, TestApp},
};

on_both_stacks!(
    an_operator_signs_in_and_out,
    a_session_ends_with_its_key,
    tries_to_sign_in_are_counted,
);

pub(super) const PAGES: [&str; 11] = [
    "/ops",
    "/ops/jobs",
    "/ops/jobs?state=held",
    "/ops/posts",
    "/ops/crons",
    "/ops/bulk",
    "/ops/bulk/new",
    "/ops/erasures",
    "/ops/deletions",
    "/ops/retention",
    "/ops/audit",
];
const BUTTONS: [&str; 8] = [
    "/ops/queues/uploads/pause",
    "/ops/jobs/019390aa-0000-7000-8000-000000000000/retry",
    "/ops/posts/019390aa-0000-7000-8000-000000000000/settle",
    "/ops/bulk",
    "/ops/bulk/019390aa-0000-7000-8000-000000000000/stop",
    "/ops/deletions/019390aa-0000-7000-8000-000000000000/approve",
    "/ops/deletions/019390aa-0000-7000-8000-000000000000/refuse",
    "/ops/sign-out",
];

pub(super) async fn start() -> TestApp {
    TestApp::start(Stack::Embedded).await
}

async fn sessions(t: &TestApp) -> Vec<console_session::Model> {
    let rows = console_session::Entity::find().all(t.app.db.read()).await;
    rows.unwrap()
}

async fn acts(t: &TestApp) -> Vec<String> {
    let entries = audit::list(&t.app, &AuditFilter::default(), None, false, 100).await;
    entries
        .unwrap()
        .into_iter()
        .map(|entry| entry.row.action)
        .collect()
}

async fn an_operator_signs_in_and_out(t: TestApp) {
    let router = router(&t);
    let form = format!("key={}&next=%2Fjobs%3Fstate%3Dheld", t.key);
    let answer = send(&router, request("POST", "/ops/sign-in", &[OURS], &form)).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "/ops/jobs?state=held");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("clipqueue-ops="), "{cookie}");
    for word in [
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/ops",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(word), "{word}: {cookie}");
    }
    // Of the secret only a hash is stored.
    let rows = sessions(&t).await;
    let secret = answer.cookie().split_once('.').unwrap().1.to_owned();
    assert_eq!((rows.len(), secret.len()), (1, 64));
    assert_ne!(hex::encode(&rows[0].hash.0), secret);

    let desk = Desk {
        router,
        cookie: answer.cookie(),
    };
    for path in PAGES {
        let page = desk.page(path).await;
        assert!(page.contains("Sign out") && page.contains("ada"), "{path}");
    }
    let answer = desk.press("/ops/sign-out", "").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/ops/sign-in?out=1")
    );
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert!(sessions(&t).await.is_empty());
    assert_eq!(desk.get("/ops").await.status, 303);
    assert_eq!(acts(&t).await, ["console.sign_out", "console.sign_in"]);
}

#[tokio::test]
async fn nobody_sees_or_does_anything_without_a_session() {
    let t = start().await;
    let router = router(&t);
    let forged = format!("clipqueue-ops={}.{}", "1".repeat(32), "2".repeat(64));
    for cookie in ["", "clipqueue-ops=", "clipqueue-ops=x.y", &forged] {
        for path in PAGES {
            let answer = send(&router, request("GET", path, &[("cookie", cookie)], "")).await;
            assert_eq!(answer.status, 303, "{path}");
            assert!(
                answer.header("location").starts_with("/ops/sign-in"),
                "{path}"
            );
            assert!(answer.body.is_empty(), "{path}");
        }
        for path in BUTTONS {
            let answer = send(
                &router,
                request("POST", path, &[("cookie", cookie), OURS], ""),
            )
            .await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (303, "/ops/sign-in"),
                "{path}"
            );
        }
        let part = [("cookie", cookie), ("hx-request", "true")];
        let answer = send(&router, request("GET", "/ops/jobs", &part, "")).await;
        assert_eq!(
            (answer.status, answer.header("hx-redirect")),
            (401, "/ops/sign-in")
        );
        let stream = [("cookie", cookie), ("accept", "text/event-stream")];
        let answer = send(&router, request("GET", "/ops/live", &stream, "")).await;
        assert_eq!(answer.status, 401);
    }
    // An API key is no session.
    let bearer = format!("Bearer {}", t.key);
    let answer = send(
        &router,
        request("GET", "/ops", &[("authorization", &bearer)], ""),
    )
    .await;
    assert_eq!(answer.status, 303);
    assert!(acts(&t).await.is_empty());
}

#[tokio::test]
async fn keys_that_are_unknown_ended_or_of_others_let_nobody_in() {
    let t = start().await;
    let router = router(&t);
    let creator = key_of(&t, "creator", &Scope::CREATOR).await;
    let revoked = key_of(&t, "gone", &[Scope::OpsRead]).await;
    let id: ApiKeyId = revoked.split('_').nth(1).unwrap().parse().unwrap();
    let gone = api_keys::find_user(&t.app, "gone").await.unwrap().unwrap();
    api_keys::revoke(&t.app, gone.id, id).await.unwrap();
    for (key, status, says) in [
        ("", 401, "unknown"),
        ("nonsense", 401, "unknown"),
        (&*revoked, 401, "revoked"),
        (&*creator, 403, "not an operator"),
    ] {
        let form = format!("key={key}");
        let answer = send(&router, request("POST", "/ops/sign-in", &[OURS], &form)).await;
        assert_eq!(answer.status, status, "{key}");
        assert!(answer.body.contains(says), "{}", answer.body);
        assert_eq!(answer.header("set-cookie"), "");
        assert!(
            key.is_empty() || !answer.body.contains(key),
            "the key is repeated"
        );
    }
    assert!(sessions(&t).await.is_empty());
}

async fn a_session_ends_with_its_key(t: TestApp) {
    let key = key_of(&t, "otto", &[Scope::OpsRead]).await;
    let desk = Desk::open(&t, &key).await;
    assert_eq!(desk.get("/ops").await.status, 200);
    let id: ApiKeyId = key.split('_').nth(1).unwrap().parse().unwrap();
    let otto = api_keys::find_user(&t.app, "otto").await.unwrap().unwrap();
    api_keys::revoke(&t.app, otto.id, id).await.unwrap();
    assert_eq!(desk.get("/ops").await.status, 303);
    assert!(sessions(&t).await.is_empty());
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_after_half_a_day_at_all_events() {
    let t = start().await;
    let idle = Desk::open(&t, &t.key).await;
    let busy = Desk::open(&t, &t.key).await;
    for _ in 0..11 {
        t.advance(Duration::from_secs(3590));
        assert_eq!(busy.get("/ops").await.status, 200);
    }
    assert_eq!(idle.get("/ops").await.status, 303);
    t.advance(Duration::from_secs(3590));
    assert_eq!(busy.get("/ops").await.status, 200);
    t.advance(Duration::from_secs(180));
    assert_eq!(busy.get("/ops").await.status, 303);

    // What nobody comes back for is pruned.
    let _left = Desk::open(&t, &t.key).await;
    t.advance(Duration::from_secs(13 * 3600));
    let pruned = clipqueue::domain::retention::prune(&t.app).await.unwrap();
    assert_eq!(pruned.of("console_sessions"), 1);
    assert!(sessions(&t).await.is_empty());
}

async fn tries_to_sign_in_are_counted(t: TestApp) {
    let router = router(&t);
    let attempt = |address: &'static str, key: String| {
        let router = router.clone();
        async move {
            let mut request = request("POST", "/ops/sign-in", &[OURS], &format!("key={key}"));
            request
                .extensions_mut()
                .insert(Peer(address.parse().unwrap()));
            send(&router, request).await
        }
    };
    for _ in 0..10 {
        assert_eq!(attempt("192.0.2.1:999", "wrong".into()).await.status, 401);
    }
    let refused = attempt("192.0.2.1:1000", t.key.clone()).await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 61);
    assert!(refused.body.contains("Too many tries"));
    // Others are not locked out with them.
    assert_eq!(attempt("192.0.2.2:999", t.key.clone()).await.status, 303);
    // Who tried is known by a keyed hash alone.
    let tries = Mutex::new(0);
    let see = |_: &str, what: &[u8]| {
        let text = String::from_utf8_lossy(what);
        assert!(!text.contains("192.0.2."), "{text}");
        *tries.lock().unwrap() += usize::from(text.contains("console-sign-in:"));
    };
    t.app.queue.transport().survey(&see).await.unwrap();
    assert!(tries.into_inner().unwrap() >= 2);
    t.advance(Duration::from_secs(61));
    assert_eq!(attempt("192.0.2.1:999", t.key.clone()).await.status, 303);
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host() {
    let mut t = start().await;
    t.reconfigure(|config| config.http.public_url = "https://clips.example/q".parse().unwrap());
    let router = router(&t);
    let form = format!("key={}", t.key);
    let answer = send(&router, request("POST", "/ops/sign-in", &[OURS], &form)).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-clipqueue-ops="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"),
        "{cookie}"
    );
    // Behind a proxy with a path, addresses have that path.
    assert_eq!(answer.header("location"), "/q/ops");
    let desk = Desk {
        cookie: answer.cookie(),
        router,
    };
    assert!(desk.page("/ops").await.contains("href=\"/q/ops/jobs\""));
}

#[tokio::test]
async fn the_console_can_be_switched_off() {
    let mut t = start().await;
    t.reconfigure(|config| config.console.enabled = false);
    let router = router(&t);
    for path in ["/ops", "/ops/sign-in", "/ops/assets/console.css"] {
        let answer = send(
            &router,
            Request::get(path).body(axum::body::Body::empty()).unwrap(),
        )
        .await;
        assert_eq!(answer.status, 404, "{path}");
    }
}
