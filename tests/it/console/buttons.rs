//! Whose buttons count, who is shown any, and what browsers are told to run.

use clipqueue::domain::actor::Scope;
use clipqueue_entities::job::JobState;

use super::{
    Desk,
    door::{PAGES, start},
    job_in, key_of, request, send, state_of,
};

#[tokio::test]
async fn only_pages_of_the_console_press_its_buttons() {
    let t = start().await;
    let desk = Desk::open(&t, &t.key).await;
    let id = job_in(&t, JobState::Discarded, |_| {}).await;
    let path = format!("/ops/jobs/{id}/retry");
    let foreign: [&[(&str, &str)]; 7] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://127.0.0.1:8080"),
        ],
        &[
            ("origin", "https://evil.example"),
            ("host", "127.0.0.1:8080"),
        ],
        &[("origin", "null"), ("host", "127.0.0.1:8080")],
    ];
    for headers in foreign {
        let answer = desk.ask("POST", &path, headers, "").await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.body.contains("Nothing was done"));
        let form = format!("key={}", t.key);
        let answer = desk.ask("POST", "/ops/sign-in", headers, &form).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    assert_eq!(state_of(&t, id).await, JobState::Discarded);
    // An address bar shows pages, whoever wrote the link.
    assert_eq!(
        desk.ask("GET", "/ops", &[("sec-fetch-site", "cross-site")], "")
            .await
            .status,
        200
    );
    // Old browsers name the page only.
    let ours = [
        ("origin", "http://ops.example:8080"),
        ("host", "ops.example:8080"),
    ];
    assert_eq!(desk.ask("POST", &path, &ours, "").await.status, 303);
    assert_eq!(state_of(&t, id).await, JobState::Available);
}

#[tokio::test]
async fn a_key_that_may_only_look_gets_no_buttons() {
    let t = start().await;
    let key = key_of(&t, "guest", &[Scope::OpsRead]).await;
    let desk = Desk::open(&t, &key).await;
    let id = job_in(&t, JobState::Held, |_| {}).await;
    for path in [
        "/ops",
        &format!("/ops/jobs/{id}"),
        "/ops/jobs?state=held",
        "/ops/bulk",
    ] {
        let page = desk.page(path).await;
        assert!(page.contains("may look only"));
        let buttons = page.matches("method=\"post\"").count();
        assert_eq!(buttons, 1, "{path} has more than the button to sign out");
        assert!(!page.contains("/bulk/new"), "{path}");
    }
    let form = "action=retry&state=held&as_of=1&key=k";
    for (path, form) in [
        (format!("/ops/jobs/{id}/retry"), ""),
        (format!("/ops/jobs/{id}/cancel"), ""),
        (format!("/ops/jobs/{id}/release"), ""),
        ("/ops/queues/uploads/pause".to_owned(), ""),
        (
            format!("/ops/posts/{id}/settle"),
            "posted=yes&reason=x&key=k",
        ),
        ("/ops/bulk".to_owned(), form),
    ] {
        let answer = desk.press(&path, form).await;
        assert_eq!(answer.status, 403, "{path}");
        let needed = match path.as_str() {
            path if path == "/ops/bulk" || path.ends_with("/settle") => "ops:admin",
            _ => "ops:write",
        };
        assert!(answer.body.contains(needed), "{path}: {}", answer.body);
    }
    assert_eq!(state_of(&t, id).await, JobState::Held);
}

#[tokio::test]
async fn browsers_are_told_to_run_and_load_nothing_foreign() {
    let t = start().await;
    let desk = Desk::open(&t, &t.key).await;
    let id = job_in(&t, JobState::Discarded, |_| {}).await;
    let mut paths: Vec<String> = PAGES.map(str::to_owned).into();
    paths.push(format!("/ops/jobs/{id}"));
    paths.extend(
        [
            "/ops/sign-in",
            "/ops/nowhere",
            "/ops/jobs/none",
            "/ops/jobs?state=lost",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        let answer = desk.get(&path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{policy}"
        );
        for word in [
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(word), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        let html = &answer.body;
        assert!(
            html.contains("<main id=\"main\""),
            "{path} is no page: {html}"
        );
        for inline in [
            "<style",
            " style=",
            "javascript:",
            " onclick",
            " onload",
            " onerror",
            "hx-on",
            "hx-vals=\"js",
        ] {
            assert!(!html.contains(inline), "{path} has {inline}");
        }
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script src=\"/ops/assets/").count(),
            "{path}"
        );
        assert!(
            html.contains(r#""allowEval":false"#)
                && html.contains(r#""includeIndicatorStyles":false"#)
        );
        // Every file is there, may be kept, and is named by its content.
        for at in html.match_indices("/ops/assets/").map(|(at, _)| at) {
            let address = html[at..].split('"').next().unwrap();
            let file = send(&desk.router, request("GET", address, &[], "")).await;
            assert_eq!(file.status, 200, "{address}");
            assert!(file.header("cache-control").contains("immutable"));
        }
    }
    assert_eq!(desk.get("/ops/assets/nothing.js").await.status, 404);
}
