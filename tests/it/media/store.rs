//! The store by itself: what it takes, what it judges, what it reads back, and to whom.

use clipqueue::media::{
    Checksum, ChecksumAlgorithm, MediaError, MediaSettings, MediaState, NewUpload,
};
use futures::{StreamExt, TryStreamExt};
use media_probe::{
    Container,
    rules::{Outcome, Rule},
};
use proptest::prelude::*;
use sha1::Digest;

use super::fixture::{Fixture, append, file, settings, sha256, video_of};

#[tokio::test]
async fn a_whole_upload_is_ready_with_its_facts() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.upload(&clip).await;
    assert_eq!(media.state, MediaState::Ready);
    assert_eq!(media.sha256, Some(sha256(&clip)));
    assert_eq!(media.content_type.as_deref(), Some("video/mp4"));
    let facts = media.facts.unwrap();
    assert_eq!(facts.container, Container::Mp4);
    assert_eq!((facts.width, facts.height), (Some(720), Some(1280)));
    assert_eq!(media.verdicts.len(), 7);
    assert!(media.ready_at.is_some() && media.expires_at.is_none());
    let again = fixture.store.get(fixture.user, media.id).await.unwrap();
    assert_eq!(again.state, MediaState::Ready);
    assert_eq!(fixture.stored_files().len(), clip.len().div_ceil(4096));
}

#[tokio::test]
async fn quotas_are_reserved_before_the_first_byte() {
    let fixture = Fixture::with(MediaSettings {
        quota_bytes: 1000,
        quota_count: 3,
        max_size: 900,
        ..settings()
    })
    .await;
    let create = |size| {
        let new = NewUpload {
            size,
            ..NewUpload::default()
        };
        fixture.store.create(fixture.user, new)
    };
    assert!(matches!(create(0).await, Err(MediaError::Empty)));
    assert!(matches!(
        create(901).await,
        Err(MediaError::TooLarge { max: 900, .. })
    ));
    let first = create(600).await.unwrap();
    assert!(matches!(
        create(401).await,
        Err(MediaError::QuotaBytes { free: 400, .. })
    ));
    create(200).await.unwrap();
    create(100).await.unwrap();
    assert!(matches!(
        create(1).await,
        Err(MediaError::QuotaCount { quota: 3 })
    ));
    // Another tenant has a quota of its own.
    let other = fixture.another_user().await;
    let new = NewUpload {
        size: 900,
        ..NewUpload::default()
    };
    fixture.store.create(other, new).await.unwrap();
    fixture
        .store
        .terminate(fixture.user, first.id)
        .await
        .unwrap();
    create(700).await.unwrap();
}

#[tokio::test]
async fn announcements_at_once_cannot_share_the_last_free_bytes() {
    let fixture = Fixture::with(MediaSettings {
        quota_bytes: 1000,
        ..settings()
    })
    .await;
    let attempts = (0..8).map(|_| {
        let new = NewUpload {
            size: 400,
            ..NewUpload::default()
        };
        fixture.store.create(fixture.user, new)
    });
    let made = futures::future::join_all(attempts).await;
    assert_eq!(made.iter().filter(|result| result.is_ok()).count(), 2);
}

#[tokio::test]
async fn a_nearly_full_disk_takes_nothing_more() {
    let fixture = Fixture::with(MediaSettings {
        low_water: u64::MAX / 2,
        ..settings()
    })
    .await;
    let new = NewUpload {
        size: 10,
        ..NewUpload::default()
    };
    let error = fixture.store.create(fixture.user, new).await.unwrap_err();
    assert!(matches!(error, MediaError::StorageFull));
}

#[tokio::test]
async fn a_wrong_checksum_discards_the_bytes() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    let sum = |bytes: &[u8]| Checksum {
        algorithm: ChecksumAlgorithm::Sha1,
        digest: sha1::Sha1::digest(bytes).to_vec(),
    };
    let front = &clip[..20_000];
    let send = |offset, bytes, checksum| {
        append(
            &fixture.store,
            fixture.user,
            media.id,
            offset,
            bytes,
            Some(checksum),
        )
    };
    let error = send(0, front, sum(b"other")).await.unwrap_err();
    assert!(matches!(error, MediaError::ChecksumMismatch));
    let found = fixture.store.get(fixture.user, media.id).await.unwrap();
    assert_eq!(found.received, 0);
    assert_eq!(fixture.stored_files(), Vec::<String>::new());
    send(0, front, sum(front)).await.unwrap();
    let done = send(20_000, &clip[20_000..], sum(&clip[20_000..]))
        .await
        .unwrap();
    assert_eq!(done.media.sha256, Some(sha256(&clip)));
}

#[tokio::test]
async fn what_tiktok_would_refuse_is_rejected_and_its_bytes_go() {
    let fixture = Fixture::new().await;
    for (name, rule) in [
        ("fps15.mp4", Rule::FrameRate),
        ("narrow320.mp4", Rule::Width),
        ("mpeg4.mp4", Rule::VideoCodec),
        ("old.avi", Rule::Container),
    ] {
        let media = fixture.upload(&file(name)).await;
        assert_eq!(media.state, MediaState::Rejected, "{name}");
        let failed: Vec<Rule> = media
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Fail)
            .map(|verdict| verdict.rule)
            .collect();
        assert_eq!(failed, [rule], "{name}");
        assert!(media.rejection().is_some());
        assert!(matches!(
            fixture.store.open(fixture.user, media.id).await,
            Err(MediaError::Gone {
                state: MediaState::Rejected
            })
        ));
    }
    assert_eq!(fixture.stored_files(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_not_the_announced_one_is_rejected() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    for (sha, state) in [
        (sha256(&clip).to_uppercase(), MediaState::Ready),
        (sha256(b"another"), MediaState::Rejected),
    ] {
        let new = NewUpload {
            size: clip.len() as u64,
            sha256: Some(sha),
            ..NewUpload::default()
        };
        let media = fixture.store.create(fixture.user, new).await.unwrap();
        let done = fixture.append(media.id, 0, &clip).await.unwrap();
        assert_eq!(done.media.state, state);
    }
    let new = NewUpload {
        size: 10,
        sha256: Some("abc".to_owned()),
        ..NewUpload::default()
    };
    let error = fixture.store.create(fixture.user, new).await.unwrap_err();
    assert!(matches!(
        error,
        MediaError::Invalid {
            field: "sha256",
            ..
        }
    ));
}

#[tokio::test]
async fn another_tenant_sees_nothing() {
    let fixture = Fixture::new().await;
    let clip = file("clip.mp4");
    let ready = fixture.upload(&clip).await;
    let open = fixture.create(clip.len()).await;
    let stranger = fixture.another_user().await;
    let store = &fixture.store;
    for id in [ready.id, open.id] {
        let answers = [
            store.get(stranger, id).await.map(drop),
            store.status(stranger, id).await.map(drop),
            store.open(stranger, id).await.map(drop),
            store.terminate(stranger, id).await,
            store.delete(stranger, id).await,
            append(store, stranger, id, 0, &clip, None).await.map(drop),
        ];
        for answer in answers {
            assert!(matches!(answer, Err(MediaError::NotFound)), "{answer:?}");
        }
    }
    assert!(
        store
            .list(stranger, None, false, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let ids = [ready.id, open.id];
    assert!(store.get_many(stranger, &ids).await.unwrap().is_empty());
    assert_eq!(store.get_many(fixture.user, &ids).await.unwrap().len(), 2);
    let listed = store.list(fixture.user, None, false, 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|it| it.id).collect::<Vec<_>>(),
        [open.id, ready.id]
    );
    let rest = store
        .list(fixture.user, Some(open.id), false, 10)
        .await
        .unwrap();
    assert_eq!(rest.len(), 1);
}

#[test]
fn any_range_reads_back_what_was_sent() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bytes = video_of(300_000);
    let (fixture, reader) = runtime.block_on(async {
        let fixture = Fixture::new().await;
        let media = fixture.create(bytes.len()).await;
        // Segments of many lengths.
        let mut at = 0;
        for step in [1, 10, 4096, 5000, 8192, 70_000, 212_701] {
            fixture
                .append(media.id, at, &bytes[at..at + step])
                .await
                .unwrap();
            at += step;
        }
        let reader = fixture.store.open(fixture.user, media.id).await.unwrap();
        (fixture, reader)
    });
    assert_eq!(reader.size(), bytes.len() as u64);
    let size = bytes.len();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    runner
        .run(&(0..=size, 0..=size), |(a, b)| {
            let (start, end) = (a.min(b), a.max(b));
            let found = runtime.block_on(async {
                reader
                    .read_range(start as u64..end as u64)
                    .try_fold(Vec::new(), |mut all, piece| async move {
                        all.extend_from_slice(&piece);
                        Ok(all)
                    })
                    .await
                    .unwrap()
            });
            prop_assert!(found == bytes[start..end]);
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        let outside = reader.read_range(0..size as u64 + 1).next().await.unwrap();
        assert!(outside.is_err());
        // A segment that was damaged behind our back is an error, not a shorter file.
        let victim = fixture.stored_files().into_iter().max().unwrap();
        std::fs::write(victim, b"x").unwrap();
        let result: Result<Vec<_>, _> = reader.read_range(0..size as u64).try_collect().await;
        assert!(result.is_err());
    });
}
