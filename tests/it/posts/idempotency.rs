//! The same key with the same request gives the same post, in a row and at once.

use clipqueue::domain::{actor::Scope, error::Code, posts, retention};
use clipqueue_entities::{
    PostId, idempotency_key,
    post::{self, PostState},
};
use futures::future::join_all;
use sea_orm::EntityTrait as _;

use crate::support::{
    app::TestApp,
    flows::{DAY, codes, refusals},
};

crate::on_both_stacks!(
    a_repeated_request_gives_the_same_post,
    a_key_is_for_one_request_only,
    requests_at_once_with_one_key_make_one_post,
    a_refused_request_does_not_use_up_its_key,
    keys_of_two_users_do_not_meet,
    a_key_lives_as_long_as_its_post,
);

async fn a_repeated_request_gives_the_same_post(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let new = TestApp::direct(account, media);
    let first = posts::create(&t.app, &t.actor, new.clone(), "key")
        .await
        .unwrap();
    t.run_until(first.id, PostState::Published).await;
    let again = posts::create(&t.app, &t.actor, new, "key").await.unwrap();
    assert_eq!(again.id, first.id);
    assert_eq!(again.state, PostState::Published, "the post as it is now");
    t.drain().await;
    assert_eq!(t.sim.inits().len(), 1);
}

async fn a_key_is_for_one_request_only(t: TestApp) {
    let (account, media) = t.ready().await;
    let new = TestApp::direct(account, media);
    let first = posts::create(&t.app, &t.actor, new.clone(), "key")
        .await
        .unwrap();
    let mut others = Vec::new();
    let mut other = new.clone();
    other.caption.push('!');
    others.push(other);
    let mut other = new.clone();
    other.publish_at = Some(t.clock.now());
    others.push(other);
    others.push(TestApp::inbox(account, media));
    for other in others {
        let refused = refusals(posts::create(&t.app, &t.actor, other, "key").await);
        assert_eq!(refused[0].code, Code::IdempotencyMismatch);
        assert_eq!(refused[0].field, ["input", "idempotencyKey"]);
    }
    // Another operation with the same key is another request too.
    posts::cancel(&t.app, &t.actor, first.id).await.unwrap();
    let retried = posts::retry(&t.app, &t.actor, first.id, "key").await;
    assert_eq!(codes(retried), [Code::IdempotencyMismatch]);
    for wrong in ["", "with space", "ünï", &"k".repeat(201)] {
        let created = posts::create(&t.app, &t.actor, new.clone(), wrong).await;
        assert_eq!(codes(created), [Code::Invalid], "{wrong:?}");
    }
}

async fn requests_at_once_with_one_key_make_one_post(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let new = TestApp::direct(account, media);
    let calls = (0..5).map(|_| posts::create(&t.app, &t.actor, new.clone(), "key"));
    let made: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(made.iter().all(|post| post.id == made[0].id));
    let mut other = new.clone();
    other.caption = "other".to_owned();
    let (one, two) = tokio::join!(
        posts::create(&t.app, &t.actor, new, "second"),
        posts::create(&t.app, &t.actor, other, "second")
    );
    assert!(one.is_ok() != two.is_ok());
    let (made_last, refused) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(codes(refused), [Code::IdempotencyMismatch]);
    posts::cancel(&t.app, &t.actor, made_last.unwrap().id)
        .await
        .unwrap();
    t.run_until(made[0].id, PostState::Published).await;
    assert_eq!(t.sim.inits().len(), 1);
    assert_eq!(t.jobs("upload_post").await.len(), 2);
}

async fn a_refused_request_does_not_use_up_its_key(t: TestApp) {
    let (account, media) = t.ready().await;
    let mut new = TestApp::direct(account, media);
    new.creator_consent = false;
    let refused = posts::create(&t.app, &t.actor, new.clone(), "key").await;
    assert_eq!(codes(refused), [Code::ConsentRequired]);
    new.creator_consent = true;
    let post = posts::create(&t.app, &t.actor, new, "key").await.unwrap();
    posts::cancel(&t.app, &t.actor, post.id).await.unwrap();
}

async fn keys_of_two_users_do_not_meet(t: TestApp) {
    let (account, media) = t.ready().await;
    let new = TestApp::direct(account, media);
    let post = posts::create(&t.app, &t.actor, new.clone(), "key")
        .await
        .unwrap();
    let (eve, _) = TestApp::user(&t.app, "eve", &Scope::ALL).await;
    let hers = posts::create(&t.app, &eve, new, "key").await;
    assert_eq!(codes(hers), [Code::NotFound, Code::NotFound]);
    posts::cancel(&t.app, &t.actor, post.id).await.unwrap();
}

async fn a_key_lives_as_long_as_its_post(t: TestApp) {
    let (account, media) = t.ready().await;
    let mut new = TestApp::direct(account, media);
    new.publish_at = Some(t.clock.now() + DAY * 300);
    let first = posts::create(&t.app, &t.actor, new.clone(), "key")
        .await
        .unwrap();
    let mut rows = Vec::new();
    for number in 0..2 {
        let mut row = new.clone();
        row.caption = format!("row {number}");
        rows.push(row);
    }
    let many = async || {
        posts::create_many(&t.app, &t.actor, rows.clone(), true, false, "many")
            .await
            .unwrap()
    };
    many().await;
    let count = async || posts_of(&t).await.len();
    assert_eq!(count().await, 3);
    t.advance(DAY * 200);
    retention::prune(&t.app).await.unwrap();
    let again = posts::create(&t.app, &t.actor, new, "key").await.unwrap();
    assert_eq!(again.id, first.id);
    many().await;
    assert_eq!(count().await, 3, "nothing is made twice");

    // And a while longer: the answer to the last request may have been lost.
    for id in posts_of(&t).await {
        posts::cancel(&t.app, &t.actor, id).await.unwrap();
    }
    let keys = async || {
        let rows = idempotency_key::Entity::find().all(t.app.db.read()).await;
        rows.unwrap()
            .iter()
            .filter(|row| ["key", "many"].contains(&row.key.as_str()))
            .count()
    };
    t.advance(DAY * 29);
    retention::prune(&t.app).await.unwrap();
    assert_eq!(keys().await, 2);
    t.advance(DAY * 2);
    retention::prune(&t.app).await.unwrap();
    assert_eq!(keys().await, 0);
}

async fn posts_of(t: &TestApp) -> Vec<PostId> {
    post::Entity::find()
        .all(t.app.db.read())
        .await
        .unwrap()
        .into_iter()
        .map(|post| post.id)
        .collect()
}
