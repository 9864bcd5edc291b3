//! Whoever signed up with TikTok is here by their accounts alone: with the last of them they go.

use std::time::Duration;

use clipqueue::{
    domain::{
        accounts,
        actor::Scope,
        api_keys,
        erasure::{self, Status},
        library::texts,
    },
    media::NewUpload,
};
use clipqueue_entities::{UserId, erasure::ErasureState, saved_text::TextKind, user};
use sea_orm::EntityTrait as _;

use super::{Person, hidden, sessions};
use crate::{
    on_both_stacks,
    support::{app::TestApp, flows::MINUTE},
};

on_both_stacks!(
    whoever_signed_up_goes_with_the_last_account,
    whoever_has_another_way_in_stays,
    an_account_that_tiktok_ended_takes_its_user_along,
);

/// A name that nothing else in the product or the simulator has.
const CREATOR: &str = "zelda.quixote";

/// Somebody who signs up; with what they are here.
async fn signed_up(t: &mut TestApp) -> (Person, UserId) {
    t.reconfigure(|config| config.dashboard.sign_up = true);
    let person = Person::signed_in(t, CREATOR).await;
    (person, sessions(t).await[0].user_id)
}

async fn row(t: &TestApp, user: UserId) -> Option<user::Model> {
    let found = user::Entity::find_by_id(user).one(t.app.db.read()).await;
    found.unwrap()
}

/// The path of the page that asks before the only account is disconnected.
async fn asks(t: &TestApp, user: UserId) -> String {
    let account = accounts::list(&t.app, user).await.unwrap().remove(0);
    format!("/dashboard/accounts/{}/disconnect", account.id)
}

/// Presses the button of that page; gives the code of the erasure.
async fn disconnects(person: &mut Person, path: &str) -> String {
    let page = person.page(path).await;
    let key = hidden(&page, "<form method=\"post\"").to_owned();
    let answer = person.press(path, &format!("key={key}")).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let to = answer.header("location");
    to.strip_prefix("/erasure/").unwrap().to_owned()
}

async fn completed(t: &mut TestApp, code: &str) -> Status {
    for _ in 0..60 {
        t.drain().await;
        let status = erasure::by_code(&t.app, code).await.unwrap();
        if status.is_complete {
            return status;
        }
        t.advance(Duration::from_secs(30));
    }
    panic!("the erasure does not end");
}

async fn whoever_signed_up_goes_with_the_last_account(mut t: TestApp) {
    let (mut person, user) = signed_up(&mut t).await;
    let name = row(&t, user).await.unwrap().name;
    assert!(name.starts_with("creator-"), "{name}");
    // What hangs on the user alone.
    let file = NewUpload {
        size: 1_000,
        filename: Some("quixotic.mp4".to_owned()),
        ..NewUpload::default()
    };
    t.app.media.create(user, file).await.unwrap();
    let mut actor = t.actor.clone();
    actor.user_id = user;
    let text = texts::save(
        &t.app,
        &actor,
        TextKind::Caption,
        "mill".to_owned(),
        "Quixotic",
    );
    let text = text.await.unwrap();
    let more = [CREATOR, "quixotic.mp4", "Quixotic", name.as_str()];
    let identifiers = t.known_by(user, None, &more).await;
    let session = sessions(&t).await[0].id.to_string();
    for id in [session, text.id.to_string()] {
        assert!(identifiers.contains(&id), "{id}: {identifiers:?}");
    }

    let path = asks(&t, user).await;
    let page = person.page(&path).await;
    assert!(page.contains("It is your last account"), "{page}");
    let code = disconnects(&mut person, &path).await;
    let first = completed(&mut t, &code).await;
    assert!(!first.of_user);
    let follower = first.followed_by.clone().unwrap();
    let page = person.page(&format!("/erasure/{code}")).await;
    assert!(page.contains(&format!("/erasure/{follower}")), "{page}");
    let receipt = first.receipt.as_ref().unwrap().to_string();
    assert!(receipt.contains("followed_by"), "{receipt}");
    assert!(!receipt.contains(&follower), "a receipt is no key");

    let second = completed(&mut t, &follower).await;
    assert!(second.of_user && second.followed_by.is_none());
    t.assert_gone(&identifiers, &second).await;
    assert!(row(&t, user).await.is_none());
    assert!(!t.sim.is_connected(CREATOR));
    assert_eq!(person.get("/dashboard").await.status, 303);
    // Who comes back is somebody new.
    Person::signed_in(&t, CREATOR).await;
    let new = sessions(&t).await[0].user_id;
    assert_ne!(new, user);
    assert_ne!(row(&t, new).await.unwrap().name, name);
}

async fn whoever_has_another_way_in_stays(mut t: TestApp) {
    let (mut person, user) = signed_up(&mut t).await;
    person.sign_in(&t, "second").await;
    let path = asks(&t, user).await;
    assert!(!person.page(&path).await.contains("It is your last account"));
    let code = disconnects(&mut person, &path).await;
    assert_eq!(completed(&mut t, &code).await.followed_by, None);
    assert!(row(&t, user).await.is_some());

    // The other account is the last; now a key is a way in.
    let path = asks(&t, user).await;
    assert!(person.page(&path).await.contains("It is your last account"));
    api_keys::create(&t.app, user, "robot", &Scope::CREATOR, None)
        .await
        .unwrap();
    assert!(!person.page(&path).await.contains("It is your last account"));
    let code = disconnects(&mut person, &path).await;
    assert_eq!(completed(&mut t, &code).await.followed_by, None);
    assert!(row(&t, user).await.is_some());
    person.page("/dashboard").await;
}

async fn an_account_that_tiktok_ended_takes_its_user_along(mut t: TestApp) {
    let (_, user) = signed_up(&mut t).await;
    t.open_door().await;
    t.advance(MINUTE);
    t.sim.disconnect(CREATOR, 1).unwrap();
    t.delivered(1).await;
    t.drain().await;
    let (code, _, begun) = erasure::all(&t.app).await.unwrap().remove(0);
    let follower = completed(&mut t, &code).await.followed_by.unwrap();
    completed(&mut t, &follower).await;
    assert!(row(&t, user).await.is_none());
    let all = erasure::all(&t.app).await.unwrap();
    assert_eq!(all.len(), 2);
    for (_, _, row) in all {
        assert_eq!(
            (row.state, row.cause),
            (ErasureState::Completed, begun.cause)
        );
    }
}
