//! `/metrics`.

use std::{collections::BTreeSet, time::Duration};

use clipqueue::service;
use clipqueue_entities::post::PostState;
use tokio_util::sync::CancellationToken;

use super::get;
use crate::support::{
    app::{Stack, TestApp},
    eventually,
};

/// Samples are shared for a second, so a change may show a little later.
const SOON: Duration = Duration::from_secs(20);

// The recorder belongs to the whole test process, and only this test asks it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_how_posts_jobs_and_accounts_stand() {
    let recorder = service::install_metrics().unwrap();
    let mut t = TestApp::start(Stack::Embedded).await;
    let token = CancellationToken::new;
    let router = clipqueue::http::router(&t.app, Some(recorder), token(), token());

    let account = t.connect("maya").await;
    let media = t.upload().await;
    let post = t.post(TestApp::direct(account.id, media)).await;
    let body = get(&router, "/metrics").await.body;
    let has = |body: &str, line: &str| body.lines().any(|found| found == line);
    for line in [
        "clipqueue_posts{state=\"scheduled\"} 1",
        "clipqueue_posts{state=\"published\"} 0",
        "clipqueue_posts_past_deadline 0",
        "clipqueue_accounts{status=\"active\"} 1",
        "clipqueue_jobs{queue=\"uploads\",state=\"available\"} 1",
        "clipqueue_queue_paused{queue=\"uploads\"} 0",
        "clipqueue_queue_draining{queue=\"uploads\"} 0",
        "clipqueue_overdue{kind=\"post\"} 0",
        "clipqueue_overdue{kind=\"job\"} 0",
        "clipqueue_overdue{kind=\"lease\"} 0",
        "clipqueue_overdue{kind=\"token\"} 0",
        "clipqueue_drift{kind=\"pointer_lost\"} 0",
        "clipqueue_lost 0",
        "clipqueue_duplicate 0",
        "clipqueue_canary_stale{queue=\"ops\"} 0",
        "clipqueue_breaker_state{endpoint=\"chunk_upload\"} 0",
        "clipqueue_client_refused 0",
    ] {
        assert!(has(&body, line), "{line}\n{body}");
    }
    t.advance(Duration::from_secs(30));
    eventually(SOON, "the job's wait shows", async || {
        let body = get(&router, "/metrics").await.body;
        has(
            &body,
            "clipqueue_queue_oldest_waiting_seconds{queue=\"uploads\"} 30",
        )
        .then_some(())
    })
    .await;

    t.run_until(post.id, PostState::Published).await;
    let body = eventually(SOON, "the post shows as published", async || {
        let body = get(&router, "/metrics").await.body;
        // The state that it left is a zero again.
        let gone = has(&body, "clipqueue_posts{state=\"scheduled\"} 0");
        (gone && has(&body, "clipqueue_posts{state=\"published\"} 1")).then_some(body)
    })
    .await;
    assert!(
        body.contains(
            "clipqueue_job_duration_seconds_count{kind=\"upload_post\",outcome=\"done\"}"
        ),
        "{body}"
    );

    // Every metric has its sentence, and labels stay few.
    let typed: BTreeSet<&str> = words(&body, "# TYPE ");
    assert_eq!(typed, words(&body, "# HELP "));
    assert!(typed.len() >= 7, "{typed:?}");
    for id in [
        t.actor.user_id.to_string(),
        account.id.to_string(),
        post.id.to_string(),
    ] {
        assert!(!body.contains(&id));
    }
    assert!(!body.contains(&t.key) && !body.contains("maya"));
}

fn words<'b>(body: &'b str, prefix: &str) -> BTreeSet<&'b str> {
    body.lines()
        .filter_map(|line| line.strip_prefix(prefix)?.split(' ').next())
        .collect()
}
