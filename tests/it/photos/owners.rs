//! What an owner does with photo posts: editing, stopping, taking files away.

use std::time::Duration;

use clipqueue::domain::{
    erasure,
    error::Code,
    posts::{self, PostEdit},
    uploads,
};
use clipqueue_entities::{MediaId, PostId, post::PostState};
use tiktok_sim::{Endpoint, FaultKind};

use super::gallery::{PATIENCE, attempts, direct, open, run_until, three, three_of};
use crate::support::{
    app::{Stack, TestApp},
    eventually,
    flows::{HOUR, MINUTE, codes},
};

crate::on_both_stacks_by_hand!(
    photos_can_be_put_in_another_order_until_they_go,
    a_stopped_post_is_never_fetched,
    a_photo_that_a_post_needs_cannot_be_taken_away,
    another_tenant_s_photos_are_nothing,
    photos_that_tiktok_still_fetches_can_be_stopped_there,
    photos_whose_stop_was_answered_to_nobody_are_stopped,
    photos_whose_stop_is_told_of_after_the_deadline_have_failed,
    photos_that_tiktok_has_are_not_stopped_any_more,
    photos_of_an_account_that_leaves_meanwhile_are_never_fetched,
    every_photo_of_an_account_is_looked_for,
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
    // The stop was asked for before a worker took it up.
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

/// A server that takes connections and never answers.
async fn silent() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            kept.push(connection);
        }
    });
    url
}

/// A post of photos that TikTok is fetching, and never gets.
async fn being_fetched(stack: Stack) -> (TestApp, PostId) {
    let url = silent().await;
    let settings = [
        ("http.public_url", url.as_str()),
        ("posts.processing_deadline", "30m"),
    ];
    let mut t = TestApp::start_with(stack, &settings).await;
    t.sim.configure(|config| {
        config.pulls.allow = true;
        config.pulls.loopback_http = true;
    });
    let (account, photos) = three(&t).await;
    let post = t.post(direct(account, &photos, "stopped at TikTok")).await;
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Processing);
    (t, post.id)
}

async fn photos_that_tiktok_still_fetches_can_be_stopped_there(stack: Stack) {
    let (mut t, id) = being_fetched(stack).await;
    let asked = posts::cancel(&t.app, &t.actor, id).await.unwrap();
    assert!(asked.cancel_requested);
    t.run_until(id, PostState::Cancelled).await;
    assert_eq!(t.calls(Endpoint::Cancel).len(), 1);
    let attempt = t.attempts(id).await.pop().unwrap();
    assert_eq!(attempt.outcome.as_deref(), Some("publish_cancelled"));
    assert!(t.sim.publishes().is_empty());
}

async fn photos_whose_stop_was_answered_to_nobody_are_stopped(stack: Stack) {
    let (mut t, id) = being_fetched(stack).await;
    t.fault(Endpoint::Cancel, FaultKind::LostAfterEffect);
    let silent = t.fault_always(Endpoint::Status, FaultKind::Status { status: 503 });
    t.sim.expect_refusal("publish_not_cancellable");
    posts::cancel(&t.app, &t.actor, id).await.unwrap();
    // TikTok refuses to stop twice, and does not say yet what became of it.
    t.pass(MINUTE * 10, 20).await;
    assert_eq!(t.calls(Endpoint::Cancel).len(), 2);
    assert!(!t.reload(id).await.cancel_requested);
    t.sim.clear_faults(Some(silent));
    t.run_until(id, PostState::Cancelled).await;
    assert_eq!(t.calls(Endpoint::Cancel).len(), 2);
    assert!(t.sim.publishes().is_empty());
}

async fn photos_whose_stop_is_told_of_after_the_deadline_have_failed(stack: Stack) {
    let (mut t, id) = being_fetched(stack).await;
    let silent = t.fault_always(Endpoint::Status, FaultKind::Status { status: 503 });
    posts::cancel(&t.app, &t.actor, id).await.unwrap();
    t.pass(MINUTE * 35, 35).await;
    t.fire_crons().await;
    assert_eq!(t.reload(id).await.state, PostState::Unconfirmed);
    t.sim.clear_faults(Some(silent));
    let failed = t.run_until(id, PostState::Failed).await;
    assert_eq!(failed.failure_code.as_deref(), Some("publish_cancelled"));
    assert_eq!(t.calls(Endpoint::Cancel).len(), 1);
    assert!(t.sim.publishes().is_empty());
}

async fn photos_that_tiktok_has_are_not_stopped_any_more(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let post = t.post(direct(account, &photos, "too late")).await;
    t.drain().await;
    super::gallery::pulled(&t).await;
    t.sim.expect_refusal("publish_not_cancellable");
    posts::cancel(&t.app, &t.actor, post.id).await.unwrap();
    t.advance(Duration::from_secs(5));
    t.drain().await;
    assert!(!t.reload(post.id).await.cancel_requested);
    let again = posts::cancel(&t.app, &t.actor, post.id).await;
    assert_eq!(codes(again), [Code::WrongState]);
    t.run_until(post.id, PostState::Published).await;
    assert_eq!(t.calls(Endpoint::Cancel).len(), 1);
    assert_eq!(t.appearances("too late"), 1);
}

async fn photos_of_an_account_that_leaves_meanwhile_are_never_fetched(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let post = t.post(direct(account, &photos, "leaving")).await;
    // Nobody carries the erasure out for now, and it comes between the last look at the account and init.
    t.app.queue.pause("purge").await.unwrap();
    t.fault(Endpoint::CreatorInfo, FaultKind::Stall { ms: 10_000 });
    let draining = t.drain_beside();
    eventually(PATIENCE, "TikTok is asked about the creator", async || {
        let faults = t.sim.faults();
        faults.iter().any(|fault| fault.hits > 0).then_some(())
    })
    .await;
    let accepted = erasure::disconnect(&t.app, &t.actor, account, "leave")
        .await
        .unwrap();
    draining.await.unwrap();
    assert_eq!(t.reload(post.id).await.state, PostState::Cancelled);
    assert!(t.calls(Endpoint::PhotoInit).is_empty());
    assert!(t.attempts(post.id).await.is_empty());
    t.app.queue.resume("purge").await.unwrap();
    t.erased(&accepted).await;
    assert!(t.sim.publishes().is_empty());
}

async fn every_photo_of_an_account_is_looked_for(stack: Stack) {
    let mut t = open(stack).await;
    // A name that no word of the product has.
    let (account, photos) = three_of(&t, "zelda.quixote").await;
    let at = t.clock.now() + HOUR;
    let later = |new: posts::NewPost| posts::NewPost {
        publish_at: Some(at),
        ..new
    };
    t.post(later(direct(account, &photos, "mine"))).await;
    let user = t.actor.user_id;
    let looked_for = |known: &[String]| {
        let is_known = |id: &MediaId| known.contains(&id.to_string());
        photos.iter().map(is_known).collect::<Vec<_>>()
    };
    let known = t.known_by(user, Some(account), &[]).await;
    assert_eq!(looked_for(&known), [true, true, true]);
    // What another account's post has, stays.
    let other = t.connect("second").await.id;
    t.post(later(direct(other, &photos[1..], "ours"))).await;
    let known = t.known_by(user, Some(account), &[]).await;
    assert_eq!(looked_for(&known), [true, false, false]);
    let accepted = erasure::disconnect(&t.app, &t.actor, account, "leave")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    t.assert_gone(&known, &status).await;
}
