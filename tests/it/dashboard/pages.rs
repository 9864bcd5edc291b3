//! What the pages show and what their buttons do.

use std::time::Duration;

use clipqueue::domain::{api_keys, erasure, exports};
use clipqueue_entities::{data_export::ExportState, post::PostState};

use tower::ServiceExt as _;

use super::{Person, hidden, sessions};
use crate::{
    console::{request, router},
    on_both_stacks,
    support::app::{Stack, TestApp},
};

on_both_stacks!(
    accounts_posts_and_the_plan_are_shown,
    keys_are_made_rotated_and_revoked,
    an_account_is_disconnected_and_revoked,
    an_archive_is_asked_for_and_fetched,
    everything_is_deleted_after_a_confirmation,
);

async fn accounts_posts_and_the_plan_are_shown(mut t: TestApp) {
    let account = t.connect("creator").await;
    let media = t.upload().await;
    let post = t.post(TestApp::direct(account.id, media)).await;
    t.run_until(post.id, PostState::Published).await;
    let mut person = Person::signed_in(&t, "creator").await;
    let page = person.page("/dashboard").await;
    for word in [
        "creator",
        "connected",
        "video.publish",
        "A clip #clip",
        "published",
        "Posts today",
        "Plan: ",
    ] {
        assert!(page.contains(word), "{word}: {page}");
    }
    let page = person.page("/dashboard/posts").await;
    assert!(page.contains(&post.id.to_string()) && page.contains("direct post"));
    assert_eq!(person.get("/dashboard/nothing").await.status, 404);
}

#[tokio::test]
async fn the_frame_says_where_one_is_and_how_to_leave() {
    let t = TestApp::start(Stack::Embedded).await;
    t.connect("creator").await;
    let mut person = Person::signed_in(&t, "creator").await;
    for path in ["/dashboard", "/dashboard/posts", "/dashboard/data"] {
        let page = person.page(path).await;
        let (_, nav) = page.split_once("<nav aria-label=\"Dashboard\">").unwrap();
        let (nav, rest) = nav.split_once("</nav>").unwrap();
        assert_eq!(nav.matches("aria-current").count(), 1, "{path}: {nav}");
        let here = format!("href=\"{path}\" aria-current=\"page\"");
        assert!(nav.contains(&here), "{path}: {nav}");
        assert!(rest.contains("<a id=\"sign-out\" href=\"/sign-out\">"));
        // No script, so nothing of htmx; and nothing of operators.
        assert!(!page.contains("<script") && !page.contains("htmx") && !page.contains("/ops"));
    }
}

#[tokio::test]
async fn posts_come_page_by_page_and_nobody_elses() {
    let t = TestApp::start(Stack::Embedded).await;
    let account = t.connect("creator").await;
    let media = t.upload().await;
    for at in 0..27 {
        let mut new = TestApp::inbox(account.id, media);
        new.caption = format!("caption {at} of mine");
        t.post(new).await;
    }
    let mut person = Person::signed_in(&t, "creator").await;
    let first = person.page("/dashboard/posts").await;
    assert_eq!(first.matches(" of mine").count(), 25);
    let older = first.split("rel=\"next\" href=\"").nth(1).unwrap();
    let older = older.split('"').next().unwrap().to_owned();
    let second = person.page(&older).await;
    assert_eq!(second.matches(" of mine").count(), 2);
    assert!(second.contains("caption 0 of mine") && second.contains("rel=\"prev\""));

    let mut t = t;
    t.reconfigure(|config| config.dashboard.sign_up = true);
    let mut stranger = Person::signed_in(&t, "stranger").await;
    let page = stranger.page("/dashboard/posts").await;
    assert!(!page.contains(" of mine"), "{page}");
    let path = format!("/dashboard/accounts/{}/disconnect", account.id);
    assert_eq!(stranger.get(&path).await.status, 404);
    assert_eq!(stranger.press(&path, "key=x").await.status, 404);
    let key = t.actor.key_id.unwrap();
    for act in ["rotate", "revoke"] {
        let path = format!("/dashboard/keys/{key}/{act}");
        assert_eq!(stranger.press(&path, "key=x").await.status, 404);
    }
    assert!(api_keys::still(&t.app, key).await.unwrap().is_ok());
    let mine = sessions(&t).await;
    let mine = mine
        .iter()
        .find(|row| row.user_id == t.actor.user_id)
        .unwrap();
    let path = format!("/dashboard/sessions/{}/end", mine.id);
    assert_eq!(stranger.press(&path, "").await.status, 404);
    assert_eq!(sessions(&t).await.len(), 2);
}

async fn bytes_of(t: &TestApp, path: &str) -> Vec<u8> {
    let answer = router(t)
        .oneshot(request("GET", path, &[], ""))
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let body = axum::body::to_bytes(answer.into_body(), 4 << 20).await;
    body.unwrap().to_vec()
}

/// Runs the erasure whose page is at `path` to its end.
async fn erased(t: &mut TestApp, path: &str) {
    let code = path.strip_prefix("/erasure/").unwrap();
    for _ in 0..60 {
        t.drain().await;
        if erasure::by_code(&t.app, code).await.unwrap().is_complete {
            return;
        }
        t.advance(Duration::from_secs(30));
    }
    panic!("the erasure does not end");
}

/// The key that a page shows once.
fn fresh(page: &str) -> Option<&str> {
    let rest = page.split("id=\"fresh\" class=\"id\">").nth(1)?;
    rest.split('<').next()
}

async fn keys_are_made_rotated_and_revoked(t: TestApp) {
    t.connect("creator").await;
    let mut person = Person::signed_in(&t, "creator").await;
    let page = person.page("/dashboard/keys").await;
    assert!(
        page.contains("ops:write") && !page.contains("value=\"ops:"),
        "{page}"
    );
    let once = hidden(&page, "action=\"/dashboard/keys\"").to_owned();
    let form = format!("key={once}&name=robot&days=30&scope=posts%3Aread&scope=accounts%3Aread");
    let answer = person.press("/dashboard/keys", &form).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = fresh(&answer.body).unwrap().to_owned();
    let actor = api_keys::authenticate(&t.app, &text)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((actor.user_id, actor.scopes.len()), (t.actor.user_id, 2));
    assert!(actor.expires_at.is_some());
    // The form sent twice makes no second key, and shows nothing.
    let again = person.press("/dashboard/keys", &form).await;
    assert!(fresh(&again.body).is_none() && again.body.contains("was sent before"));
    assert_eq!(
        api_keys::list(&t.app, t.actor.user_id).await.unwrap().len(),
        2
    );
    // Nobody gets more than a tenant has.
    let greedy = "key=greedy&name=robot&scope=ops%3Awrite";
    assert_eq!(person.press("/dashboard/keys", greedy).await.status, 409);
    let none = person
        .press("/dashboard/keys", "key=none&name=robot&days=0")
        .await;
    assert_eq!(none.status, 409);

    let id = actor.key_id.unwrap();
    let rotate = format!("/dashboard/keys/{id}/rotate");
    let answer = person.press(&rotate, "key=turn").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let second = fresh(&answer.body).unwrap().to_owned();
    assert_ne!(second, text);
    for text in [&text, &second] {
        assert!(api_keys::authenticate(&t.app, text).await.unwrap().is_ok());
    }
    let new = api_keys::authenticate(&t.app, &second)
        .await
        .unwrap()
        .unwrap();
    let revoke = format!("/dashboard/keys/{}/revoke", new.key_id.unwrap());
    let answer = person.press(&revoke, "").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/dashboard/keys")
    );
    assert!(
        api_keys::authenticate(&t.app, &second)
            .await
            .unwrap()
            .is_err()
    );
    let page = person.page("/dashboard/keys").await;
    assert!(page.contains("revoked") && page.contains("replaced"));
    assert!(!page.contains(&text) && !page.contains(&second));
}

async fn an_account_is_disconnected_and_revoked(mut t: TestApp) {
    let account = t.connect("creator").await;
    t.connect("second").await;
    let mut person = Person::signed_in(&t, "creator").await;
    let path = format!("/dashboard/accounts/{}/disconnect", account.id);
    let page = person.page(&path).await;
    let key = hidden(&page, "<form method=\"post\"").to_owned();
    let answer = person.press(&path, &format!("key={key}")).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let erasure = answer.header("location").to_owned();
    assert!(erasure.starts_with("/erasure/"), "{erasure}");
    erased(&mut t, &erasure).await;
    assert!(!t.sim.is_connected("creator") && t.sim.is_connected("second"));
    // The user stays, and so does the session.
    let page = person.page("/dashboard").await;
    assert_eq!(page.matches("<article").count(), 1, "{page}");
    assert!(person.page(&erasure).await.contains("Deleted"));
}

async fn an_archive_is_asked_for_and_fetched(mut t: TestApp) {
    t.connect("creator").await;
    let mut person = Person::signed_in(&t, "creator").await;
    let page = person.page("/dashboard/data").await;
    let key = hidden(&page, "action=\"/dashboard/data/export\"").to_owned();
    let answer = person
        .press("/dashboard/data/export", &format!("key={key}"))
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/dashboard/data")
    );
    t.drain().await;
    let rows = exports::list(&t.app, t.actor.user_id).await.unwrap();
    assert_eq!((rows.len(), rows[0].state), (1, ExportState::Ready));
    let page = person.page("/dashboard/data").await;
    let link = page.split("<td><a href=\"").nth(1).unwrap();
    let link = link.split('"').next().unwrap();
    let public = t.app.config.http.public_url.as_str().trim_end_matches('/');
    let path = link.strip_prefix(public).unwrap().to_owned();
    let answer = bytes_of(&t, &path).await;
    assert!(answer.starts_with(b"PK"), "an archive");
}

async fn everything_is_deleted_after_a_confirmation(mut t: TestApp) {
    t.connect("creator").await;
    let mut person = Person::signed_in(&t, "creator").await;
    let page = person.page("/dashboard/delete").await;
    let key = hidden(&page, "<form method=\"post\"").to_owned();
    let wrong = person
        .press("/dashboard/delete", &format!("key={key}&name=eve"))
        .await;
    assert_eq!(wrong.status, 409);
    assert!(wrong.body.contains("not your name"));
    let answer = person
        .press("/dashboard/delete", &format!("key={key}&name=ada"))
        .await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let path = answer.header("location").to_owned();
    assert!(person.session().is_none() && sessions(&t).await.is_empty());
    erased(&mut t, &path).await;
    assert!(!t.sim.is_connected("creator"));
    assert!(person.page(&path).await.contains("Deleted"));
}

#[tokio::test]
async fn another_browser_is_signed_out_from_here() {
    let t = TestApp::start(Stack::Embedded).await;
    t.connect("creator").await;
    let mut lost = Person::signed_in(&t, "creator").await;
    let mut person = Person::signed_in(&t, "creator").await;
    let page = person.page("/dashboard/data").await;
    assert_eq!(page.matches("this browser").count(), 1);
    let path = page.split("action=\"/dashboard/sessions/").nth(1).unwrap();
    let id = path.split('/').next().unwrap();
    let path = format!("/dashboard/sessions/{id}/end");
    assert_eq!(person.press(&path, "").await.status, 303);
    assert_eq!(lost.get("/dashboard").await.status, 303, "it is out");
    person.page("/dashboard").await;
}
