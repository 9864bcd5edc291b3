//! A creator's browser: from TikTok's page to the dashboard, a key, a disconnected account, and out. Nothing
//! on the way may make the browser complain.

use std::net::TcpListener;

use clipqueue::domain::api_keys;
use tiktok_sim::AccountPatch;
use tokio_util::sync::CancellationToken;

use crate::{
    console::devtools::Browser,
    support::app::{Stack, TestApp},
};

/// Waits for a page by its heading.
async fn at(browser: &mut Browser, title: &str) {
    let is_there = format!("document.querySelector('h1')?.innerText === {title:?}");
    browser.wait(&is_there, title, || {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creator_uses_the_dashboard_in_a_browser() {
    // TikTok sends browsers back to the public address, so it has to be the real one.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let settings = [
        ("http.public_url", base.as_str()),
        ("dashboard.sign_up", "true"),
    ];
    let mut t = TestApp::start_with(Stack::Embedded, &settings).await;
    t.sim.account("creator", AccountPatch::default());
    let stop = CancellationToken::new();
    let router = clipqueue::http::router(&t.app, None, CancellationToken::new(), stop.clone());
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::spawn(clipqueue::http::serve(listener, router, stop.clone()));
    let _stop = stop.drop_guard();

    let mut browser = Browser::start().await;
    browser.open(&format!("{base}/dashboard")).await;
    at(&mut browser, "Sign in").await;
    browser.click("#tiktok").await;
    at(&mut browser, "Log in").await;
    browser.click("button[value=allow]").await;
    at(&mut browser, "TikTok accounts").await;
    assert_eq!(browser.eval("location.pathname").await, "/dashboard");
    assert_eq!(
        browser.eval("document.cookie").await,
        "",
        "no script sees a cookie"
    );
    let card = "document.querySelector('#accounts article').innerText.includes('creator')";
    browser.wait(card, "the account is there", || {}).await;
    let name = browser
        .eval("document.querySelector('.who span').innerText")
        .await;
    let name = name.as_str().unwrap().to_owned();

    // GraphQL takes the cookie from a page of ours.
    let asked = "fetch('/graphql', {method: 'POST', headers: {'content-type': 'application/json'}, \
        body: JSON.stringify({query: '{ viewer { name } }'})}).then(a => a.json()).then(a => a.data.viewer.name)";
    // The page's policy lets it talk to its own server alone.
    assert_eq!(browser.eval(asked).await, name.as_str());

    browser.click("nav a[href='/dashboard/keys']").await;
    at(&mut browser, "API keys").await;
    browser
        .eval("document.querySelector('#name').focus()")
        .await;
    browser.type_text("robot").await;
    browser.click("#make").await;
    browser
        .wait(
            "document.querySelector('#fresh')",
            "the key is shown",
            || {},
        )
        .await;
    let key = browser
        .eval("document.querySelector('#fresh').innerText")
        .await;
    let key = key.as_str().unwrap().to_owned();
    let actor = api_keys::authenticate(&t.app, &key).await.unwrap().unwrap();
    assert_eq!(actor.user_name, name);
    browser.click("#keys .revoke").await;
    browser
        .wait(
            "document.querySelector('#keys .chip').innerText === 'revoked'",
            "the key is revoked",
            || {},
        )
        .await;
    assert!(api_keys::authenticate(&t.app, &key).await.unwrap().is_err());

    browser.click("nav a[href='/dashboard/posts']").await;
    at(&mut browser, "Posts").await;
    browser.click("nav a[href='/dashboard/data']").await;
    at(&mut browser, "Your data").await;
    browser.click("#export").await;
    browser
        .wait(
            "document.querySelector('#exports .chip')",
            "it is asked for",
            || {},
        )
        .await;
    t.drain().await;

    // The way that is promised: sign out, disconnect and revoke, confirm.
    browser.click("#sign-out").await;
    at(&mut browser, "Sign out").await;
    browser.click("#revoke").await;
    at(&mut browser, "Disconnect & revoke everything?").await;
    browser
        .eval("document.querySelector('#name').focus()")
        .await;
    browser.type_text(&name).await;
    browser.click("#delete").await;
    at(&mut browser, "Your data is being deleted").await;
    t.drain().await;
    assert!(!t.sim.is_connected("creator"));
    browser.open(&format!("{base}/dashboard")).await;
    at(&mut browser, "Sign in").await;
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
