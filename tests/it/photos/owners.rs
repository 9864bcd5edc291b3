//! What an owner does with photo posts: editing, stopping, taking files away.

use std::time::Duration;

use clipqueue::domain::{
    error::Code,
    posts::{self, PostEdit},
    uploads,
};
use clipqueue_entities::post::PostState;
use tiktok_sim::Endpoint;

use super::gallery::{attempts, direct, open, run_until, three};
use crate::support::{
    app::{Stack, TestApp},
    flows::{HOUR, codes},
};

crate::on_both_stacks_by_hand!(
    photos_can_be_put_in_another_order_until_they_go,
    a_stopped_post_is_never_fetched,
    a_photo_that_a_post_needs_cannot_be_taken_away,
    another_tenant_s_photos_are_nothing,
);

async fn photos_can_be_put_in_another_order_until_they_go(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let mut new = direct(account, &photos, "before");
    new.publish_at = Some(t.clock.now() + HOUR);
    let post = t.post(new.clone()).await;
    let mut set = new.photos.unwrap();
    set.media_ids = vec![photos[2], photos[0]];
    set.cover_index = 1;
    set.title = Some("after".to_owned());
    let edit = |photos| PostEdit {
        photos: Some(photos),
        ..PostEdit::default()
    };
    let edited = posts::update(&t.app, &t.actor, post.id, 1, edit(set.clone()))
        .await
        .unwrap();
    assert_eq!(
        (edited.media_id, edited.cover_index, edited.version),
        (photos[2], Some(1), 2)
    );
    assert!(edited.bytes_total < post.bytes_total);
    let kept = posts::photos_of(t.app.db.read(), &edited).await.unwrap();
    assert_eq!(kept, Some(set.clone()));
    set.cover_index = 2;
    let broken = posts::update(&t.app, &t.actor, post.id, 2, edit(set.clone())).await;
    assert_eq!(codes(broken), [Code::Invalid]);
    // A video stays a video.
    let video = t.upload().await;
    let mut other = TestApp::direct(account, video);
    other.keep_draft = true;
    let other = t.post(other).await;
    let turned = posts::update(&t.app, &t.actor, other.id, 1, edit(set)).await;
    assert_eq!(codes(turned), [Code::Invalid]);

    t.advance(HOUR);
    run_until(&mut t, post.id, PostState::Published).await;
    let (_, sent) = attempts(&t, post.id).await.pop().unwrap();
    let order: Vec<_> = sent.iter().map(|photo| photo.media_id).collect();
    assert_eq!(order, [photos[2], photos[0]]);
    assert_eq!(t.appearances("after"), 1);
}

async fn a_stopped_post_is_never_fetched(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let mut new = direct(account, &photos, "stopped");
    new.publish_at = Some(t.clock.now() + HOUR);
    let waiting = t.post(new).await;
    posts::cancel(&t.app, &t.actor, waiting.id).await.unwrap();
    // The worker has looked at it, and the stop comes before init.
    let begun = t.post(direct(account, &photos, "begun")).await;
    t.overwrite(begun.id, |row| {
        row.cancel_requested = sea_orm::ActiveValue::Set(true);
    })
    .await;
    t.pass(HOUR * 2, 4).await;
    for id in [waiting.id, begun.id] {
        assert_eq!(t.reload(id).await.state, PostState::Cancelled);
    }
    assert!(t.calls(Endpoint::PhotoInit).is_empty());
}

async fn a_photo_that_a_post_needs_cannot_be_taken_away(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let post = t.post(direct(account, &photos, "needed")).await;
    for photo in &photos {
        let deleted = uploads::delete(&t.app, &t.actor, *photo).await;
        assert_eq!(codes(deleted), [Code::WrongState]);
    }
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Processing);
    let deleted = uploads::delete(&t.app, &t.actor, photos[1]).await;
    assert_eq!(codes(deleted), [Code::WrongState]);
    run_until(&mut t, post.id, PostState::Published).await;
    uploads::delete(&t.app, &t.actor, photos[1]).await.unwrap();
    // A post that comes after it finds nothing, and says so.
    let late = posts::create(&t.app, &t.actor, direct(account, &photos, "late"), "late").await;
    assert_eq!(codes(late), [Code::MediaNotReady]);
}

async fn another_tenant_s_photos_are_nothing(stack: Stack) {
    let t = open(stack).await;
    let (account, photos) = three(&t).await;
    let scopes = clipqueue::domain::actor::Scope::ALL;
    let (bob, _) = TestApp::user(&t.app, "bob", &scopes).await;
    let created = posts::create(&t.app, &bob, direct(account, &photos, "bob's"), "bob").await;
    let found = codes(created);
    assert_eq!(found, [Code::NotFound; 4], "the account and each photo");
    let mut new = direct(account, &photos, "ada's");
    new.publish_at = Some(t.clock.now() + Duration::from_secs(60));
    let post = t.post(new).await;
    let other = posts::update(&t.app, &bob, post.id, 1, PostEdit::default()).await;
    assert!(matches!(
        other,
        Err(clipqueue::domain::error::Error::NotFound)
    ));
}
