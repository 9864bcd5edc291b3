//! Losing a creator's grant and getting it back: everything waits, nothing fails, everything goes on.

use std::time::Duration;

use clipqueue::domain::{
    accounts::{self, REAUTH_REQUIRED},
    next_action::{NextActor, next_action},
    posts::NewPost,
};
use clipqueue_entities::{
    account::AccountStatus, account_token::TokenState, job::JobState, post::PostState,
};
use tiktok_sim::{Endpoint, FaultKind, Script};

use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks!(
    a_grant_that_ends_holds_everything_and_a_consent_lets_it_go,
    a_post_at_tiktok_is_asked_about_again_after_the_consent,
    a_post_between_two_tries_is_held_too,
    a_late_refusal_of_the_old_pair_does_not_touch_the_new_one,
    another_creators_posts_are_not_held,
    bytes_under_way_need_no_token,
);

/// TikTok ends the grant, and a job notices.
fn end_grant(t: &TestApp, username: &str) {
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_refusal("access_token_invalid");
    t.sim.disconnect(username, 1).unwrap();
}

async fn status(t: &TestApp, id: clipqueue_entities::AccountId) -> AccountStatus {
    accounts::for_worker(&t.app, id).await.unwrap().status
}

async fn a_grant_that_ends_holds_everything_and_a_consent_lets_it_go(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.advance(MINUTE);
    let later = t
        .post(NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::captioned(account, media, "later")
        })
        .await;
    let now = t.post(TestApp::captioned(account, media, "now")).await;
    end_grant(&t, "creator");
    t.run_until(now.id, PostState::Held).await;
    t.drain().await;
    assert_eq!(status(&t, account).await, AccountStatus::ReauthRequired);
    assert_eq!(t.tokens(account).await.state, TokenState::Dead);
    assert_eq!(accounts::held_posts(&t.app, account).await.unwrap(), 2);
    let model = accounts::for_worker(&t.app, account).await.unwrap();
    for id in [later.id, now.id] {
        let post = t.reload(id).await;
        assert_eq!(post.state, PostState::Held);
        assert_eq!(post.hold_reason.as_deref(), Some(REAUTH_REQUIRED));
        assert_eq!(
            next_action(&post, &model).unwrap().actor,
            NextActor::Creator
        );
        let job = t.upload_job(id).await;
        assert_eq!(job.state, JobState::Held);
        assert_eq!(job.hold_reason.as_deref(), Some(REAUTH_REQUIRED));
    }
    let calls = t.sim.ledger(&tiktok_sim::LedgerFilter::default()).len();
    t.pass(DAY * 5, 10).await;
    t.fire_crons().await;
    let quiet = t.sim.ledger(&tiktok_sim::LedgerFilter::default()).len();
    assert_eq!(calls, quiet, "TikTok is left alone");
    let kinds: Vec<_> =
        clipqueue::domain::events::after(t.app.db.read(), t.actor.user_id, None, 0, 1_000)
            .await
            .unwrap()
            .into_iter()
            .map(|event| event.kind)
            .filter(|kind| kind.starts_with("account."))
            .collect();
    assert_eq!(kinds, ["account.connected", "account.reauth_required"]);

    let again = t.connect("creator").await;
    assert_eq!(again.id, account);
    assert_eq!(status(&t, account).await, AccountStatus::Active);
    assert_eq!(accounts::held_posts(&t.app, account).await.unwrap(), 0);
    for id in [later.id, now.id] {
        t.run_until(id, PostState::Published).await;
        t.assert_published_once(id).await;
        let states = t.states(id).await;
        assert!(!states.contains(&"failed".to_owned()), "{states:?}");
    }
}

async fn a_post_at_tiktok_is_asked_about_again_after_the_consent(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let slow = Script {
        processing_ms: Some(600_000),
        ..Script::default()
    };
    t.sim.script("creator", slow).unwrap();
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Processing).await;
    end_grant(&t, "creator");
    t.pass(HOUR, 20).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Processing);
    assert_eq!(status(&t, account).await, AccountStatus::ReauthRequired);
    let job = t.jobs("poll_post").await.pop().unwrap();
    assert_eq!(job.state, JobState::Held);
    let asked = t.calls(Endpoint::Status).len();
    t.pass(DAY * 2, 10).await;
    t.fire_crons().await;
    assert_eq!(t.calls(Endpoint::Status).len(), asked);
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);

    t.connect("creator").await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    assert_eq!(t.sim.inits().len(), 1);
}

async fn a_post_between_two_tries_is_held_too(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.advance(HOUR * 2);
    t.fault_always(Endpoint::OauthRefresh, FaultKind::Status { status: 503 });
    let post = t.post(TestApp::direct(account, media)).await;
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Preflight);
    t.sim.clear_faults(None);
    end_grant(&t, "creator");
    t.run_until(post.id, PostState::Held).await;
    t.pass(HOUR * 12, 4).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held, "not missed");
    t.connect("creator").await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_late_refusal_of_the_old_pair_does_not_touch_the_new_one(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let old = t.tokens(account).await.generation;
    t.connect("creator").await;
    // The refresh of the old pair was under way meanwhile, and TikTok refuses it now.
    accounts::require_reauth(&t.app, account, old, "invalid_grant")
        .await
        .unwrap();
    assert_eq!(status(&t, account).await, AccountStatus::Active);
    assert_eq!(t.tokens(account).await.state, TokenState::Fresh);
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
}

async fn another_creators_posts_are_not_held(mut t: TestApp) {
    let (one, media) = t.ready().await;
    let two = t.connect("neighbour").await.id;
    t.advance(MINUTE);
    let held = t.post(TestApp::captioned(one, media, "held")).await;
    let free = t.post(TestApp::captioned(two, media, "free")).await;
    end_grant(&t, "creator");
    t.run_until(held.id, PostState::Held).await;
    t.run_until(free.id, PostState::Published).await;
    assert_eq!(status(&t, two).await, AccountStatus::Active);
}

async fn bytes_under_way_need_no_token(mut t: TestApp) {
    let id = t.begin_three_chunks("under way").await.id;
    let post = t.reload(id).await;
    let generation = t.tokens(post.account_id).await.generation;
    accounts::require_reauth(&t.app, post.account_id, generation, "test")
        .await
        .unwrap();
    // Its job is held, since what comes after the bytes needs the creator again.
    t.pass(Duration::from_secs(1_200), 4).await;
    assert_eq!(t.reload(id).await.state, PostState::Uploading);
    t.connect("creator").await;
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 1);
}
