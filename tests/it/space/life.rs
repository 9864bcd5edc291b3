//! The date on which a file is deleted: told in advance, and kept to.

use std::time::Duration;

use clipqueue::{
    config::PlanName,
    domain::{
        library::life,
        plans,
        posts::{self, NewPost},
        retention,
        uploads::{self, Announcement},
    },
    media::MediaState,
};
use clipqueue_entities::{MediaId, post::PostState};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::support::{
    app::{CLIP, TestApp},
    flows::HOUR,
};

crate::on_both_stacks!(
    a_file_is_deleted_on_the_day_that_was_told,
    a_file_that_a_post_needs_is_kept,
);

const DAY: Duration = Duration::from_secs(86_400);

async fn life_of(t: &TestApp, id: MediaId) -> life::Life {
    let lives = life::of(&t.app, t.actor.user_id, &[id]).await.unwrap();
    lives.get(&id).copied().unwrap_or_default()
}

/// Deletes what is over, as the hourly job does.
async fn sweep(t: &mut TestApp) {
    retention::prune(&t.app).await.unwrap();
}

async fn state(t: &TestApp, id: MediaId) -> MediaState {
    uploads::get(&t.app, t.actor.user_id, id)
        .await
        .unwrap()
        .state
}

async fn a_file_is_deleted_on_the_day_that_was_told(mut t: TestApp) {
    let id = t.upload().await;
    let ready = t.clock.now();
    assert_eq!(life_of(&t, id).await.purge_at, Some(ready + 90 * DAY));
    plans::set(&t.app, None, "ada", PlanName::Trial, None)
        .await
        .unwrap();
    assert_eq!(life_of(&t, id).await.purge_at, Some(ready + 14 * DAY));
    // The same bytes announced again put it off.
    t.advance(DAY);
    let again = Announcement {
        filename: "again.mp4".to_owned(),
        size: CLIP.len() as u64,
        content_type: None,
        sha256: Some(hex::encode(Sha256::digest(CLIP))),
        folder: None,
        reference: None,
    };
    let again = uploads::begin(&t.app, &t.actor, again, "again")
        .await
        .unwrap();
    assert_eq!(again.media.id, id);
    assert_eq!(life_of(&t, id).await.purge_at, Some(ready + 15 * DAY));
    t.advance(14 * DAY - HOUR);
    sweep(&mut t).await;
    assert_eq!(state(&t, id).await, MediaState::Ready);
    t.advance(HOUR);
    sweep(&mut t).await;
    assert_eq!(state(&t, id).await, MediaState::Deleted);
    assert_eq!(t.app.media.stored_objects(id).await.unwrap(), 0);
    assert_eq!(life_of(&t, id).await, life::Life::default());

    let kept = t.upload().await;
    t.reconfigure(|config| config.plans.trial.media_retention = None);
    assert_eq!(life_of(&t, kept).await.purge_at, None);
    t.advance(400 * DAY);
    sweep(&mut t).await;
    assert_eq!(state(&t, kept).await, MediaState::Ready);
}

async fn a_file_that_a_post_needs_is_kept(mut t: TestApp) {
    let (account, id) = (t.connect("ada.clips").await.id, t.upload().await);
    let new = NewPost {
        publish_at: Some(t.clock.now() + 200 * DAY),
        ..TestApp::inbox(account, id)
    };
    let post = t.post(new).await;
    let life = life_of(&t, id).await;
    assert_eq!((life.purge_at, life.needed_by), (None, 1));
    t.advance(100 * DAY);
    sweep(&mut t).await;
    assert_eq!(state(&t, id).await, MediaState::Ready);

    let cancelled = posts::cancel(&t.app, &t.actor, post.id).await.unwrap();
    assert_eq!(cancelled.state, PostState::Cancelled);
    let end = cancelled.state_since + 90 * DAY;
    assert_eq!(life_of(&t, id).await.purge_at, Some(end));
    let document =
        "{ media { edges { node { life { purgeAt neededBy } duplicateOf { id } labels } } } }";
    let (_, _, answer) = t.ask(&t.key, document, json!({})).await;
    let node = &answer["data"]["media"]["edges"][0]["node"];
    let told = chrono::DateTime::parse_from_rfc3339(node["life"]["purgeAt"].as_str().unwrap());
    assert_eq!(told.unwrap().timestamp_millis(), end.as_millis());
    assert_eq!(node["life"]["neededBy"], "0");
    t.advance(end.since(t.clock.now()));
    sweep(&mut t).await;
    assert_eq!(state(&t, id).await, MediaState::Deleted);
}
