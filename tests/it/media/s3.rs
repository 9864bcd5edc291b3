//! Uploads into a real S3-compatible store: the same promises as in a directory.

use std::time::Duration;

use clipqueue::media::{
    Checksum, ChecksumAlgorithm, MediaError, MediaSettings, MediaState, Storage, StorageError,
};
use clipqueue_entities::post::PostState;
use futures::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, path::Path};
use sha1::Digest as _;

use super::fixture::{Fixture, append, file, settings, sha256, video_of};
use crate::support::{
    app::{Stack, TestApp},
    s3::{self, S3Server},
};

/// Two parts and a piece: a segment that goes up in parts, and one that does not.
const LARGE: usize = 11 * 1024 * 1024;

#[tokio::test]
async fn pieces_are_stored_cut_resumed_and_hashed() {
    let (server, prefix) = (s3::s3().await, s3::prefix());
    let fixture = Fixture::on_s3(server, &prefix, settings()).await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    // A connection that breaks: what arrived is kept.
    let pieces = [
        Ok(clip[..9_000].to_vec().into()),
        Err(std::io::Error::other("cut")),
    ];
    let broken = fixture
        .store
        .append(
            fixture.user,
            media.id,
            0,
            None,
            futures::stream::iter(pieces),
        )
        .await
        .unwrap();
    assert_eq!(broken.media.received, 9_000);
    // What was acknowledged is in the store, under the prefix, in whole segments.
    let keys = server.keys(&prefix).await;
    assert_eq!(keys.len(), 9_000_usize.div_ceil(4096), "{keys:?}");
    let under = format!("{prefix}/media/{}/", media.id);
    assert!(keys.iter().all(|key| key.starts_with(&under)), "{keys:?}");
    let wrong = fixture.append(media.id, 8_000, &clip[8_000..]).await;
    assert!(matches!(
        wrong,
        Err(MediaError::OffsetConflict { expected: 9_000 })
    ));
    // Another process goes on from there.
    let other = fixture.reopened();
    let done = append(&other, fixture.user, media.id, 9_000, &clip[9_000..], None)
        .await
        .unwrap();
    assert_eq!(done.media.state, MediaState::Ready);
    assert_eq!(done.media.sha256, Some(sha256(&clip)));
    let reader = other.open(fixture.user, media.id).await.unwrap();
    for range in [0..clip.len(), 4_095..4_097, 1..clip.len() - 1, 8_999..9_001] {
        let read: Vec<u8> = read(&reader, range.clone()).await;
        assert!(read == clip[range.clone()], "{range:?}");
    }
}

async fn read(reader: &clipqueue::media::Reader, range: std::ops::Range<usize>) -> Vec<u8> {
    reader
        .read_range(range.start as u64..range.end as u64)
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn large_segments_go_up_in_parts_and_come_back_by_range() {
    let (server, prefix) = (s3::s3().await, s3::prefix());
    let whole = MediaSettings {
        low_water: 0,
        ..MediaSettings::default()
    };
    let fixture = Fixture::on_s3(server, &prefix, whole).await;
    let bytes = video_of(LARGE);
    let media = fixture.upload(&bytes).await;
    assert_eq!(media.state, MediaState::Ready);
    assert_eq!(media.sha256, Some(sha256(&bytes)));
    assert_eq!(server.keys(&prefix).await.len(), 1);
    let reader = fixture.store.open(fixture.user, media.id).await.unwrap();
    assert_eq!(sha256(&read(&reader, 0..LARGE).await), sha256(&bytes));
    // Over the border of two requests.
    let border = 4 * 1024 * 1024;
    assert!(read(&reader, border - 3..border + 3).await == bytes[border - 3..border + 3]);
    // An object that was cut behind our back is an error, not a shorter file.
    let key = Path::from(server.keys(&prefix).await.remove(0));
    server
        .client()
        .put(&key, b"x".to_vec().into())
        .await
        .unwrap();
    let damaged: Result<Vec<_>, _> = reader.read_range(0..LARGE as u64).try_collect().await;
    assert!(damaged.is_err());
}

#[tokio::test]
async fn a_wrong_checksum_leaves_nothing() {
    let (server, prefix) = (s3::s3().await, s3::prefix());
    let fixture = Fixture::on_s3(server, &prefix, settings()).await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    let checksum = Checksum {
        algorithm: ChecksumAlgorithm::Sha1,
        digest: sha1::Sha1::digest(b"other").to_vec(),
    };
    let (store, user) = (&fixture.store, fixture.user);
    let error = append(store, user, media.id, 0, &clip[..20_000], Some(checksum)).await;
    assert!(matches!(error, Err(MediaError::ChecksumMismatch)));
    assert_eq!(store.get(user, media.id).await.unwrap().received, 0);
    assert_eq!(server.keys(&prefix).await, Vec::<String>::new());
}

#[tokio::test]
async fn expiry_deletion_and_refusal_take_the_bytes() {
    let (server, prefix) = (s3::s3().await, s3::prefix());
    let fixture = Fixture::on_s3(server, &prefix, settings()).await;
    let clip = file("clip.mp4");
    let ready = fixture.upload(&clip).await;
    let resting = fixture.create(clip.len()).await;
    fixture.append(resting.id, 0, &clip[..9000]).await.unwrap();
    let refused = fixture.upload(&file("fps15.mp4")).await;
    assert_eq!(refused.state, MediaState::Rejected);
    // An append that was cut down before its row was written.
    let stray = Path::from(format!("{prefix}/media/{}/000000009000-dead", resting.id));
    server
        .client()
        .put(&stray, b"never recorded".to_vec().into())
        .await
        .unwrap();
    fixture.clock.advance(Duration::from_secs(25 * 3600));
    let swept = fixture.store.sweep(10).await.unwrap();
    assert_eq!((swept.expired, swept.failed), (1, 0));
    let left = server.keys(&prefix).await;
    let of_ready = format!("{prefix}/media/{}/", ready.id);
    assert!(
        !left.is_empty() && left.iter().all(|key| key.starts_with(&of_ready)),
        "{left:?}"
    );
    fixture.store.delete(fixture.user, ready.id).await.unwrap();
    assert_eq!(server.keys(&prefix).await, Vec::<String>::new());
    // A process that died after the state changed and before the bytes went.
    fixture.upload(&clip).await;
    sea_orm::ConnectionTrait::execute_unprepared(
        fixture.db.write(),
        "UPDATE media SET state = 'deleted' WHERE state = 'ready'",
    )
    .await
    .unwrap();
    assert_eq!(fixture.store.sweep(10).await.unwrap().purged, 1);
    assert_eq!(server.keys(&prefix).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was_when_the_store_comes_back() {
    let mut server = S3Server::start().await;
    let fixture = Fixture::on_s3(&server, "down", settings()).await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    fixture.append(media.id, 0, &clip[..9_000]).await.unwrap();
    let storage = Storage::s3(&server.address("down")).unwrap();
    storage.check().await.unwrap();
    server.kill();
    let lost = fixture.append(media.id, 9_000, &clip[9_000..]).await;
    assert!(matches!(lost, Err(MediaError::Storage(_))), "{lost:?}");
    let stands = fixture.store.get(fixture.user, media.id).await.unwrap();
    assert_eq!(
        stands.received, 9_000,
        "nothing is acknowledged that is not stored"
    );
    assert!(storage.check().await.is_err());
    server.start_again().await;
    storage.check().await.unwrap();
    let done = fixture
        .append(media.id, 9_000, &clip[9_000..])
        .await
        .unwrap();
    assert_eq!(done.media.sha256, Some(sha256(&clip)));
    let reader = fixture.store.open(fixture.user, media.id).await.unwrap();
    assert!(read(&reader, 0..clip.len()).await == clip);
}

#[tokio::test]
async fn a_wrong_key_or_bucket_is_told_apart_and_shows_no_secret() {
    let server = s3::s3().await;
    let mut address = server.address("x");
    address.bucket = "nowhere".to_owned();
    let missing = Storage::s3(&address).unwrap();
    assert!(matches!(missing.check().await, Err(StorageError::Gone)));
    assert!(missing.prove().await.is_err());
    let mut address = server.address("x");
    address.secret_access_key = "not-the-key".to_owned().into();
    let strange = Storage::s3(&address).unwrap();
    for result in [strange.check().await, strange.prove().await] {
        let error = anyhow::Error::from(result.unwrap_err());
        let text = format!("{error:#} {error:?} {strange:?} {address:?}");
        assert!(!text.contains("not-the-key"), "{text}");
    }
}

crate::on_both_stacks_by_hand!(a_post_is_sent_out_of_the_bucket);

async fn a_post_is_sent_out_of_the_bucket(stack: Stack) {
    let (server, prefix) = (s3::s3().await, s3::prefix());
    let settings = server.settings(&prefix);
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let mut t = TestApp::start_with(stack, &settings).await;
    let (account, media) = t.ready().await;
    assert!(!server.keys(&prefix).await.is_empty());
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    let checks = clipqueue::http::health::run_checks(&t.app, false).await;
    let media_check = checks.iter().find(|check| check.name == "media").unwrap();
    assert!(media_check.problem.is_none(), "{media_check:?}");
}
