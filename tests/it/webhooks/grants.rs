//! `authorization.removed` where it holds an account: it waits for its creator at once, and no later
//! consent is undone. Where it erases the account, see `erasure::removed`.

use std::time::Duration;

use clipqueue::{
    config::WhenRemoved,
    domain::accounts::{self, REAUTH_REQUIRED},
};
use clipqueue_entities::{account::AccountStatus, job::JobState, post::PostState};
use tiktok_sim::{Endpoint, LedgerFilter};

use crate::support::{
    app::TestApp,
    flows::{HOUR, MINUTE},
};

crate::on_both_stacks!(
    an_ended_grant_holds_everything_before_anybody_asks,
    a_removal_from_before_the_last_consent_changes_nothing,
    a_removal_in_the_second_of_the_consent_is_verified,
    a_post_that_tiktok_dropped_with_the_grant_is_failed_without_asking,
);

/// An installation that keeps what a creator had when TikTok says that they left.
fn hold(t: &mut TestApp) {
    t.reconfigure(|config| config.erasure.when_removed = WhenRemoved::Hold);
}

async fn an_ended_grant_holds_everything_before_anybody_asks(mut t: TestApp) {
    hold(&mut t);
    t.open_door().await;
    let (account, media) = t.ready().await;
    t.advance(MINUTE);
    let later = t
        .post(clipqueue::domain::posts::NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::captioned(account, media, "later")
        })
        .await;
    t.drain().await;
    let calls = t.sim.ledger(&LedgerFilter::default()).len();
    t.sim.disconnect("creator", 1).unwrap();
    t.delivered(1).await;
    t.drain().await;
    let row = accounts::for_worker(&t.app, account).await.unwrap();
    assert_eq!(row.status, AccountStatus::ReauthRequired);
    assert_eq!(
        row.status_reason.as_deref(),
        Some("authorization_removed:user_disconnected")
    );
    let held = t.reload(later.id).await;
    assert_eq!(held.state, PostState::Held);
    assert_eq!(held.hold_reason.as_deref(), Some(REAUTH_REQUIRED));
    assert_eq!(t.upload_job(later.id).await.state, JobState::Held);
    t.pass(HOUR * 3, 6).await;
    t.fire_crons().await;
    let quiet = t.sim.ledger(&LedgerFilter::default()).len();
    assert_eq!(calls, quiet, "TikTok is left alone");
    let notice = t.notices().await.pop().unwrap();
    assert_eq!(notice.outcome.as_deref(), Some("applied"));

    t.connect("creator").await;
    t.run_until(later.id, PostState::Published).await;
    t.assert_published_once(later.id).await;
}

async fn a_removal_from_before_the_last_consent_changes_nothing(mut t: TestApp) {
    t.open_door().await;
    // It arrives ten minutes late.
    t.sim.configure(|config| config.webhooks.delay_ms = 600_000);
    let (account, media) = t.ready().await;
    t.advance(MINUTE);
    t.sim.disconnect("creator", 1).unwrap();
    // The simulator's clock runs beside ours, and a slow machine lets it get ahead by seconds.
    t.advance(MINUTE);
    t.connect("creator").await;
    t.advance(Duration::from_secs(601));
    t.delivered(1).await;
    t.drain().await;
    let row = accounts::for_worker(&t.app, account).await.unwrap();
    assert_eq!(row.status, AccountStatus::Active);
    let notice = t.notices().await.pop().unwrap();
    assert_eq!(notice.outcome.as_deref(), Some("superseded"));
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    assert!(t.calls(Endpoint::OauthRefresh).is_empty());
}

async fn a_removal_in_the_second_of_the_consent_is_verified(mut t: TestApp) {
    t.open_door().await;
    let (account, _) = t.ready().await;
    t.advance(Duration::from_millis(1));
    let open_id = accounts::for_worker(&t.app, account).await.unwrap().open_id;
    let connected = accounts::for_worker(&t.app, account)
        .await
        .unwrap()
        .connected_at;
    let body = t.notice_body(
        "authorization.removed",
        &open_id,
        connected.as_secs(),
        &serde_json::json!({ "reason": 1 }),
    );
    let header = super::sign(clipqueue::config::DEMO_CLIENT_SECRET, t.now_s(), &body);
    clipqueue::domain::notices::take(&t.app, Some(&header), &body)
        .await
        .unwrap();
    t.drain().await;
    let row = accounts::for_worker(&t.app, account).await.unwrap();
    assert_eq!(row.status, AccountStatus::Active, "the grant lives");
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1, "a refresh told");
}

async fn a_post_that_tiktok_dropped_with_the_grant_is_failed_without_asking(mut t: TestApp) {
    hold(&mut t);
    t.open_door().await;
    let id = t.begin_three_chunks("dropped").await.id;
    // Its bytes wait meanwhile.
    t.app.queue.pause("uploads").await.unwrap();
    t.sim.expect_refusal("access_token_invalid");
    t.sim.expect_refusal("invalid_grant");
    t.sim.disconnect("creator", 1).unwrap();
    t.delivered(1).await;
    for _ in 0..4 {
        t.drain().await;
        t.advance(Duration::from_secs(60));
    }
    let post = t.reload(id).await;
    assert_eq!(post.state, PostState::Failed);
    assert_eq!(post.failure_code.as_deref(), Some("auth_removed"));
    assert!(post.failure_retryable);
    let answered = t
        .calls(Endpoint::Status)
        .into_iter()
        .any(|call| !call.refused());
    assert!(!answered, "nobody could ask");
    assert_eq!(
        t.webhook_proofs(&post).await,
        2,
        "the notice, and the change"
    );
    assert!(t.sim.publishes().is_empty());
    t.connect("creator").await;
    t.app.queue.resume("uploads").await.unwrap();
    clipqueue::domain::posts::retry(&t.app, &t.actor, id, "again")
        .await
        .unwrap();
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
}
