//! The pages after TikTok's consent screen, one for each way in which connecting can end.

use std::time::Duration;

use clipqueue::{app::App, domain::connect};
use tiktok_sim::{AccountPatch, Consent, Endpoint, Fault, FaultKind};

use super::{Answer, get, router};
use crate::support::app::{Stack, TestApp};

/// Where a front end wants its creators back.
const RETURN_TO: &str = "https://app.example/tiktok/";

async fn start() -> TestApp {
    let t = TestApp::start_with(Stack::Embedded, &[("http.return_to", RETURN_TO)]).await;
    t.sim.account("creator", AccountPatch::default());
    t
}

/// Begins, lets the creator choose, and gives the path to which TikTok sends the browser.
async fn callback(t: &TestApp, consent: &Consent, return_to: Option<&str>) -> String {
    let return_to = return_to.map(str::to_owned);
    let page = connect::begin(&t.app, &t.actor, return_to).await.unwrap();
    let back = t
        .sim
        .consent(page.url.as_str(), "creator", consent)
        .unwrap();
    let base = t
        .app
        .config
        .http
        .public_url
        .as_str()
        .trim_end_matches('/')
        .to_owned();
    back.strip_prefix(&base).unwrap().to_owned()
}

/// Checks that it is a page with this status and title, that it says what to do, and that it is safe.
fn is_page(answer: &Answer, status: u16, title: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(
        answer.body.contains(&format!("<h1>{title}</h1>")),
        "{}",
        answer.body
    );
    let advice = [
        "close this window",
        "start again",
        "Start again",
        "connect again",
        "connect another",
    ];
    assert!(
        advice.iter().any(|words| answer.body.contains(words)),
        "{}",
        answer.body
    );
    assert!(!answer.body.contains("code=") && !answer.body.contains("state="));
}

async fn accounts(app: &App) -> usize {
    use sea_orm::EntityTrait as _;
    let rows = clipqueue_entities::account::Entity::find()
        .all(app.db.read())
        .await;
    rows.unwrap().len()
}

#[tokio::test]
async fn a_creator_who_agrees_is_connected_and_a_link_works_once() {
    let t = start().await;
    let router = router(&t);
    let path = callback(&t, &Consent::All, None).await;
    is_page(&get(&router, &path).await, 200, "Connected");
    assert_eq!(accounts(&t.app).await, 1);
    is_page(
        &get(&router, &path).await,
        400,
        "This link was used already",
    );
}

#[tokio::test]
async fn a_front_end_gets_its_creator_back() {
    let t = start().await;
    let router = router(&t);
    let target = format!("{RETURN_TO}done?x=1");
    let path = callback(&t, &Consent::All, Some(&target)).await;
    let answer = get(&router, &path).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, target.as_str())
    );
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    for foreign in [
        "https://evil.example/",
        "https://app.example/other",
        "javascript:alert(1)",
    ] {
        let refused = connect::begin(&t.app, &t.actor, Some(foreign.to_owned())).await;
        assert!(refused.is_err(), "{foreign}");
    }
}

#[tokio::test]
async fn a_creator_who_says_no_or_less_is_told_what_follows() {
    let t = start().await;
    let router = router(&t);
    let path = callback(&t, &Consent::Deny, None).await;
    is_page(&get(&router, &path).await, 200, "Not connected");
    assert_eq!(accounts(&t.app).await, 0);

    let some = Consent::Scopes(vec![
        "user.info.basic".to_owned(),
        "video.upload".to_owned(),
    ]);
    let path = callback(&t, &some, Some(RETURN_TO)).await;
    let answer = get(&router, &path).await;
    is_page(&answer, 200, "Connected, with less than was asked for");
    assert!(answer.body.contains("video.publish"), "{}", answer.body);
}

#[tokio::test]
async fn links_that_are_not_ours_or_too_old_connect_nothing() {
    let t = start().await;
    let router = router(&t);
    for path in [
        "/oauth/tiktok/callback",
        "/oauth/tiktok/callback?code=x",
        "/oauth/tiktok/callback?state=%ff",
    ] {
        is_page(&get(&router, path).await, 400, "This address is incomplete");
    }
    let path = "/oauth/tiktok/callback?code=x&state=never-made";
    is_page(&get(&router, path).await, 400, "This link is not ours");
    let path = callback(&t, &Consent::All, None).await;
    t.advance(Duration::from_secs(601));
    is_page(&get(&router, &path).await, 400, "This link has expired");
    assert_eq!(accounts(&t.app).await, 0);
}

#[tokio::test]
async fn an_account_of_somebody_else_stays_theirs() {
    let t = start().await;
    let router = router(&t);
    let path = callback(&t, &Consent::All, None).await;
    is_page(&get(&router, &path).await, 200, "Connected");
    let (other, _) = TestApp::user(&t.app, "bob", &t.actor.scopes).await;
    let page = connect::begin(&t.app, &other, None).await.unwrap();
    let back = t
        .sim
        .consent(page.url.as_str(), "creator", &Consent::All)
        .unwrap();
    let path = &back[back.find("/oauth").unwrap()..];
    let answer = get(&router, path).await;
    is_page(&answer, 409, "This TikTok account is connected elsewhere");
    assert!(!answer.body.contains("ada"));
    assert_eq!(accounts(&t.app).await, 1);
}

#[tokio::test]
async fn a_tiktok_that_fails_or_refuses_is_told_apart() {
    let t = start().await;
    let router = router(&t);
    let path = callback(&t, &Consent::All, None).await;
    t.sim.fault(Fault::once(
        Endpoint::OauthExchange,
        FaultKind::Status { status: 503 },
    ));
    is_page(&get(&router, &path).await, 502, "TikTok does not answer");

    let path = callback(&t, &Consent::All, None).await;
    t.sim.expect_refusal("invalid_grant");
    let wrong = path.replacen("code=", "code=x", 1);
    is_page(
        &get(&router, &wrong).await,
        502,
        "TikTok refused the connection",
    );
    assert_eq!(accounts(&t.app).await, 0);
}

#[tokio::test]
async fn a_name_that_is_markup_is_shown_as_text() {
    let t = start().await;
    t.sim.account(
        "creator",
        AccountPatch {
            nickname: Some("<script>alert(1)</script>".to_owned()),
            ..AccountPatch::default()
        },
    );
    let path = callback(&t, &Consent::All, None).await;
    let answer = get(&router(&t), &path).await;
    is_page(&answer, 200, "Connected");
    assert!(answer.body.contains("&#60;script&#62;") && !answer.body.contains("<script"));
}

#[tokio::test]
async fn a_failure_of_ours_shows_nothing_of_the_inside() {
    let t = start().await;
    let router = router(&t);
    let path = callback(&t, &Consent::All, None).await;
    t.app.db.close().await.unwrap();
    let answer = get(&router, &path).await;
    is_page(&answer, 500, "Something went wrong here");
    assert!(!answer.body.to_lowercase().contains("pool"));
}
