//! Init without a clear answer: it may be repeated, since without a byte TikTok has nothing to post.

use std::time::Duration;

use clipqueue::domain::posts;
use clipqueue_entities::post::PostState;
use tiktok_sim::{Endpoint, FaultKind};

use crate::support::{
    app::{Stack, TestApp},
    flows::{HOUR, MINUTE},
};

crate::on_both_stacks!(
    a_lost_answer_to_init_is_repeated_and_posts_once,
    too_many_inits_wait_and_spend_no_attempt,
    a_token_that_dies_at_init_is_replaced_and_the_post_goes_on,
    a_token_that_dies_at_creator_info_is_replaced_too,
    an_init_that_never_works_ends_failed_and_can_be_retried,
    tokens_that_are_never_good_end_the_post,
);
crate::on_both_stacks_by_hand!(
    a_stalled_init_is_given_up_and_repeated,
    a_post_that_is_put_off_for_ever_is_missed_at_its_deadline,
);

async fn a_lost_answer_to_init_is_repeated_and_posts_once(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let faults = [
        (
            "lost before",
            FaultKind::LostBeforeEffect,
            "connection_lost",
            1,
        ),
        (
            "lost after",
            FaultKind::LostAfterEffect,
            "connection_lost",
            2,
        ),
        ("503", FaultKind::Status { status: 503 }, "http_status", 1),
        (
            "502 after",
            FaultKind::StatusAfterEffect { status: 502 },
            "http_status",
            2,
        ),
        (
            "truncated",
            FaultKind::TruncatedJson,
            "unreadable_answer",
            2,
        ),
        (
            "internal",
            FaultKind::ApiCode {
                code: "internal_error".to_owned(),
                status: 500,
            },
            "internal_error",
            1,
        ),
    ];
    for (name, fault, code, inits) in faults {
        t.fault(Endpoint::VideoInit, fault);
        let post = t.post(TestApp::captioned(account, media, name)).await;
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        let attempts = t.attempts(post.id).await;
        assert_eq!(attempts.len(), 2, "{name}");
        assert_eq!(attempts[0].error_code.as_deref(), Some(code), "{name}");
        assert!(attempts[0].publish_id.is_none(), "{name}");
        let made = t.sim.inits().iter().filter(|i| i.caption == name).count();
        assert_eq!(made, inits, "{name}");
        assert_eq!(t.upload_job(post.id).await.attempt, 2, "{name}");
        t.advance(MINUTE);
    }
}

async fn too_many_inits_wait_and_spend_no_attempt(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.fault(Endpoint::VideoInit, FaultKind::RateLimit);
    let post = t.post(TestApp::direct(account, media)).await;
    t.drain().await;
    let waiting = t.reload(post.id).await;
    assert_eq!(waiting.state, PostState::Scheduled);
    t.run_until(post.id, PostState::Published).await;
    let inits = t.calls(Endpoint::VideoInit);
    assert_eq!(inits.len(), 2);
    let gap = inits[1].at_ms - inits[0].at_ms;
    assert!(gap >= 60_000, "asked again after {gap} ms");
    assert_eq!(t.upload_job(post.id).await.attempt, 1);

    // Eight posts at once are held to TikTok's six inits a minute by our own budget.
    let mut posts = Vec::new();
    for number in 0..8 {
        let caption = format!("burst {number}");
        posts.push(
            t.post(TestApp::captioned(account, media, &caption))
                .await
                .id,
        );
    }
    for id in posts {
        t.run_until(id, PostState::Published).await;
        assert_eq!(t.upload_job(id).await.attempt, 1);
    }
}

async fn a_token_that_dies_at_init_is_replaced_and_the_post_goes_on(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.advance(Duration::from_secs(600));
    t.fault(Endpoint::VideoInit, FaultKind::DeadToken);
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
    assert_eq!(t.tokens(account).await.generation, 2);
    assert_eq!(t.upload_job(post.id).await.attempt, 1);
}

async fn a_token_that_dies_at_creator_info_is_replaced_too(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.advance(Duration::from_secs(600));
    let post = t.post(TestApp::direct(account, media)).await;
    t.fault(Endpoint::CreatorInfo, FaultKind::DeadToken);
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
    assert_eq!(t.attempts(post.id).await.len(), 1);
}

async fn an_init_that_never_works_ends_failed_and_can_be_retried(mut t: TestApp) {
    t.expect_discarded("upload_post");
    let fault = t.fault_always(Endpoint::VideoInit, FaultKind::Status { status: 500 });
    let post = t.direct_post().await;
    t.step_until(post.id, PostState::Failed, Duration::from_secs(300), 40)
        .await;
    let failed = t.reload(post.id).await;
    assert_eq!(failed.failure_class.as_deref(), Some("clipqueue"));
    assert_eq!(failed.failure_code.as_deref(), Some("gave_up"));
    assert!(failed.failure_retryable);
    let attempts = t.attempts(post.id).await;
    assert_eq!(attempts.len(), t.calls(Endpoint::VideoInit).len());
    assert!(attempts.iter().all(|attempt| attempt.open_key.is_none()));

    // Nothing revives it by itself.
    t.advance(HOUR);
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Failed);

    t.sim.clear_faults(Some(fault));
    posts::retry(&t.app, &t.actor, post.id, "again")
        .await
        .unwrap();
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn tokens_that_are_never_good_end_the_post(mut t: TestApp) {
    t.expect_discarded("upload_post");
    t.fault_always(Endpoint::VideoInit, FaultKind::DeadToken);
    let post = t.direct_post().await;
    t.run_until_within(post.id, PostState::Failed, HOUR * 4)
        .await;
    let refreshes = t.calls(Endpoint::OauthRefresh).len();
    assert!(refreshes <= 24, "{refreshes} refreshes for one post");
    assert!(t.sim.publishes().is_empty());
}

async fn a_stalled_init_is_given_up_and_repeated(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[("tiktok.timeout", "5s")]).await;
    let (account, media) = t.ready().await;
    let faults = [
        ("stalled", FaultKind::Stall { ms: 600_000 }),
        ("stalled after", FaultKind::StallAfterEffect { ms: 600_000 }),
    ];
    for (name, fault) in faults {
        t.fault(Endpoint::VideoInit, fault);
        let post = t.post(TestApp::captioned(account, media, name)).await;
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        assert_eq!(t.attempts(post.id).await.len(), 2, "{name}");
        t.advance(MINUTE);
    }
}

async fn a_post_that_is_put_off_for_ever_is_missed_at_its_deadline(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[("posts.late_limit", "10m")]).await;
    t.fault_always(Endpoint::VideoInit, FaultKind::RateLimit);
    let post = t.direct_post().await;
    t.step_until(post.id, PostState::Missed, MINUTE, 15).await;
    let calls = t.calls(Endpoint::VideoInit).len();
    assert!((8..=11).contains(&calls), "{calls} calls in ten minutes");
    assert!(t.upload_job(post.id).await.state.is_final());
}
