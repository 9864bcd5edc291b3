//! What TikTok says after the last byte, and what each word means for the post.

use std::time::Duration;

use clipqueue::domain::posts;
use clipqueue_entities::post::PostState;
use tiktok_sim::{Endpoint, FaultKind, Script};

use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR, MINUTE, refusals},
};

crate::on_both_stacks!(
    every_reason_of_a_failure_has_its_meaning,
    a_failure_of_tiktoks_own_is_tried_again_and_succeeds,
    a_failure_of_tiktoks_own_is_not_tried_for_ever,
    attempts_that_never_reached_tiktok_do_not_use_up_the_tries,
    a_publish_id_that_is_unknown_at_first_is_asked_again,
    answers_that_cannot_be_had_are_asked_for_again,
    a_token_that_dies_while_polling_asks_about_the_same_publish,
    silence_too_long_is_a_doubt_and_an_alert,
    the_truth_may_come_after_the_doubt,
);

fn failing(reason: &str) -> Script {
    Script {
        fail_reason: Some(reason.to_owned()),
        ..Script::default()
    }
}

async fn every_reason_of_a_failure_has_its_meaning(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let cases = [
        ("file_format_check_failed", "creator", false),
        ("duration_check_failed", "creator", false),
        ("frame_rate_check_failed", "creator", false),
        ("picture_size_check_failed", "creator", false),
        ("auth_removed", "creator", true),
        ("spam_risk_user_banned_from_posting", "creator", false),
        ("spam_risk_text", "creator", false),
        ("spam_risk", "creator", false),
        ("spam_risk_too_many_posts", "time", true),
        ("publish_cancelled", "nobody", true),
        ("a_reason_of_tomorrow", "operator", true),
    ];
    for (reason, class, retryable) in cases {
        t.sim.script("creator", failing(reason)).unwrap();
        let post = t.post(TestApp::captioned(account, media, reason)).await;
        t.run_until(post.id, PostState::Failed).await;
        let failed = t.reload(post.id).await;
        assert_eq!(failed.failure_code.as_deref(), Some(reason));
        assert_eq!(failed.failure_class.as_deref(), Some(class), "{reason}");
        assert_eq!(failed.failure_retryable, retryable, "{reason}");
        assert!(
            failed
                .failure_message
                .is_some_and(|text| text.ends_with('.'))
        );
        let attempts = t.attempts(post.id).await;
        assert_eq!(attempts.len(), 1, "{reason}");
        assert_eq!(attempts[0].outcome.as_deref(), Some(reason));
        let retried = posts::retry(&t.app, &t.actor, post.id, reason).await;
        if retryable {
            assert_eq!(retried.unwrap().state, PostState::Scheduled);
            t.run_until(post.id, PostState::Published).await;
            t.assert_published_once(post.id).await;
        } else {
            let refusal = refusals(retried).remove(0);
            assert!(refusal.message.contains(reason), "{refusal:?}");
        }
        t.advance(MINUTE);
    }
}

async fn a_failure_of_tiktoks_own_is_tried_again_and_succeeds(mut t: TestApp) {
    let (account, media) = t.ready().await;
    for _ in 0..2 {
        t.sim.script("creator", failing("internal")).unwrap();
    }
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    let outcomes: Vec<_> = t
        .attempts(post.id)
        .await
        .into_iter()
        .map(|attempt| attempt.outcome.unwrap())
        .collect();
    assert_eq!(outcomes, ["internal", "internal", "published"]);
    let published = t.reload(post.id).await;
    assert!(published.failure_code.is_none() && !published.failure_retryable);
}

async fn a_failure_of_tiktoks_own_is_not_tried_for_ever(mut t: TestApp) {
    t.sim
        .configure(|config| config.pipeline.fail_reason = Some("internal".to_owned()));
    let post = t.direct_post().await;
    // FAILED is passed through on the way to each new try, so wait for the last attempt.
    for _ in 0..100 {
        t.drain().await;
        t.advance(Duration::from_secs(20));
    }
    let failed = t.reload(post.id).await;
    assert_eq!(failed.state, PostState::Failed);
    assert_eq!(t.attempts(post.id).await.len(), 3);
    assert_eq!(t.sim.inits().len(), 3);
    assert!(failed.failure_retryable);
    t.pass(DAY, 24).await;
    assert_eq!(t.sim.inits().len(), 3);
}

async fn attempts_that_never_reached_tiktok_do_not_use_up_the_tries(mut t: TestApp) {
    let (account, media) = t.ready().await;
    for _ in 0..3 {
        t.fault(Endpoint::VideoInit, FaultKind::Status { status: 500 });
    }
    t.sim.script("creator", failing("internal")).unwrap();
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    assert_eq!(t.attempts(post.id).await.len(), 5);
}

async fn a_publish_id_that_is_unknown_at_first_is_asked_again(mut t: TestApp) {
    let (account, media) = t.ready().await;
    for quirk in [false, true] {
        t.sim
            .configure(|config| config.quirks.publish_id_as_invalid_params = quirk);
        let script = Script {
            status_lag_ms: Some(40_000),
            ..Script::default()
        };
        t.sim.script("creator", script).unwrap();
        let caption = format!("lag {quirk}");
        let post = t.post(TestApp::captioned(account, media, &caption)).await;
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        t.advance(MINUTE);
    }
    let unknown = t
        .calls(Endpoint::Status)
        .into_iter()
        .filter(|c| c.refused());
    assert!(unknown.count() >= 2);
}

async fn answers_that_cannot_be_had_are_asked_for_again(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let faults = [
        FaultKind::Status { status: 500 },
        FaultKind::LostBeforeEffect,
        FaultKind::TruncatedJson,
        FaultKind::RateLimit,
        FaultKind::ApiCode {
            code: "internal_error".to_owned(),
            status: 500,
        },
        FaultKind::ApiCode {
            code: "a_code_of_tomorrow".to_owned(),
            status: 400,
        },
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        t.fault(Endpoint::Status, fault.clone());
        let caption = format!("status {number}");
        let post = t.post(TestApp::captioned(account, media, &caption)).await;
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        assert_eq!(t.attempts(post.id).await.len(), 1, "{fault:?}");
        t.advance(MINUTE);
    }
}

async fn a_token_that_dies_while_polling_asks_about_the_same_publish(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.advance(Duration::from_secs(600));
    t.fault(Endpoint::Status, FaultKind::DeadToken);
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
    assert_eq!(t.sim.inits().len(), 1);
    let asked = t.calls(Endpoint::Status);
    assert!(asked.len() >= 2);
    assert!(
        asked
            .iter()
            .all(|call| call.publish_id == asked[1].publish_id || call.refused())
    );
}

async fn silence_too_long_is_a_doubt_and_an_alert(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let stuck = Script {
        stuck: Some(true),
        ..Script::default()
    };
    t.sim.script("creator", stuck).unwrap();
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Processing).await;
    t.pass(DAY - HOUR, 24).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Processing);
    t.pass(HOUR * 2, 2).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    let alerts = |events: Vec<clipqueue_entities::event::Model>| {
        let all = events
            .into_iter()
            .filter(|event| event.kind == "post.overdue");
        all.count()
    };
    assert_eq!(alerts(t.events(post.id).await), 1);

    // "Still working" is no news; every day somebody is told again.
    t.pass(DAY + HOUR, 25).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    assert_eq!(alerts(t.events(post.id).await), 2);
    let asked = t.calls(Endpoint::Status).len();
    t.pass(HOUR, 4).await;
    assert!(
        t.calls(Endpoint::Status).len() > asked,
        "it is asked about still"
    );
    assert_eq!(t.sim.inits().len(), 1);
}

async fn the_truth_may_come_after_the_doubt(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let slow = Script {
        processing_ms: Some(30 * 3_600_000),
        ..Script::default()
    };
    t.sim.script("creator", slow).unwrap();
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Processing).await;
    t.pass(DAY + HOUR, 25).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    t.pass(HOUR * 6, 24).await;
    t.assert_published_once(post.id).await;
}
