//! The way to the consent page and back: what is stored, and what connects nothing.

use std::time::Duration;

use clipqueue::domain::{
    accounts,
    actor::{Actor, Scope},
    connect::{self, ConnectError},
    error::Code,
};
use clipqueue_entities::{account, account::AccountStatus, account_token};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use tiktok_sim::{AccountPatch, Consent, Endpoint, Fault, FaultKind};

use crate::support::{
    app::{Stack, TestApp},
    flows::codes,
};

crate::on_both_stacks!(
    a_consent_stores_the_account_and_its_profile,
    a_denial_connects_nothing,
    scopes_that_were_not_granted_are_told_and_the_rest_is_kept,
    a_callback_works_once,
    a_state_that_nobody_made_is_refused,
    a_state_ends_after_ten_minutes,
    a_query_that_is_not_tiktoks_is_refused,
    an_account_of_another_user_stays_theirs,
    a_profile_that_cannot_be_read_does_not_cost_the_grant,
    a_code_that_tiktok_refuses_connects_nothing,
    a_tiktok_that_is_away_connects_nothing_and_says_so,
    two_callbacks_at_once_connect_once,
);
crate::on_both_stacks_by_hand!(an_address_to_return_to_must_be_allowed);

/// Goes to the consent page and gives the query with which TikTok sends the browser back.
async fn callback(t: &TestApp, actor: &Actor, username: &str, consent: &Consent) -> String {
    t.sim.account(username, AccountPatch::default());
    let page = connect::begin(&t.app, actor, None).await.unwrap();
    let url = t.sim.consent(page.url.as_str(), username, consent).unwrap();
    url.split_once('?').unwrap().1.to_owned()
}

async fn nothing_is_stored(t: &TestApp) {
    let rows = account::Entity::find()
        .count(t.app.db.read())
        .await
        .unwrap();
    let tokens = account_token::Entity::find()
        .count(t.app.db.read())
        .await
        .unwrap();
    assert_eq!((rows, tokens), (0, 0));
}

async fn a_consent_stores_the_account_and_its_profile(t: TestApp) {
    let before = t.clock.now();
    let query = callback(&t, &t.actor, "creator", &Consent::All).await;
    let connected = connect::finish(&t.app, &query).await.unwrap();
    assert!(connected.missing.is_empty());
    let account = connected.account;
    assert_eq!(account.status, AccountStatus::Active);
    assert_eq!(account.display_name.as_deref(), Some("creator"));
    let scopes: Vec<_> = account.scopes.split(',').collect();
    assert!(scopes.contains(&"video.publish") && scopes.contains(&"video.upload"));
    let (access, refresh) = accounts::token_expiry(&t.app, account.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(access, before + Duration::from_secs(7_200));
    assert_eq!(refresh, before + Duration::from_secs(15_552_000));
    let listed = accounts::list(&t.app, t.actor.user_id).await.unwrap();
    assert_eq!(listed, [account]);
}

async fn a_denial_connects_nothing(t: TestApp) {
    let query = callback(&t, &t.actor, "creator", &Consent::Deny).await;
    let denied = connect::finish(&t.app, &query).await;
    assert!(matches!(denied, Err(ConnectError::Denied)), "{denied:?}");
    nothing_is_stored(&t).await;
    let again = connect::finish(&t.app, &query).await;
    assert!(matches!(again, Err(ConnectError::UsedState)), "{again:?}");
    assert!(t.calls(Endpoint::OauthExchange).is_empty());
}

async fn scopes_that_were_not_granted_are_told_and_the_rest_is_kept(t: TestApp) {
    let some = Consent::Scopes(vec![
        "user.info.basic".to_owned(),
        "video.upload".to_owned(),
    ]);
    let query = callback(&t, &t.actor, "creator", &some).await;
    let connected = connect::finish(&t.app, &query).await.unwrap();
    assert_eq!(connected.missing, ["video.list", "video.publish"]);
    let mut scopes: Vec<_> = connected.account.scopes.split(',').collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["user.info.basic", "video.upload"]);
    assert_eq!(connected.account.status, AccountStatus::Active);
}

async fn a_callback_works_once(t: TestApp) {
    let query = callback(&t, &t.actor, "creator", &Consent::All).await;
    connect::finish(&t.app, &query).await.unwrap();
    let again = connect::finish(&t.app, &query).await;
    assert!(matches!(again, Err(ConnectError::UsedState)), "{again:?}");
    assert_eq!(
        t.calls(Endpoint::OauthExchange).len(),
        1,
        "the code is not burnt"
    );
    assert!(t.sim.is_connected("creator"));
}

async fn a_state_that_nobody_made_is_refused(t: TestApp) {
    let query = callback(&t, &t.actor, "creator", &Consent::All).await;
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .map(|(name, value)| {
            let value = if name == "state" {
                "x".repeat(43)
            } else {
                value
            };
            (name, value)
        })
        .collect();
    let forged = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let refused = connect::finish(&t.app, &forged).await;
    assert!(
        matches!(refused, Err(ConnectError::UnknownState)),
        "{refused:?}"
    );
    nothing_is_stored(&t).await;
    assert!(t.calls(Endpoint::OauthExchange).is_empty());
    connect::finish(&t.app, &query).await.unwrap();
}

async fn a_state_ends_after_ten_minutes(t: TestApp) {
    let page = connect::begin(&t.app, &t.actor, None).await.unwrap();
    assert_eq!(page.expires_at, t.clock.now() + Duration::from_secs(600));
    t.sim.account("creator", AccountPatch::default());
    t.advance(Duration::from_secs(601));
    let url = t
        .sim
        .consent(page.url.as_str(), "creator", &Consent::All)
        .unwrap();
    let late = connect::finish(&t.app, url.split_once('?').unwrap().1).await;
    assert!(matches!(late, Err(ConnectError::ExpiredState)), "{late:?}");
    nothing_is_stored(&t).await;
}

async fn a_query_that_is_not_tiktoks_is_refused(t: TestApp) {
    for query in [
        "",
        "code=abc",
        "state=abc",
        "code=&state=",
        "code=a&state=b&state=c",
    ] {
        let refused = connect::finish(&t.app, query).await;
        assert!(
            matches!(
                refused,
                Err(ConnectError::Malformed | ConnectError::UnknownState)
            ),
            "{query}: {refused:?}"
        );
    }
    nothing_is_stored(&t).await;
    assert!(t.calls(Endpoint::OauthExchange).is_empty());
}

async fn an_account_of_another_user_stays_theirs(t: TestApp) {
    let mine = t.connect("creator").await;
    let generation = t.tokens(mine.id).await.generation;
    let (eve, _) = TestApp::user(&t.app, "eve", &Scope::ALL).await;
    let query = callback(&t, &eve, "creator", &Consent::All).await;
    let taken = connect::finish(&t.app, &query).await;
    assert!(matches!(taken, Err(ConnectError::Taken)), "{taken:?}");
    assert_eq!(t.tokens(mine.id).await.generation, generation);
    assert!(
        accounts::list(&t.app, eve.user_id)
            .await
            .unwrap()
            .is_empty()
    );
    let still = accounts::get(t.app.db.read(), t.actor.user_id, mine.id).await;
    assert_eq!(still.unwrap(), mine);
}

async fn a_profile_that_cannot_be_read_does_not_cost_the_grant(t: TestApp) {
    for (number, fault) in [
        FaultKind::Status { status: 500 },
        FaultKind::LostBeforeEffect,
        FaultKind::TruncatedJson,
        FaultKind::ApiCode {
            code: "scope_permission_missed".to_owned(),
            status: 400,
        },
    ]
    .into_iter()
    .enumerate()
    {
        t.fault(Endpoint::UserInfo, fault.clone());
        let account = t.connect(&format!("creator{number}")).await;
        assert_eq!(account.status, AccountStatus::Active, "{fault:?}");
        assert!(account.display_name.is_none());
    }
    // Connecting again fills in what was missing.
    assert!(t.connect("creator0").await.display_name.is_some());
    assert_eq!(
        accounts::list(&t.app, t.actor.user_id).await.unwrap().len(),
        4
    );
}

async fn a_code_that_tiktok_refuses_connects_nothing(t: TestApp) {
    t.sim.expect_refusal("invalid_grant");
    t.sim.configure(|config| config.tokens.code_seconds = 5);
    let query = callback(&t, &t.actor, "creator", &Consent::All).await;
    t.advance(Duration::from_secs(10));
    let refused = connect::finish(&t.app, &query).await;
    assert!(
        matches!(refused, Err(ConnectError::Refused(_))),
        "{refused:?}"
    );
    nothing_is_stored(&t).await;
    t.sim.configure(|config| config.tokens.code_seconds = 300);
    t.connect("creator").await;
}

async fn a_tiktok_that_is_away_connects_nothing_and_says_so(t: TestApp) {
    for fault in [
        FaultKind::Status { status: 503 },
        FaultKind::LostBeforeEffect,
        FaultKind::LostAfterEffect,
        FaultKind::TruncatedJson,
    ] {
        t.sim
            .fault(Fault::once(Endpoint::OauthExchange, fault.clone()));
        let query = callback(&t, &t.actor, "creator", &Consent::All).await;
        let failed = connect::finish(&t.app, &query).await;
        assert!(
            matches!(failed, Err(ConnectError::Unavailable(_))),
            "{fault:?}: {failed:?}"
        );
        nothing_is_stored(&t).await;
        // The code may have been used up, so the same callback is not tried again.
        let again = connect::finish(&t.app, &query).await;
        assert!(matches!(again, Err(ConnectError::UsedState)), "{again:?}");
    }
    t.connect("creator").await;
}

async fn two_callbacks_at_once_connect_once(t: TestApp) {
    let query = callback(&t, &t.actor, "creator", &Consent::All).await;
    let (one, two) = tokio::join!(
        connect::finish(&t.app, &query),
        connect::finish(&t.app, &query)
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(t.calls(Endpoint::OauthExchange).len(), 1);
    let rows = account::Entity::find()
        .count(t.app.db.read())
        .await
        .unwrap();
    assert_eq!(rows, 1);

    // Two consents of one creator at once leave one account with a pair that works.
    let first = callback(&t, &t.actor, "other", &Consent::All).await;
    let second = callback(&t, &t.actor, "other", &Consent::All).await;
    let (one, two) = tokio::join!(
        connect::finish(&t.app, &first),
        connect::finish(&t.app, &second)
    );
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    let rows = account::Entity::find()
        .count(t.app.db.read())
        .await
        .unwrap();
    assert_eq!(rows, 2);
}

async fn an_address_to_return_to_must_be_allowed(stack: Stack) {
    let allowed = "https://tool.example/done/";
    let t = TestApp::start_with(stack, &[("http.return_to", allowed)]).await;
    let begin =
        async |target: &str| connect::begin(&t.app, &t.actor, Some(target.to_owned())).await;
    for target in [
        "https://tool.example.evil.example/done/",
        "https://evil.example/done/",
        "http://tool.example/done/",
        "https://tool.example:8443/done/",
        "https://tool.example/other",
        "https://tool.example/done/../other",
        "https://user@evil.example/done/",
        "javascript:alert(1)",
        "/done/",
        "",
    ] {
        assert_eq!(codes(begin(target).await), [Code::Invalid], "{target}");
    }
    let page = begin("https://tool.example/done/here?x=1").await.unwrap();
    t.sim.account("creator", AccountPatch::default());
    let url = t
        .sim
        .consent(page.url.as_str(), "creator", &Consent::All)
        .unwrap();
    let query = url.split_once('?').unwrap().1;
    let connected = connect::finish(&t.app, query).await.unwrap();
    assert_eq!(
        connected.return_to.as_deref(),
        Some("https://tool.example/done/here?x=1")
    );
}
