//! What a consent is for: signing in makes or finds a user, a proof leaves nothing, and both belong to the
//! browser that began them.

use clipqueue::domain::{
    accounts,
    connect::{self, Arrived, Browser, ConnectError},
};
use clipqueue_entities::{account, account_token, event, user};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use secrecy::ExposeSecret as _;
use tiktok_sim::{AccountPatch, Consent, Endpoint};

use crate::support::app::TestApp;

crate::on_both_stacks!(
    whoever_has_the_account_is_signed_in,
    a_stranger_is_refused_and_their_grant_is_ended,
    a_stranger_becomes_a_user_where_that_is_allowed,
    whoever_is_signed_in_adds_an_account,
    a_proof_leaves_nothing_and_ends_its_grant,
    another_browser_is_refused,
);

/// The query with which TikTok sends a browser back from `page`.
fn back(t: &TestApp, page: &connect::ConsentPage, username: &str, consent: &Consent) -> String {
    let url = t.sim.consent(page.url.as_str(), username, consent).unwrap();
    url.split_once('?').unwrap().1.to_owned()
}

async fn signs_in(t: &TestApp, username: &str) -> Result<Arrived, ConnectError> {
    t.sim.account(username, AccountPatch::default());
    let browser = Browser::new();
    let page = connect::begin_sign_in(&t.app, None, &browser)
        .await
        .unwrap();
    let query = back(t, &page, username, &Consent::All);
    connect::arrive(&t.app, &query, Some(&browser)).await
}

async fn rows(t: &TestApp) -> (u64, u64, u64, u64) {
    let db = t.app.db.read();
    (
        account::Entity::find().count(db).await.unwrap(),
        account_token::Entity::find().count(db).await.unwrap(),
        event::Entity::find().count(db).await.unwrap(),
        user::Entity::find().count(db).await.unwrap(),
    )
}

async fn whoever_has_the_account_is_signed_in(t: TestApp) {
    let account = t.connect("creator").await;
    let users = rows(&t).await.3;
    let arrived = signs_in(&t, "creator").await;
    let Ok(Arrived::SignedIn(connected)) = arrived else {
        panic!("{arrived:?}");
    };
    assert_eq!(connected.account.id, account.id);
    assert_eq!(connected.account.user_id, t.actor.user_id);
    assert_eq!(rows(&t).await.3, users, "nobody new");
}

async fn a_stranger_is_refused_and_their_grant_is_ended(t: TestApp) {
    let before = rows(&t).await;
    let refused = signs_in(&t, "stranger").await;
    assert!(
        matches!(refused, Err(ConnectError::NoSignUp)),
        "{refused:?}"
    );
    assert_eq!(rows(&t).await, before);
    assert!(!t.sim.is_connected("stranger"));
}

async fn a_stranger_becomes_a_user_where_that_is_allowed(mut t: TestApp) {
    t.reconfigure(|config| config.dashboard.sign_up = true);
    let mut users = Vec::new();
    for _ in 0..2 {
        let arrived = signs_in(&t, "ada").await;
        let Ok(Arrived::SignedIn(connected)) = arrived else {
            panic!("{arrived:?}");
        };
        users.push(connected.account.user_id);
    }
    assert_eq!(users[0], users[1], "the second time it is the same user");
    assert_ne!(users[0], t.actor.user_id);
    let new = user::Entity::find_by_id(users[0])
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap();
    // There is an `ada` already, whom an operator named; TikTok's is somebody else, and the name tells
    // nothing of who it is.
    assert!(new.name.starts_with("creator-"), "{}", new.name);
}

async fn whoever_is_signed_in_adds_an_account(t: TestApp) {
    let first = t.connect("creator").await;
    t.sim.account("second", AccountPatch::default());
    let browser = Browser::new();
    let user = t.actor.user_id;
    let page = connect::begin_sign_in(&t.app, Some(user), &browser)
        .await
        .unwrap();
    let query = back(&t, &page, "second", &Consent::All);
    let arrived = connect::arrive(&t.app, &query, Some(&browser)).await;
    let Ok(Arrived::SignedIn(connected)) = arrived else {
        panic!("{arrived:?}");
    };
    let mut ids = vec![first.id, connected.account.id];
    let listed = accounts::list(&t.app, user).await.unwrap();
    let mut listed: Vec<_> = listed.into_iter().map(|account| account.id).collect();
    ids.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, ids);
}

async fn a_proof_leaves_nothing_and_ends_its_grant(t: TestApp) {
    t.sim.account("creator", AccountPatch::default());
    let before = rows(&t).await;
    let browser = Browser::new();
    let request = uuid::Uuid::new_v4();
    let page = connect::begin_proof(&t.app, request, &browser)
        .await
        .unwrap();
    let asked: Vec<_> = page.url.query_pairs().collect();
    let scope = asked.iter().find(|(name, _)| name == "scope").unwrap();
    assert_eq!(
        scope.1, "user.info.basic",
        "it asks for no more than it needs"
    );
    let query = back(&t, &page, "creator", &Consent::All);
    let arrived = connect::arrive(&t.app, &query, Some(&browser)).await;
    // Nobody waits for a proof of this id.
    assert!(
        matches!(arrived, Err(ConnectError::NotAsked)),
        "{arrived:?}"
    );
    assert_eq!(rows(&t).await, before);
    assert!(!t.sim.is_connected("creator"));
    assert_eq!(t.calls(Endpoint::UserInfo).len(), 1, "who it is was asked");
    assert_eq!(t.calls(Endpoint::OauthRevoke).len(), 1);
    let again = connect::arrive(&t.app, &query, Some(&browser)).await;
    assert!(matches!(again, Err(ConnectError::UsedState)), "{again:?}");
}

async fn another_browser_is_refused(t: TestApp) {
    t.sim.account("creator", AccountPatch::default());
    let before = rows(&t).await;
    let browser = Browser::new();
    for is_proof in [false, true] {
        for other in [None, Some(Browser::new())] {
            let page = match is_proof {
                true => connect::begin_proof(&t.app, uuid::Uuid::new_v4(), &browser).await,
                false => connect::begin_sign_in(&t.app, None, &browser).await,
            };
            let query = back(&t, &page.unwrap(), "creator", &Consent::All);
            let refused = connect::arrive(&t.app, &query, other.as_ref()).await;
            assert!(
                matches!(refused, Err(ConnectError::OtherBrowser)),
                "{refused:?}"
            );
            // The link is burnt: whoever was lured cannot be lured by it again.
            let again = Browser::shown(browser.text().expose_secret());
            let again = connect::arrive(&t.app, &query, again.as_ref()).await;
            assert!(matches!(again, Err(ConnectError::UsedState)), "{again:?}");
        }
    }
    assert_eq!(rows(&t).await, before);
    assert!(t.calls(Endpoint::OauthExchange).is_empty());
}
