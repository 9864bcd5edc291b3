//! Every page, wide and narrow, light and dark: nothing is wider than the window. The pictures are kept in
//! `target/tmp/console` for people to look at.

use std::{fs, path::Path};

use base64::Engine as _;
use clipqueue_entities::{
    job::JobState,
    job_attempt::{self, AttemptOutcome},
    post::PostState,
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set};
use serde_json::json;

use super::{
    browser::{serve, sign_in},
    devtools::Browser,
    job_in,
};
use crate::support::app::{Stack, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_wide_and_narrow_light_and_dark() {
    let mut t = TestApp::start(Stack::Embedded).await;
    let (account, media) = t.ready().await;
    let posted = t.post(TestApp::direct(account, media)).await;
    t.run_until(posted.id, PostState::Published).await;
    t.advance(std::time::Duration::from_secs(130));
    t.fire_crons().await;
    let waiting = t.post(TestApp::captioned(account, media, "another")).await;
    t.expect_discarded("expire_uploads");
    let failed = job_in(&t, JobState::Discarded, |row| {
        row.attempt = Set(5);
        row.last_error = Set(Some(
            "TikTok answered 500 to publish.init (log 20261124170405AB12CD34EF56); the last attempt is spent".to_owned(),
        ));
    })
    .await;
    for (fence, outcome) in [
        (1, AttemptOutcome::Failed),
        (3, AttemptOutcome::TimedOut),
        (5, AttemptOutcome::Crashed),
    ] {
        job_attempt::ActiveModel {
            job_id: Set(failed),
            fence: Set(fence),
            attempt: Set(i32::try_from(fence).unwrap()),
            outcome: Set(outcome),
            error: Set("TikTok answered 500 to publish.init".to_owned()),
            worker: Set(Some("node-3f1a9c".to_owned())),
            started_at: Set(Some(t.app.clock.now())),
            finished_at: Set(t.app.clock.now()),
        }
        .insert(t.app.db.write())
        .await
        .unwrap();
    }
    let held = job_in(&t, JobState::Held, |row| {
        row.hold_reason = Set(Some("reauth_required".into()))
    })
    .await;
    for _ in 0..60 {
        job_in(&t, JobState::Held, |_| {}).await;
    }
    clipqueue::domain::operators::set_mode(
        &t.app,
        &t.actor,
        "status",
        clipqueue::queue::Mode::Paused,
    )
    .await
    .unwrap();
    let other = t.connect("grace").await;
    let leaving = clipqueue::domain::erasure::disconnect(&t.app, &t.actor, other.id, "leave");
    let leaving = leaving.await.unwrap();
    let site = serve(&t).await;
    let mut browser = Browser::start().await;
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
    fs::create_dir_all(&out).unwrap();

    let (shots, inside) = (
        ["sign_in", "overview"],
        [
            ("overview", "/ops".to_owned()),
            ("jobs", "/ops/jobs".to_owned()),
            ("discarded", "/ops/jobs?state=discarded".to_owned()),
            ("held", "/ops/jobs?state=held".to_owned()),
            ("job_discarded", format!("/ops/jobs/{failed}")),
            ("job_held", format!("/ops/jobs/{held}")),
            ("posts", "/ops/posts".to_owned()),
            ("posts_held", "/ops/posts?state=held".to_owned()),
            ("post", format!("/ops/posts/{}", posted.id)),
            ("post_waiting", format!("/ops/posts/{}", waiting.id)),
            ("crons", "/ops/crons".to_owned()),
            (
                "bulk_new",
                "/ops/bulk/new?action=cancel&state=held&reason=test".to_owned(),
            ),
            ("bulk", "/ops/bulk".to_owned()),
            ("erasures", "/ops/erasures".to_owned()),
            ("erasure", format!("/ops/erasures/{}", leaving.erasure.id)),
            ("retention", "/ops/retention".to_owned()),
            ("audit", "/ops/audit".to_owned()),
            ("missing", "/ops/jobs/none".to_owned()),
        ],
    );
    browser.open(&format!("{}/ops/sign-in", site.base)).await;
    all_ways(&mut browser, &out, shots[0]).await;
    sign_in(&mut browser, &site, &t.key).await;
    for (name, path) in inside {
        browser.open(&format!("{}{path}", site.base)).await;
        all_ways(&mut browser, &out, name).await;
    }
    browser
        .open(&format!(
            "{}/ops/bulk/new?action=cancel&state=held&reason=test",
            site.base
        ))
        .await;
    browser.click("#start").await;
    browser
        .wait(
            "document.querySelector('#progress')",
            "the act is there",
            || {},
        )
        .await;
    all_ways(&mut browser, &out, "bulk_running").await;
    t.drain().await;
    browser
        .wait(
            "document.querySelector('#progress .good')",
            "the act ends",
            || {},
        )
        .await;
    all_ways(&mut browser, &out, "bulk_done").await;
}

async fn all_ways(browser: &mut Browser, out: &Path, name: &str) {
    for (width, place) in [(1280, "wide"), (390, "narrow")] {
        for scheme in ["light", "dark"] {
            let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500});
            browser
                .call("Emulation.setDeviceMetricsOverride", size)
                .await;
            let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            browser.call("Emulation.setEmulatedMedia", features).await;
            let over = browser
                .eval("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                .await;
            assert_eq!(over, 0, "{name} is wider than {width}");
            let whole = json!({"format": "png", "captureBeyondViewport": true});
            let picture = browser.call("Page.captureScreenshot", whole).await;
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(picture["data"].as_str().unwrap())
                .unwrap();
            fs::write(out.join(format!("{name}-{place}-{scheme}.png")), bytes).unwrap();
        }
    }
    browser
        .call("Emulation.clearDeviceMetricsOverride", json!({}))
        .await;
}
