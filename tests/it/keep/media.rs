//! Files go when no post can need them; objects without rows and rows without objects are found; nothing
//! that a running attempt needs goes.

use std::time::Duration;

use clipqueue::{
    clock::Clock,
    domain::{
        error::Code,
        posts,
        retention::{self, Count, Depth},
    },
    media::{MediaState, NewUpload},
};
use clipqueue_entities::{
    DataExportId, MediaId, media,
    post::{self, PostState},
    post_attempt,
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use tiktok_sim::Endpoint;

use crate::support::{
    app::TestApp,
    eventually,
    flows::{DAY, HOUR, MINUTE, codes},
};

crate::on_both_stacks!(
    a_file_goes_when_every_post_that_has_it_is_long_over,
    a_file_of_a_running_attempt_stays,
    records_of_files_go_when_no_post_names_them,
    unfinished_uploads_go_and_young_ones_stay,
    objects_that_no_row_knows_go_when_they_are_old,
    files_without_objects_are_ended_unless_the_store_is_another,
    a_store_in_which_nothing_of_a_few_files_is_there_is_another_one,
    a_file_that_ends_while_a_post_is_accepted_refuses_the_post,
);

async fn state(t: &TestApp, id: MediaId) -> MediaState {
    let row = media::Entity::find_by_id(id).one(t.app.db.read()).await;
    row.unwrap().unwrap().state
}

async fn due(t: &TestApp, rule: &str) -> Count {
    let plan = retention::plan(&t.app, Depth::Objects).await.unwrap();
    plan.into_iter()
        .find(|due| due.rule.name == rule)
        .unwrap()
        .due
}

async fn pruned(t: &TestApp, rule: &str) -> u64 {
    retention::prune(&t.app).await.unwrap().of(rule)
}

async fn a_file_goes_when_every_post_that_has_it_is_long_over(mut t: TestApp) {
    let account = t.connect("creator").await.id;
    let (used, shared, unused) = (t.upload().await, t.upload().await, t.upload().await);
    let first = t.post(TestApp::captioned(account, used, "first")).await;
    t.run_until(first.id, PostState::Published).await;
    t.advance(MINUTE);
    let second = t.post(TestApp::captioned(account, shared, "second")).await;
    t.run_until(second.id, PostState::Published).await;
    let mut later = TestApp::captioned(account, shared, "third");
    later.publish_at = Some(t.clock.now() + DAY * 120);
    t.post(later).await;

    t.advance(DAY * 89);
    assert_eq!(due(&t, "media").await.count, 0);
    let young = t.upload().await;
    t.advance(DAY * 2);
    assert_eq!(due(&t, "media").await.count, 2);
    assert_eq!(
        state(&t, used).await,
        MediaState::Ready,
        "a plan changes nothing"
    );
    assert_eq!(pruned(&t, "media").await, 2);
    assert_eq!(state(&t, used).await, MediaState::Deleted);
    assert_eq!(state(&t, unused).await, MediaState::Deleted);
    assert_eq!(
        state(&t, shared).await,
        MediaState::Ready,
        "a post waits for it"
    );
    assert_eq!(state(&t, young).await, MediaState::Ready);
    assert_eq!(t.app.media.stored_objects(used).await.unwrap(), 0);
    assert!(t.app.media.stored_objects(shared).await.unwrap() > 0);
    assert_eq!(pruned(&t, "media").await, 0);
}

async fn a_file_of_a_running_attempt_stays(mut t: TestApp) {
    let post = t.begin_three_chunks("half way").await;
    t.advance(DAY * 400);
    assert_eq!(due(&t, "media").await.count, 0);
    assert_eq!(pruned(&t, "media").await, 0);
    assert_eq!(state(&t, post.media_id).await, MediaState::Ready);
    let attempt = t.attempts(post.id).await.remove(0);
    assert!(attempt.upload_url_sealed.is_some(), "{attempt:?}");
    // Even when the post was called over behind everybody's back: the attempt is open.
    t.overwrite(post.id, |row: &mut post::ActiveModel| {
        row.state = Set(PostState::Cancelled);
        row.state_since = Set(clipqueue_entities::Timestamp::from_millis(1));
    })
    .await;
    assert_eq!(pruned(&t, "media").await, 0);
    let mut closed = attempt.into_active_model();
    closed.open_key = Set(None);
    closed.update(t.app.db.write()).await.unwrap();
    assert_eq!(pruned(&t, "media").await, 1);
    let left = post_attempt::Entity::find()
        .all(t.app.db.read())
        .await
        .unwrap();
    assert_eq!(left.len(), 1, "the ledger stays");
}

async fn records_of_files_go_when_no_post_names_them(mut t: TestApp) {
    let account = t.connect("creator").await.id;
    let (used, unused) = (t.upload().await, t.upload().await);
    let post = t.post(TestApp::direct(account, used)).await;
    t.run_until(post.id, PostState::Published).await;
    for id in [used, unused] {
        t.app.media.delete(t.actor.user_id, id).await.unwrap();
    }
    t.advance(DAY * 29);
    assert_eq!(due(&t, "media_records").await.count, 0);
    t.advance(DAY * 2);
    assert_eq!(due(&t, "media_records").await.count, 1);
    assert_eq!(pruned(&t, "media_records").await, 1);
    let left = media::Entity::find().all(t.app.db.read()).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, used, "its post names it");
}

async fn unfinished_uploads_go_and_young_ones_stay(t: TestApp) {
    let announce = async || {
        let new = NewUpload {
            size: 100,
            ..NewUpload::default()
        };
        t.app.media.create(t.actor.user_id, new).await.unwrap().id
    };
    let old = announce().await;
    t.advance(HOUR * 20);
    let young = announce().await;
    t.advance(HOUR * 5);
    assert_eq!(due(&t, "unfinished_uploads").await.count, 1);
    assert_eq!(pruned(&t, "unfinished_uploads").await, 1);
    assert_eq!(state(&t, old).await, MediaState::Expired);
    assert_eq!(state(&t, young).await, MediaState::Uploading);
}

async fn objects_that_no_row_knows_go_when_they_are_old(t: TestApp) {
    let whole = t.upload().await;
    let storage = t.app.media.storage();
    // A killed writer's piece of a file, a file of an older database, an archive of nobody.
    for stray in [
        format!("media/{whole}/000000000000-stray"),
        format!("media/{}/000000000000-lost", MediaId::new()),
        format!("exports/{}/archive.zip", DataExportId::new()),
    ] {
        t.put_object(&stray).await;
    }
    // What lies beside the files, and what is not ours.
    storage
        .keep("tombstones", "x", "kept".to_owned())
        .await
        .unwrap();
    t.put_object("media/of somebody else/y").await;
    let before = storage.names().await.unwrap().len();

    assert_eq!(due(&t, "stray_objects").await.count, 0, "they are young");
    assert_eq!(pruned(&t, "stray_objects").await, 0);
    // The clock of the storage is the machine's.
    let behind = Clock::System.now().as_millis() - t.clock.now().as_millis();
    t.clock
        .advance(Duration::from_millis(behind.max(0).unsigned_abs()));
    t.clock.advance(DAY * 3);
    let due = due(&t, "stray_objects").await;
    assert_eq!(due.count, 3);
    assert!(due.oldest.is_some());
    assert_eq!(
        storage.names().await.unwrap().len(),
        before,
        "a plan changes nothing"
    );
    assert_eq!(pruned(&t, "stray_objects").await, 3);
    let left = storage.names().await.unwrap();
    assert_eq!(left.len(), before - 3, "{left:?}");
    assert!(left.iter().any(|name| name.contains("tombstones")));
    assert!(left.iter().any(|name| name.contains("somebody")));
    assert!(t.app.media.has_objects(whole).await.unwrap());
    // The walk is made once a day.
    t.put_object(&format!("media/{}/000000000000-again", MediaId::new()))
        .await;
    t.clock.advance(HOUR);
    assert_eq!(pruned(&t, "stray_objects").await, 0);
}

async fn files_without_objects_are_ended_unless_the_store_is_another(mut t: TestApp) {
    let account = t.connect("creator").await.id;
    let (needed, lost, whole) = (t.upload().await, t.upload().await, t.upload().await);
    let mut later = TestApp::direct(account, needed);
    later.publish_at = Some(t.clock.now() + DAY * 30);
    let post = t.post(later).await;
    for id in [needed, lost] {
        t.app.media.wipe(id).await.unwrap();
    }
    assert_eq!(due(&t, "lost_files").await.count, 0, "they are young");
    t.advance(DAY * 3);
    assert_eq!(due(&t, "lost_files").await.count, 2);
    assert_eq!(pruned(&t, "lost_files").await, 1);
    assert_eq!(state(&t, lost).await, MediaState::Deleted);
    assert_eq!(
        state(&t, needed).await,
        MediaState::Ready,
        "its post will say what is wrong"
    );
    assert_eq!(state(&t, whole).await, MediaState::Ready);
    posts::cancel(&t.app, &t.actor, post.id).await.unwrap();

    // An empty bucket under a full database ends nothing.
    let mut many = Vec::new();
    for _ in 0..12 {
        many.push(t.upload().await);
    }
    for id in &many {
        t.app.media.wipe(*id).await.unwrap();
    }
    t.advance(DAY * 3);
    assert!(retention::prune(&t.app).await.is_err(), "it says so");
    for id in many {
        assert_eq!(state(&t, id).await, MediaState::Ready);
    }
    t.drain().await;
}

async fn a_store_in_which_nothing_of_a_few_files_is_there_is_another_one(t: TestApp) {
    let only = t.upload().await;
    t.app.media.wipe(only).await.unwrap();
    t.advance(DAY * 3);
    assert!(retention::prune(&t.app).await.is_err(), "it says so");
    assert_eq!(state(&t, only).await, MediaState::Ready);
}

async fn a_file_that_ends_while_a_post_is_accepted_refuses_the_post(t: TestApp) {
    let (account, id) = (t.connect("creator").await.id, t.upload().await);
    let asked = t.calls(Endpoint::CreatorInfo).len();
    let tx = t.app.db.begin().await.unwrap();
    let retired = t.app.media.retire_in_tx(&tx, t.actor.user_id, id).await;
    assert!(retired.unwrap());
    let accepting = posts::create(&t.app, &t.actor, TestApp::direct(account, id), "key");
    let ending = async {
        // TikTok is asked last: by then the file was seen as it was before.
        eventually(MINUTE, "TikTok is asked", async || {
            (t.calls(Endpoint::CreatorInfo).len() > asked).then_some(())
        })
        .await;
        tx.commit().await.unwrap();
    };
    let (accepted, ()) = tokio::join!(accepting, ending);
    assert_eq!(codes(accepted), [Code::MediaNotReady]);
    let posts = post::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(posts.is_empty(), "{posts:?}");
}
