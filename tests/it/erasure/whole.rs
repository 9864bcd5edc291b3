//! `deleteAccount`: the fence, and that the search finds nothing but what the receipt names.

use clipqueue::domain::{actor::Scope, api_keys, connect, erasure, error::Error, posts};
use clipqueue_entities::{notice, user};
use sea_orm::EntityTrait as _;
use tiktok_sim::Consent;

use super::{CAPTION, CREATOR, OTHER, counts, receipt};
use crate::support::app::TestApp;

crate::on_both_stacks!(
    a_deleted_user_leaves_nothing_but_what_the_receipt_names,
    nothing_acts_for_a_user_who_leaves,
    late_words_of_tiktoks_revive_nobody,
    the_search_finds_what_is_there,
);

async fn a_deleted_user_leaves_nothing_but_what_the_receipt_names(mut t: TestApp) {
    let (bob, _) = TestApp::user(&t.app, "neighbour-bob", &Scope::ALL).await;
    let (own, other) = (t.connect(CREATOR).await, t.connect(OTHER).await);
    t.busy_account(&own).await;
    let media = t.upload().await;
    t.post(TestApp::captioned(other.id, media, "Wanderlust now"))
        .await;
    // Half a file, and jobs that wait.
    let half = clipqueue::media::NewUpload {
        size: 1_000_000,
        filename: Some("quixotic-half.mp4".to_owned()),
        ..clipqueue::media::NewUpload::default()
    };
    t.app.media.create(t.actor.user_id, half).await.unwrap();
    let user = t.actor.user_id;
    let more = [CAPTION, "Quixotic", "Wanderlust", "quixotic-half.mp4"];
    let identifiers = t.known_by(user, None, &more).await;
    assert!(identifiers.len() > 20, "{identifiers:?}");

    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;

    t.assert_gone(&identifiers, &status).await;
    assert!(!t.sim.is_connected(CREATOR) && !t.sim.is_connected(OTHER));
    assert_eq!(counts(&status, "revoke")["revoked"], 2);
    assert_eq!(counts(&status, "delete_rows")["posts"], 5);
    assert_eq!(counts(&status, "delete_rows")["users"], 1);
    assert_eq!(counts(&status, "delete_media")["files"], 4);
    assert_eq!(counts(&status, "delete_media")["listed_afterwards"], 0);
    let words: Vec<&str> = status.steps.iter().map(|row| row.step.as_str()).collect();
    let all: Vec<&str> = erasure::Step::ALL.iter().map(|step| step.word()).collect();
    assert_eq!(words, all);
    let stays = receipt(&status)["stays"].to_string();
    assert!(
        stays.contains("logs") && stays.contains("tombstones"),
        "{stays}"
    );
    // The neighbour is still there.
    assert!(
        api_keys::still(&t.app, bob.key_id.unwrap())
            .await
            .unwrap()
            .is_ok()
    );

    // The same name again is another user.
    let again = api_keys::ensure_user(&t.app, "ada").await.unwrap();
    assert_ne!(again.id, user);
    assert_eq!(again.leaving_at, None);
}

async fn nothing_acts_for_a_user_who_leaves(mut t: TestApp) {
    let own = t.connect(CREATOR).await;
    let media = t.upload().await;
    let post = t.post(TestApp::captioned(own.id, media, CAPTION)).await;
    let page = connect::begin(&t.app, &t.actor, None).await.unwrap();
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();

    let shown = api_keys::authenticate(&t.app, &t.key).await.unwrap();
    assert!(shown.is_err(), "the key ended with the answer");
    let back = t
        .sim
        .consent(page.url.as_str(), CREATOR, &Consent::All)
        .unwrap();
    let query = back.split_once('?').unwrap().1.to_owned();
    assert!(connect::finish(&t.app, &query).await.is_err());
    // A request that was under way when the fence came.
    let status = t.erased(&accepted).await;
    let late = posts::create(&t.app, &t.actor, TestApp::direct(own.id, media), "late").await;
    assert!(late.is_err(), "{late:?}");
    let late = posts::get(t.app.db.read(), t.actor.user_id, post.id).await;
    assert!(matches!(late, Err(Error::NotFound)));
    assert!(t.sim.publishes().is_empty(), "what waited was never sent");
    let users = user::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(users.is_empty(), "{users:?}");
    assert!(status.is_complete);
}

async fn late_words_of_tiktoks_revive_nobody(mut t: TestApp) {
    let own = t.connect(CREATOR).await;
    t.busy_account(&own).await;
    let identifiers = t.known_by(t.actor.user_id, None, &[]).await;
    let publish_id = t.sim.inits()[0].publish_id.clone();
    t.take_notice("post.publish.complete", &own.open_id, &publish_id)
        .await;
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    t.take_notice("post.publish.failed", &own.open_id, &publish_id)
        .await;
    let status = t.erased(&accepted).await;
    t.take_notice("post.publish.inbox_delivered", &own.open_id, &publish_id)
        .await;
    t.drain().await;
    let notices = notice::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(notices.is_empty(), "{notices:?}");
    t.assert_gone(&identifiers, &status).await;
}

/// A judge that finds nothing may be blind: before the erasure it finds every identifier.
async fn the_search_finds_what_is_there(mut t: TestApp) {
    use clipqueue::domain::erasure::search::{self, Needle};
    let own = t.connect(CREATOR).await;
    t.busy_account(&own).await;
    let identifiers = t.known_by(t.actor.user_id, None, &[CAPTION]).await;
    let needle = Needle::new(identifiers.clone()).unwrap();
    let found = search::everywhere(&t.app, &needle)
        .await
        .unwrap()
        .findings();
    for text in &identifiers {
        assert!(found.iter().any(|hit| hit.identifier == *text), "{text}");
    }
    let places = |start: &str| {
        found
            .iter()
            .filter(|hit| hit.place.starts_with(start))
            .count()
    };
    assert!(places("database:posts.") > 0 && places("object:media/") > 0);
    assert!(places("transport:") > 0, "budgets name the account");
    let (named, strays) = search::judge(found.clone(), None);
    assert!(named.is_empty());
    assert_eq!(strays.len(), found.len());
}
