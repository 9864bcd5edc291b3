//! Who is signed in, as whom, and for how long.

use std::time::Duration;

use clipqueue::domain::{erasure, user_sessions};
use tiktok_sim::{AccountPatch, Consent, Endpoint};

use super::{Person, sessions};
use crate::{
    console::{OURS, request, router, send},
    on_both_stacks,
    support::app::{Stack, TestApp},
};

on_both_stacks!(
    a_creator_signs_in_and_out,
    a_stranger_signs_up_only_where_that_is_allowed,
    a_session_ends_when_it_is_not_used_and_at_its_end,
    whoever_leaves_is_signed_out_everywhere,
    tries_to_sign_in_are_counted,
);

async fn a_creator_signs_in_and_out(t: TestApp) {
    t.connect("creator").await;
    let mut person = Person::new(&t);
    let page = person.page("/sign-in").await;
    assert!(page.contains("Sign in with TikTok") && page.contains("connected here already"));
    let path = person.at_tiktok(&t, "creator", &Consent::All).await;
    let answer = person.get(&path).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/dashboard")
    );
    let cookie = answer.header("set-cookie");
    for word in [
        "clipqueue-session=",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Path=/;",
        "; Max-Age=2592000",
    ] {
        assert!(cookie.contains(word), "{word}: {cookie}");
    }
    // Of the secret only a hash is stored.
    let rows = sessions(&t).await;
    assert_eq!((rows.len(), rows[0].user_id), (1, t.actor.user_id));
    let secret = person.session().unwrap().split_once('.').unwrap().1;
    assert_eq!(secret.len(), 64);
    assert_ne!(hex::encode(&rows[0].hash.0), secret);
    assert!(person.page("/dashboard").await.contains("ada"));

    // Signing in again replaces the session: the cookie of before opens nothing.
    let before = person.session().unwrap().to_owned();
    person.sign_in(&t, "creator").await;
    assert_ne!(person.session().unwrap(), before);
    assert_eq!(sessions(&t).await.len(), 1);
    assert!(
        user_sessions::resume(&t.app, &before)
            .await
            .unwrap()
            .is_none()
    );

    let screen = person.page("/sign-out").await;
    assert!(
        screen.contains("Disconnect &#38; revoke") || screen.contains("Disconnect &amp; revoke")
    );
    let kept = person.session().unwrap().to_owned();
    let answer = person.press("/sign-out", "").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/sign-in")
    );
    assert!(person.session().is_none() && sessions(&t).await.is_empty());
    assert!(
        user_sessions::resume(&t.app, &kept)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        person.get("/dashboard").await.header("location"),
        "/sign-in"
    );
}

async fn a_stranger_signs_up_only_where_that_is_allowed(mut t: TestApp) {
    let mut person = Person::new(&t);
    let answer = person.sign_in(&t, "stranger").await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(person.session().is_none() && sessions(&t).await.is_empty());
    assert!(!t.sim.is_connected("stranger"), "the grant is ended");

    t.reconfigure(|config| config.dashboard.sign_up = true);
    let mut person = Person::signed_in(&t, "stranger").await;
    let page = person.page("/dashboard").await;
    assert!(
        page.contains("creator-") && page.contains("Plan: paid"),
        "{page}"
    );
    let user = sessions(&t).await[0].user_id;
    assert_ne!(user, t.actor.user_id);

    // A second account of the same person, and then a third person.
    t.sim.account("second", AccountPatch::default());
    person.sign_in(&t, "second").await;
    let rows = sessions(&t).await;
    assert_eq!((rows.len(), rows[0].user_id), (1, user));
    let page = person.page("/dashboard").await;
    assert_eq!(page.matches("<article").count(), 2, "{page}");
}

async fn a_session_ends_when_it_is_not_used_and_at_its_end(t: TestApp) {
    t.connect("creator").await;
    let mut person = Person::signed_in(&t, "creator").await;
    let day = Duration::from_secs(86_400);
    // Used every six days it lasts, until thirty are over.
    for _ in 0..4 {
        t.advance(day * 6);
        person.page("/dashboard").await;
    }
    t.advance(day * 6);
    assert_eq!(person.get("/dashboard").await.status, 303);
    assert!(sessions(&t).await.is_empty());

    let mut person = Person::signed_in(&t, "creator").await;
    t.advance(day * 7);
    assert_eq!(person.get("/dashboard").await.status, 303, "a week unused");
    assert!(sessions(&t).await.is_empty());
}

async fn whoever_leaves_is_signed_out_everywhere(mut t: TestApp) {
    t.connect("creator").await;
    let mut one = Person::signed_in(&t, "creator").await;
    let mut other = Person::signed_in(&t, "creator").await;
    assert_eq!(sessions(&t).await.len(), 2);
    erasure::delete_user(&t.app, &t.actor, "ada", "leave")
        .await
        .unwrap();
    assert!(sessions(&t).await.is_empty());
    for person in [&mut one, &mut other] {
        assert_eq!(person.get("/dashboard").await.status, 303);
    }
    t.drain().await;
}

async fn tries_to_sign_in_are_counted(t: TestApp) {
    let mut person = Person::new(&t);
    for _ in 0..user_sessions::TRIES {
        assert_eq!(person.press("/sign-in", "").await.status, 303);
    }
    let answer = person.press("/sign-in", "").await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test]
async fn nobody_is_signed_in_by_a_link_that_somebody_else_made() {
    let t = TestApp::start(Stack::Embedded).await;
    t.connect("mallory").await;
    // Mallory goes to TikTok and lets a victim follow the address of the callback.
    let mut mallory = Person::new(&t);
    let mut victim = Person::new(&t);
    victim.page("/sign-in").await;
    let path = mallory.at_tiktok(&t, "mallory", &Consent::All).await;
    let answer = victim.get(&path).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("Another browser began this"));
    assert!(victim.session().is_none() && sessions(&t).await.is_empty());
    // Neither does it help that the victim has begun something too.
    victim.at_tiktok(&t, "victim", &Consent::All).await;
    let path = mallory.at_tiktok(&t, "mallory", &Consent::All).await;
    assert_eq!(victim.get(&path).await.status, 400);
    assert!(sessions(&t).await.is_empty());
    // Once, when the account was connected.
    assert_eq!(t.calls(Endpoint::OauthExchange).len(), 1);
}

#[tokio::test]
async fn a_foreign_page_begins_and_ends_nothing() {
    let t = TestApp::start(Stack::Embedded).await;
    t.connect("creator").await;
    let mut person = Person::signed_in(&t, "creator").await;
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[],
    ] {
        for path in [
            "/sign-in",
            "/sign-out",
            "/dashboard/keys",
            "/dashboard/delete",
        ] {
            let answer = person.ask("POST", path, headers, "").await;
            assert_eq!(answer.status, 403, "{path} {headers:?}");
        }
    }
    person.page("/dashboard").await;
}

#[tokio::test]
async fn over_https_the_cookies_are_of_this_host_alone() {
    let mut t = TestApp::start(Stack::Embedded).await;
    t.reconfigure(|config| config.http.public_url = "https://clips.example".parse().unwrap());
    let answer = send(&router(&t), request("POST", "/sign-in", &[OURS], "")).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-clipqueue-consent="), "{cookie}");
    assert!(
        cookie.contains("; Secure") && cookie.contains("; Path=/;"),
        "{cookie}"
    );
}

#[tokio::test]
async fn where_there_is_no_dashboard_nobody_signs_in() {
    let t = TestApp::start_with(Stack::Embedded, &[("dashboard.enabled", "false")]).await;
    for path in ["/sign-in", "/sign-out", "/dashboard", "/dashboard/keys"] {
        let answer = send(&router(&t), request("GET", path, &[], "")).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}
