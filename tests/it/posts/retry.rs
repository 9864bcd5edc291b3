//! Asking for another try: only where it can help, once per key.

use clipqueue::domain::{
    error::Code,
    posts::{self, NewPost},
};
use clipqueue_entities::{PostId, post::PostState};
use tiktok_sim::{Endpoint, FaultKind};

use crate::support::{
    app::TestApp,
    flows::{HOUR, codes, refusals},
};

crate::on_both_stacks!(
    a_missed_post_goes_at_once,
    a_cancelled_post_goes_at_once,
    a_post_that_would_fail_again_is_refused,
    what_has_not_ended_is_refused,
    one_key_is_one_try,
    two_keys_at_once_are_one_try,
    a_retry_is_checked_like_a_new_post,
);

async fn retry(
    t: &TestApp,
    id: PostId,
    key: &str,
) -> clipqueue::domain::error::Result<clipqueue_entities::post::Model> {
    posts::retry(&t.app, &t.actor, id, key).await
}

async fn cancelled(t: &TestApp) -> PostId {
    let post = t.direct_post().await;
    posts::cancel(&t.app, &t.actor, post.id).await.unwrap();
    post.id
}

async fn a_missed_post_goes_at_once(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let post = t
        .post(NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::direct(account, media)
        })
        .await;
    t.advance(HOUR * 8);
    t.run_until(post.id, PostState::Missed).await;
    let again = retry(&t, post.id, "again").await.unwrap();
    assert_eq!(again.state, PostState::Scheduled);
    assert_eq!(again.publish_at, None);
    assert!(again.deadline_at > Some(t.clock.now()));
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_cancelled_post_goes_at_once(mut t: TestApp) {
    let id = cancelled(&t).await;
    let again = retry(&t, id, "again").await.unwrap();
    assert!(!again.cancel_requested);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
}

async fn a_post_that_would_fail_again_is_refused(mut t: TestApp) {
    let post = t.direct_post().await;
    t.fault(
        Endpoint::VideoInit,
        FaultKind::ApiCode {
            code: "privacy_level_option_mismatch".to_owned(),
            status: 403,
        },
    );
    t.run_until(post.id, PostState::Failed).await;
    let refused = refusals(retry(&t, post.id, "again").await);
    assert_eq!(refused[0].code, Code::WrongState);
    assert!(refused[0].message.contains("privacy_level_option_mismatch"));
    assert_eq!(t.reload(post.id).await.state, PostState::Failed);
    assert_eq!(t.jobs("upload_post").await.len(), 1);
}

async fn what_has_not_ended_is_refused(mut t: TestApp) {
    let post = t.direct_post().await;
    assert_eq!(codes(retry(&t, post.id, "a").await), [Code::WrongState]);
    t.run_until(post.id, PostState::Published).await;
    assert_eq!(codes(retry(&t, post.id, "b").await), [Code::WrongState]);
    assert_eq!(t.sim.inits().len(), 1);
}

async fn one_key_is_one_try(mut t: TestApp) {
    let id = cancelled(&t).await;
    retry(&t, id, "again").await.unwrap();
    t.run_until(id, PostState::Published).await;
    // The same key gives the post as it is now, whatever became of it.
    let same = retry(&t, id, "again").await.unwrap();
    assert_eq!(same.state, PostState::Published);
    let other = t.post(TestApp::captioned(same.account_id, same.media_id, "other"));
    let other = other.await.id;
    posts::cancel(&t.app, &t.actor, other).await.unwrap();
    assert_eq!(
        codes(retry(&t, other, "again").await),
        [Code::IdempotencyMismatch]
    );
}

async fn two_keys_at_once_are_one_try(mut t: TestApp) {
    let id = cancelled(&t).await;
    let (first, second) = tokio::join!(retry(&t, id, "one"), retry(&t, id, "two"));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 1);
}

async fn a_retry_is_checked_like_a_new_post(t: TestApp) {
    let id = cancelled(&t).await;
    t.connect_with(
        "creator",
        &tiktok_sim::Consent::Scopes(vec!["user.info.basic".to_owned()]),
    )
    .await
    .unwrap();
    assert_eq!(codes(retry(&t, id, "again").await), [Code::ScopeMissing]);
    assert_eq!(t.reload(id).await.state, PostState::Cancelled);
    // A refused try leaves no trace, so the key may be used again.
    t.connect("creator").await;
    retry(&t, id, "again").await.unwrap();
    posts::cancel(&t.app, &t.actor, id).await.unwrap();
}
