//! A wrong client secret is the operator's affair: it alerts, and harms no account.

use std::time::Duration;

use clipqueue::{
    calls::breaker::{Reason, State},
    domain::{accounts, connect},
    http::health,
};
use clipqueue_entities::{account::AccountStatus, account_token::TokenState, post::PostState};
use tiktok::Endpoint as Ours;
use tiktok_sim::{AccountPatch, Consent, Endpoint, Rule};

use crate::support::{
    app::TestApp,
    flows::{HOUR, MINUTE},
};

crate::on_both_stacks!(a_wrong_secret_alerts_and_harms_no_account);

async fn a_wrong_secret_alerts_and_harms_no_account(mut t: TestApp) {
    t.sim.expect_refusal("invalid_client");
    t.sim.expect_broken(Rule::BadClientCredentials);
    let media = t.upload().await;
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(t.connect(&format!("creator{number}")).await.id);
    }
    t.sim
        .configure(|config| config.client_secret = "changed in the portal".to_owned());
    // Twenty minutes of life are left: a refresh is due, and everything still works.
    t.advance(HOUR * 2 - Duration::from_secs(1_200));
    t.fire_crons().await;
    let breaker = t.breaker(Ours::Token).await;
    assert_eq!(breaker.state, State::Open);
    assert_eq!(breaker.reason, Some(Reason::ClientRefused));
    let tried = t.calls(Endpoint::OauthRefresh).len();
    assert!(tried <= 8, "{tried} refreshes with a wrong secret");
    for id in &ids {
        let token = t.tokens(*id).await;
        assert_eq!(token.state, TokenState::Fresh, "it is as good as before");
    }
    let post = t
        .post(TestApp::captioned(ids[0], media, "still goes"))
        .await;
    t.run_until_within(post.id, PostState::Published, MINUTE)
        .await;
    let ready = health::run_checks(&t.app, false).await;
    assert!(ready.iter().all(|check| check.problem.is_none()));

    // Two hours on, every token has ended: posts wait, visibly, and few probes are sent.
    t.pass(HOUR * 2, 48).await;
    let late = t.post(TestApp::captioned(ids[1], media, "waits")).await;
    t.drain().await;
    t.advance(MINUTE);
    t.drain().await;
    let waiting = t.reload(late.id).await;
    assert_eq!(waiting.wait_reason.as_deref(), Some("client_refused"));
    assert_eq!(t.upload_job(late.id).await.attempt, 0);
    let tried = t.calls(Endpoint::OauthRefresh).len();
    assert!(
        tried <= 60,
        "{tried} refreshes for eight accounts in two hours"
    );
    for id in &ids {
        let account = accounts::for_worker(&t.app, *id).await.unwrap();
        assert_eq!(account.status, AccountStatus::Active);
        assert_ne!(t.tokens(*id).await.state, TokenState::Dead);
    }
    // Nobody is sent through the consent page in vain either; the link stays good.
    t.sim.account("newcomer", AccountPatch::default());
    let page = connect::begin(&t.app, &t.actor, None).await.unwrap();
    let callback = t
        .sim
        .consent(page.url.as_str(), "newcomer", &Consent::All)
        .unwrap();
    let query = callback.split_once('?').unwrap().1.to_owned();
    let before = t.calls(Endpoint::OauthExchange).len();
    let refused = connect::finish(&t.app, &query).await.unwrap_err();
    let paused = matches!(refused, connect::ConnectError::Paused(_));
    assert!(paused || t.calls(Endpoint::OauthExchange).len() == before + 1);

    let secret = clipqueue::config::DEMO_CLIENT_SECRET.to_owned();
    t.sim.configure(|config| config.client_secret = secret);
    t.run_until(late.id, PostState::Published).await;
    t.assert_published_once(late.id).await;
    assert!(t.all_breakers_are_closed().await);
}
