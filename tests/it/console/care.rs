//! An operator's word on a post, and the pages of erasures and of what is deleted by age.

use clipqueue::domain::erasure;
use clipqueue_entities::post::{self, PostState};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _};

use super::Desk;
use crate::{on_both_stacks, support::app::TestApp};

on_both_stacks!(
    an_operator_says_what_became_of_a_post,
    an_erasure_is_seen_from_its_request_to_its_end,
    what_is_deleted_by_age_is_shown,
);

/// The value of the hidden field of that name.
fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let rest = page.split_once(&field).unwrap().1;
    rest.split_once('"').unwrap().0.to_owned()
}

async fn put_in(t: &TestApp, post: post::Model, state: PostState) {
    let mut row = post.into_active_model();
    row.state = Set(state);
    row.update(t.app.db.write()).await.unwrap();
}

async fn an_operator_says_what_became_of_a_post(t: TestApp) {
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::direct(account, media)).await;
    let desk = Desk::open(&t, &t.key).await;
    let path = format!("/ops/posts/{}", post.id);
    let act = format!("{path}/settle");
    assert!(!desk.page(&path).await.contains("/settle"), "nobody doubts");
    put_in(&t, post.clone(), PostState::Unconfirmed).await;
    let key = hidden(&desk.page(&path).await, "key");

    for (form, said) in [
        ("", "Choose whether it is on the profile"),
        ("posted=yes", "how you know"),
        ("posted=yes&reason=seen&share_url=ftp%3A%2F%2Fx", "shareUrl"),
        ("posted=no&reason=looked", "a quarter of an hour"),
    ] {
        let answer = desk.press(&act, &format!("key={key}&{form}")).await;
        assert_eq!(answer.status, 409, "{form}: {}", answer.body);
        if said != "shareUrl" {
            assert!(answer.body.contains(said), "{form}: {}", answer.body);
        }
        assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    }
    let form = format!("key={key}&posted=yes&reason=seen+on+the+profile");
    for _ in 0..2 {
        let answer = desk.press(&act, &form).await;
        assert_eq!((answer.status, answer.header("location")), (303, &*path));
    }
    assert_eq!(t.reload(post.id).await.state, PostState::Published);
    let page = desk.page(&path).await;
    assert!(page.contains("An operator acted") && !page.contains("/settle"));
    let audit = desk.page("/ops/audit").await;
    assert!(audit.contains("seen on the profile"), "{audit}");
    // The key is spent, and another post is another act.
    let other = format!("/ops/posts/{account}/settle");
    assert_eq!(desk.press(&other, &form).await.status, 409);
    let form = "key=another&posted=yes&reason=seen";
    assert_eq!(desk.press(&other, form).await.status, 404);
}

async fn an_erasure_is_seen_from_its_request_to_its_end(mut t: TestApp) {
    let (account, _) = t.ready().await;
    let desk = Desk::open(&t, &t.key).await;
    let list = desk.page("/ops/erasures").await;
    assert!(list.contains("Nobody has asked to be erased"));
    let accepted = erasure::disconnect(&t.app, &t.actor, account, "leave")
        .await
        .unwrap();
    let path = format!("/ops/erasures/{}", accepted.erasure.id);
    let list = desk.page("/ops/erasures").await;
    assert!(list.contains(&path) && list.contains("running"), "{list}");
    let page = desk.page(&path).await;
    assert!(page.contains("not yet") && page.contains(&account.to_string()));
    t.erased(&accepted).await;
    let page = desk.page(&path).await;
    assert!(page.contains("completed") && !page.contains("not yet"));
    assert!(page.contains("revoked"), "{page}");
    let list = desk.page("/ops/erasures").await;
    for page in [page, list] {
        assert!(!page.contains(&account.to_string()), "it names whom it was");
        assert!(!page.contains(&accepted.code), "the code is the person's");
    }
    assert_eq!(desk.get("/ops/erasures/none").await.status, 404);
}

async fn what_is_deleted_by_age_is_shown(t: TestApp) {
    let upload = t.upload().await;
    let desk = Desk::open(&t, &t.key).await;
    let page = desk.page("/ops/retention").await;
    let files = |page: &str| {
        let rest = page.split_once("<td>media<br>").unwrap().1;
        let row = rest.split_once("</tr>").unwrap().0;
        let numbers = row.split("num\">").skip(1);
        let numbers = numbers.map(|text| text.split_once('<').unwrap().0.to_owned());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(files(&page), ["0", "0"], "{page}");
    t.advance(std::time::Duration::from_secs(400 * 86_400));
    let desk = Desk::open(&t, &t.key).await;
    assert_eq!(files(&desk.page("/ops/retention").await), ["1", "0"]);
    assert!(t.app.media.get(t.actor.user_id, upload).await.is_ok());
    clipqueue::domain::retention::prune(&t.app).await.unwrap();
    assert_eq!(files(&desk.page("/ops/retention").await), ["0", "1"]);
}
