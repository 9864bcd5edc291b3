//! Refreshes that go wrong: which cost the creator a consent, which cost a wait, which are ours.

use std::time::Duration;

use clipqueue::domain::{accounts, renewal, tokens};
use clipqueue_entities::{
    AccountId, account::AccountStatus, account_token::TokenState, job::JobState, post::PostState,
};
use tiktok_sim::{Endpoint, FaultKind, Rule};

use crate::support::{
    app::TestApp,
    flows::{HOUR, MINUTE},
};

crate::on_both_stacks!(
    an_answer_lost_after_the_effect_costs_one_consent_and_no_post,
    an_answer_lost_before_the_effect_is_repeated,
    a_tiktok_that_is_away_is_waited_for,
    our_own_wrong_secret_touches_no_account,
    a_grant_that_is_over_is_asked_for_once,
    a_crash_between_the_answer_and_the_commit_tries_the_old_token_once,
    a_crash_before_the_call_repeats_it,
    an_answer_that_comes_after_the_refusal_of_its_rival_brings_the_account_back,
);

async fn ask_for_refresh(t: &TestApp, account: AccountId) {
    let generation = t.tokens(account).await.generation;
    tokens::suspect(&t.app, account, generation).await.unwrap();
}

async fn status(t: &TestApp, account: AccountId) -> AccountStatus {
    accounts::for_worker(&t.app, account).await.unwrap().status
}

async fn an_answer_lost_after_the_effect_costs_one_consent_and_no_post(mut t: TestApp) {
    t.sim.expect_refusal("invalid_grant");
    let (account, media) = t.ready().await;
    for fault in [
        FaultKind::LostAfterEffect,
        FaultKind::StatusAfterEffect { status: 502 },
        FaultKind::TruncatedJson,
    ] {
        t.advance(HOUR * 3);
        let before = t.calls(Endpoint::OauthRefresh).len();
        t.fault(Endpoint::OauthRefresh, fault.clone());
        let caption = format!("{fault:?}");
        let post = t.post(TestApp::captioned(account, media, &caption)).await;
        t.drain().await;
        assert_eq!(t.tokens(account).await.state, TokenState::Uncertain);
        t.run_until(post.id, PostState::Held).await;
        assert_eq!(status(&t, account).await, AccountStatus::ReauthRequired);
        t.pass(HOUR, 4).await;
        t.fire_crons().await;
        let calls = t.calls(Endpoint::OauthRefresh).len() - before;
        assert_eq!(
            calls, 2,
            "{fault:?}: the old token is tried once more, not for ever"
        );
        t.connect("creator").await;
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        let states = t.states(post.id).await;
        assert!(!states.contains(&"failed".to_owned()), "{states:?}");
    }
}

async fn an_answer_lost_before_the_effect_is_repeated(mut t: TestApp) {
    let account = t.connect("creator").await.id;
    t.fault(Endpoint::OauthRefresh, FaultKind::LostBeforeEffect);
    ask_for_refresh(&t, account).await;
    t.drain().await;
    assert_eq!(t.tokens(account).await.state, TokenState::Uncertain);
    t.pass(MINUTE, 4).await;
    let row = t.tokens(account).await;
    assert_eq!((row.generation, row.state), (2, TokenState::Fresh));
    assert_eq!(status(&t, account).await, AccountStatus::Active);
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 2);
}

async fn a_tiktok_that_is_away_is_waited_for(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.advance(HOUR * 2);
    let away = [
        FaultKind::Status { status: 503 },
        FaultKind::RateLimit,
        FaultKind::LostBeforeEffect,
    ];
    for (number, fault) in away.into_iter().enumerate() {
        let fault = t.fault_always(Endpoint::OauthRefresh, fault);
        let caption = format!("waiting {number}");
        let post = t.post(TestApp::captioned(account, media, &caption)).await;
        t.pass(Duration::from_secs(1_800), 60).await;
        assert_eq!(status(&t, account).await, AccountStatus::Active);
        let waiting = t.reload(post.id).await;
        assert_eq!(waiting.state, PostState::Preflight);
        assert_eq!(
            t.upload_job(post.id).await.attempt,
            0,
            "waiting costs nothing"
        );
        let changes = t.states(post.id).await.len();
        assert_eq!(changes, 2, "waiting is no news");
        t.sim.clear_faults(Some(fault));
        t.run_until(post.id, PostState::Published).await;
        t.assert_published_once(post.id).await;
        t.advance(HOUR * 3);
    }
    let refreshes = t.calls(Endpoint::OauthRefresh).len();
    assert!(
        refreshes < 60,
        "{refreshes} refreshes in an hour and a half of trouble"
    );
}

async fn our_own_wrong_secret_touches_no_account(mut t: TestApp) {
    t.sim.expect_refusal("invalid_client");
    t.sim.expect_broken(Rule::BadClientCredentials);
    let (account, media) = t.ready().await;
    let neighbour = t.connect("neighbour").await.id;
    t.sim
        .configure(|config| config.client_secret = "changed in the portal".to_owned());
    t.advance(HOUR * 2);
    let post = t.post(TestApp::direct(account, media)).await;
    t.fire_crons().await;
    t.pass(HOUR, 10).await;
    for id in [account, neighbour] {
        assert_eq!(status(&t, id).await, AccountStatus::Active);
        assert_ne!(t.tokens(id).await.state, TokenState::Dead);
    }
    assert_eq!(t.reload(post.id).await.state, PostState::Preflight);
    let secret = clipqueue::config::DEMO_CLIENT_SECRET.to_owned();
    t.sim.configure(|config| config.client_secret = secret);
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_grant_that_is_over_is_asked_for_once(mut t: TestApp) {
    t.sim.expect_refusal("invalid_grant");
    let account = t.connect("creator").await.id;
    t.sim.disconnect("creator", 1).unwrap();
    for _ in 0..5 {
        t.advance(HOUR * 2);
        t.fire_crons().await;
    }
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 1);
    assert_eq!(status(&t, account).await, AccountStatus::ReauthRequired);
    let job = t.jobs("refresh_token").await.pop().unwrap();
    assert_eq!(job.state, JobState::Completed);
}

/// Runs the refresh until TikTok has made the new pair and its answer is on the way, and lets its
/// process die there.
async fn die_in_refresh(t: &TestApp) {
    // The answer never comes: what the process had read of it dies with it all the same.
    t.fault(
        Endpoint::OauthRefresh,
        FaultKind::StallAfterEffect { ms: 600_000 },
    );
    let mut steps = t.steps();
    let (held, run) = t.claim_one(&mut steps).await;
    assert_eq!(held.job().kind, "refresh_token");
    let mut worker = (t.runner())(run);
    // Polled by hand, so that nothing moves between the look and the death.
    loop {
        let polled = futures::poll!(&mut worker);
        assert!(polled.is_pending(), "the refresh ended before it could die");
        if !t.calls(Endpoint::OauthRefresh).is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(worker);
    drop(held);
    t.advance(Duration::from_secs(16));
    steps.rescue().await.unwrap();
    t.advance(Duration::from_secs(4));
    assert_eq!(steps.rescue().await.unwrap(), 1);
}

async fn a_crash_between_the_answer_and_the_commit_tries_the_old_token_once(mut t: TestApp) {
    t.sim.expect_refusal("invalid_grant");
    // The dead process took the answer with it; that the old token comes once more is the price.
    t.sim.expect_broken(Rule::DeadRefreshTokenUsed);
    let (account, media) = t.ready().await;
    let post = t
        .post(clipqueue::domain::posts::NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::direct(account, media)
        })
        .await;
    ask_for_refresh(&t, account).await;
    die_in_refresh(&t).await;
    assert_eq!(t.tokens(account).await.state, TokenState::Uncertain);
    t.run_until(post.id, PostState::Held).await;
    assert_eq!(status(&t, account).await, AccountStatus::ReauthRequired);
    assert_eq!(t.calls(Endpoint::OauthRefresh).len(), 2);
    t.connect("creator").await;
    t.run_until_within(post.id, PostState::Published, HOUR * 2)
        .await;
}

async fn a_crash_before_the_call_repeats_it(mut t: TestApp) {
    let account = t.connect("creator").await.id;
    ask_for_refresh(&t, account).await;
    let mut steps = t.steps();
    let (held, run) = t.claim_one(&mut steps).await;
    let mut worker = (t.runner())(run);
    assert!(futures::poll!(&mut worker).is_pending());
    drop(worker);
    drop(held);
    t.advance(Duration::from_secs(16));
    steps.rescue().await.unwrap();
    t.advance(Duration::from_secs(4));
    steps.rescue().await.unwrap();
    t.pass(MINUTE, 4).await;
    let row = t.tokens(account).await;
    assert_eq!((row.generation, row.state), (2, TokenState::Fresh));
    assert_eq!(status(&t, account).await, AccountStatus::Active);
}

/// A process asks, freezes before it reads the answer, and another one takes the job over: it can only
/// send the token that the first one has spent. Then the first one wakes up.
async fn an_answer_that_comes_after_the_refusal_of_its_rival_brings_the_account_back(
    mut t: TestApp,
) {
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_broken(Rule::DeadRefreshTokenUsed);
    let (account, media) = t.ready().await;
    t.advance(HOUR * 3);
    let stored = tokens::load(&t.app, account).await.unwrap().unwrap();
    let slow = t.app.tiktok.refresh(&stored.refresh).await.unwrap();
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Held).await;
    assert_eq!(status(&t, account).await, AccountStatus::ReauthRequired);

    let tx = t.app.db.begin().await.unwrap();
    let set = &slow.value.tokens;
    let revived = renewal::renew_in_tx(&t.app, &tx, &stored, set).await;
    assert!(revived.unwrap());
    tx.commit().await.unwrap();
    accounts::released(&t.app).await;
    assert_eq!(status(&t, account).await, AccountStatus::Active);
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    // Once more is once too often: the pair is no longer what it replaced.
    let tx = t.app.db.begin().await.unwrap();
    let again = renewal::renew_in_tx(&t.app, &tx, &stored, set).await;
    assert!(again.is_err());
}
