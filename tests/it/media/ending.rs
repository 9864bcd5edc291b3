//! How files end, and what a process that died leaves to the sweep.

use std::time::Duration;

use clipqueue::media::{MediaError, MediaState};

use super::fixture::{Fixture, file, sha256};

async fn state_of(fixture: &Fixture, id: clipqueue_entities::MediaId) -> MediaState {
    fixture.store.get(fixture.user, id).await.unwrap().state
}

#[tokio::test]
async fn an_upload_that_missed_its_last_check_gets_it() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.upload(&clip).await;
    // What a process leaves that dies between the last commit and the check.
    let unfinished = fixture.create(clip.len()).await;
    fixture
        .append(unfinished.id, 0, &clip[..clip.len() - 1])
        .await
        .unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(
        fixture.db.write(),
        "UPDATE media SET state = 'uploading', sha256 = NULL, facts = NULL WHERE state = 'ready'",
    )
    .await
    .unwrap();
    let swept = fixture.reopened().sweep(10).await.unwrap();
    assert_eq!(swept.finished, 1);
    let found = fixture.store.get(fixture.user, media.id).await.unwrap();
    assert_eq!(found.state, MediaState::Ready);
    assert_eq!(found.sha256, Some(sha256(&clip)));
    let open = state_of(&fixture, unfinished.id).await;
    assert_eq!(open, MediaState::Uploading);
}

#[tokio::test]
async fn unfinished_uploads_expire_and_finished_ones_do_not() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let ready = fixture.upload(&clip).await;
    let resting = fixture.create(clip.len()).await;
    fixture.append(resting.id, 0, &clip[..9000]).await.unwrap();
    fixture.clock.advance(Duration::from_secs(20 * 3600));
    let moving = fixture.create(clip.len()).await;
    fixture.append(moving.id, 0, &clip[..9000]).await.unwrap();
    assert_eq!(fixture.store.sweep(10).await.unwrap().expired, 0);
    fixture.clock.advance(Duration::from_secs(5 * 3600));
    let error = fixture
        .append(resting.id, 9000, &clip[9000..])
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        MediaError::Gone {
            state: MediaState::Expired
        }
    ));
    assert_eq!(fixture.store.sweep(10).await.unwrap().expired, 1);
    assert_eq!(fixture.store.sweep(10).await.unwrap().expired, 0);
    assert_eq!(state_of(&fixture, resting.id).await, MediaState::Expired);
    assert_eq!(state_of(&fixture, moving.id).await, MediaState::Uploading);
    assert_eq!(state_of(&fixture, ready.id).await, MediaState::Ready);
    let files = fixture.stored_files();
    assert!(
        !files
            .iter()
            .any(|file| file.contains(&resting.id.to_string()))
    );
    assert!(
        files
            .iter()
            .any(|file| file.contains(&ready.id.to_string()))
    );
}

#[tokio::test]
async fn deletion_takes_the_bytes_and_a_sweep_finishes_what_was_left() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.upload(&clip).await;
    assert!(matches!(
        fixture.store.terminate(fixture.user, media.id).await,
        Err(MediaError::Complete)
    ));
    fixture.store.delete(fixture.user, media.id).await.unwrap();
    assert_eq!(fixture.stored_files(), Vec::<String>::new());
    assert!(matches!(
        fixture.store.delete(fixture.user, media.id).await,
        Err(MediaError::Gone {
            state: MediaState::Deleted
        })
    ));
    // A process that died after the state changed and before the bytes went.
    let second = fixture.upload(&clip).await;
    sea_orm::ConnectionTrait::execute_unprepared(
        fixture.db.write(),
        "UPDATE media SET state = 'deleted' WHERE state = 'ready'",
    )
    .await
    .unwrap();
    assert!(!fixture.stored_files().is_empty());
    let swept = fixture.store.sweep(10).await.unwrap();
    assert_eq!(swept.purged, 1, "{}", second.id);
    assert_eq!(fixture.stored_files(), Vec::<String>::new());
    assert_eq!(fixture.store.sweep(10).await.unwrap().purged, 0);
}

#[tokio::test]
async fn what_a_killed_writer_left_goes_when_the_file_is_ready() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    fixture.append(media.id, 0, &clip[..9000]).await.unwrap();
    let dir = fixture
        .dir
        .path()
        .join("bytes/media")
        .join(media.id.to_string());
    std::fs::write(dir.join("000000009000-dead"), b"never recorded").unwrap();
    std::fs::write(dir.join("000000009000-dead#1"), b"never completed").unwrap();
    let done = fixture.append(media.id, 9000, &clip[9000..]).await.unwrap();
    assert_eq!(done.media.sha256, Some(sha256(&clip)));
    let files = fixture.stored_files();
    assert!(!files.iter().any(|file| file.contains("dead")), "{files:?}");
}

#[tokio::test]
async fn one_broken_file_does_not_stop_the_sweep() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let broken = fixture.upload(&clip).await;
    let whole = fixture.upload(&clip).await;
    sea_orm::ConnectionTrait::execute_unprepared(
        fixture.db.write(),
        "UPDATE media SET state = 'uploading' WHERE state = 'ready'",
    )
    .await
    .unwrap();
    let victim = broken.id.to_string();
    for path in fixture.stored_files() {
        if path.contains(&victim) {
            std::fs::remove_file(path).unwrap();
        }
    }
    let swept = fixture.store.sweep(10).await.unwrap();
    assert_eq!((swept.finished, swept.failed), (1, 1));
    assert_eq!(state_of(&fixture, whole.id).await, MediaState::Ready);
    assert_eq!(state_of(&fixture, broken.id).await, MediaState::Uploading);
}
