//! Who may send, from where, and how a sender ends.

use std::time::Duration;

use bytes::Bytes;
use clipqueue::media::{End, MediaError, MediaState};
use futures::channel::mpsc;

use super::fixture::{Fixture, PATIENCE, append, file, sha256};

#[tokio::test]
async fn another_process_goes_on_where_the_first_was() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    let mut offset = 0;
    for cut in [1, 4095, 4096, 4097, 100_003, 200_000] {
        let appended = fixture
            .append(media.id, offset, &clip[offset..cut])
            .await
            .unwrap();
        assert_eq!(appended.media.received, cut as u64);
        offset = cut;
    }
    let second = fixture.reopened();
    let found = second.status(fixture.user, media.id).await.unwrap();
    assert_eq!(found.received, 200_000);
    let done = append(
        &second,
        fixture.user,
        media.id,
        offset,
        &clip[offset..],
        None,
    )
    .await
    .unwrap();
    assert_eq!(done.media.state, MediaState::Ready);
    assert_eq!(done.media.sha256, Some(sha256(&clip)));
}

#[tokio::test]
async fn a_hash_that_another_version_saved_is_made_again() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    fixture.append(media.id, 0, &clip[..50_000]).await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(
        fixture.db.write(),
        "UPDATE media SET hash_state = NULL",
    )
    .await
    .unwrap();
    let done = fixture
        .append(media.id, 50_000, &clip[50_000..])
        .await
        .unwrap();
    assert_eq!(done.media.sha256, Some(sha256(&clip)));
}

#[tokio::test]
async fn offsets_must_meet() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    fixture.append(media.id, 0, &clip[..100]).await.unwrap();
    for wrong in [0, 99, 101] {
        let error = fixture.append(media.id, wrong, b"x").await.unwrap_err();
        assert!(matches!(
            error,
            MediaError::OffsetConflict { expected: 100 }
        ));
    }
    let mut long = clip[100..].to_vec();
    long.push(0);
    let error = fixture.append(media.id, 100, &long).await.unwrap_err();
    assert!(matches!(error, MediaError::BodyTooLong { .. }));
    let found = fixture.store.status(fixture.user, media.id).await.unwrap();
    let at = usize::try_from(found.received).unwrap();
    let done = fixture.append(media.id, at, &clip[at..]).await.unwrap();
    assert_eq!(done.media.sha256, Some(sha256(&clip)));
    let error = fixture.append(media.id, clip.len(), b"").await.unwrap_err();
    assert!(matches!(error, MediaError::Complete));
}

#[tokio::test]
async fn one_sender_at_a_time_and_the_silent_one_gives_way() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    let (mut send, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(0);
    let first = {
        let (store, user) = (fixture.store.clone(), fixture.user);
        tokio::spawn(async move { store.append(user, media.id, 0, None, body).await })
    };
    // A full channel of size zero says that the piece before was taken.
    for piece in clip[..10_000].chunks(1000) {
        futures::SinkExt::send(&mut send, Ok(Bytes::copy_from_slice(piece)))
            .await
            .unwrap();
    }
    let busy = fixture.append(media.id, 0, &clip).await.unwrap_err();
    assert!(matches!(busy, MediaError::Busy));
    fixture.clock.advance(Duration::from_secs(6));
    let found = fixture.store.status(fixture.user, media.id).await.unwrap();
    let stopped = tokio::time::timeout(PATIENCE, first)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(stopped.end, End::Stopped);
    assert_eq!(stopped.media.received, found.received);
    let at = usize::try_from(found.received).unwrap();
    assert!((8_192..=10_000).contains(&at), "{at}");
    let done = fixture.append(media.id, at, &clip[at..]).await.unwrap();
    assert_eq!(done.media.sha256, Some(sha256(&clip)));
}

#[tokio::test]
async fn a_silent_connection_ends_by_itself() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    let (mut send, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(0);
    let (store, user) = (fixture.store.clone(), fixture.user);
    let sender = tokio::spawn(async move { store.append(user, media.id, 0, None, body).await });
    futures::SinkExt::send(&mut send, Ok(Bytes::copy_from_slice(&clip[..5000])))
        .await
        .unwrap();
    let ended = tokio::time::timeout(PATIENCE, async {
        while !sender.is_finished() {
            fixture.clock.advance(Duration::from_secs(30));
            tokio::task::yield_now().await;
        }
        sender.await.unwrap().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(ended.end, End::Idle);
    assert_eq!(ended.media.received, 5000);
}

#[tokio::test]
async fn a_stop_of_the_process_stores_what_arrived() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    let (mut send, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(0);
    let (store, user) = (fixture.store.clone(), fixture.user);
    let sender = tokio::spawn(async move { store.append(user, media.id, 0, None, body).await });
    for piece in [&clip[..3000], &clip[3000..5000]] {
        futures::SinkExt::send(&mut send, Ok(Bytes::copy_from_slice(piece)))
            .await
            .unwrap();
    }
    tokio::time::timeout(PATIENCE, fixture.store.drain())
        .await
        .unwrap();
    let ended = sender.await.unwrap().unwrap();
    assert_eq!(ended.end, End::Stopped);
    assert!(ended.media.received >= 3000);
    let error = fixture.append(media.id, 0, &clip).await.unwrap_err();
    assert!(matches!(error, MediaError::Stopping));
}
