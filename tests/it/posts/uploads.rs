//! Bytes on their way: faults before the last chunk are repaired in place or by a new attempt.

use std::time::Duration;

use clipqueue::{config::MediaPlace, domain::posts};
use clipqueue_entities::{MediaId, post::PostState};
use sha2::{Digest as _, Sha256};
use tiktok_sim::{Endpoint, Fault, FaultKind};

use crate::support::{
    app::TestApp,
    chunks::{SMALL_CHUNK, three_chunks},
    flows::{HOUR, long_clip},
};

crate::on_both_stacks!(
    a_middle_chunk_that_fails_is_sent_again_in_place,
    a_middle_chunk_whose_answer_was_lost_is_not_sent_twice,
    a_job_that_comes_back_goes_on_where_it_stopped,
    an_upload_address_that_ended_before_the_last_chunk_makes_a_new_attempt,
    an_upload_task_that_is_gone_makes_a_new_attempt,
    bytes_that_cannot_be_read_end_the_post_and_post_nothing,
    a_video_above_the_single_chunk_goes_in_chunks,
);

fn hex_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Hits the upload of the second chunk.
fn second_chunk(kind: FaultKind) -> Fault {
    Fault::once(Endpoint::Upload, kind).after(1)
}

async fn a_middle_chunk_that_fails_is_sent_again_in_place(mut t: TestApp) {
    let faults = [
        FaultKind::CutChunk { after_bytes: None },
        FaultKind::Status { status: 503 },
        FaultKind::LostBeforeEffect,
        FaultKind::RateLimit,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let caption = format!("chunk {number}");
        let id = t.begin_three_chunks(&caption).await.id;
        let before = t.calls(Endpoint::Upload).len();
        t.sim.fault(second_chunk(fault.clone()));
        t.drain_in_time().await;
        t.run_until(id, PostState::Published).await;
        t.assert_published_once(id).await;
        assert_eq!(t.attempts(id).await.len(), 1, "{fault:?}");
        let calls = t.calls(Endpoint::Upload).split_off(before);
        assert_eq!(calls.len(), 4, "{fault:?}: {calls:#?}");
        let upload = t.sim.uploads().pop().unwrap();
        assert_eq!(upload.sha256, Some(hex_of(three_chunks())));
        t.sim.clear_faults(None);
    }
}

async fn a_middle_chunk_whose_answer_was_lost_is_not_sent_twice(mut t: TestApp) {
    let faults = [
        FaultKind::LostAfterEffect,
        FaultKind::StatusAfterEffect { status: 502 },
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let caption = format!("lost {number}");
        let id = t.begin_three_chunks(&caption).await.id;
        t.sim.fault(second_chunk(fault.clone()));
        t.drain_in_time().await;
        t.run_until(id, PostState::Published).await;
        t.assert_published_once(id).await;
        let upload = t.sim.uploads().pop().unwrap();
        assert_eq!(upload.sha256, Some(hex_of(three_chunks())), "{fault:?}");
        t.sim.clear_faults(None);
    }
    let mismatches = t
        .calls(Endpoint::Upload)
        .into_iter()
        .filter(|call| call.status == 416);
    assert_eq!(
        mismatches.count(),
        2,
        "TikTok named the place to go on from"
    );
}

async fn a_job_that_comes_back_goes_on_where_it_stopped(mut t: TestApp) {
    let id = t.begin_three_chunks("comes back").await.id;
    t.sim
        .fault(second_chunk(FaultKind::Status { status: 500 }).times(Some(3)));
    t.drain_in_time().await;
    let post = t.reload(id).await;
    assert_eq!(post.state, PostState::Uploading);
    assert_eq!(post.bytes_sent, SMALL_CHUNK as i64);
    let progress = t
        .events(id)
        .await
        .into_iter()
        .filter(|event| event.kind == "post.progress");
    assert_eq!(progress.count(), 1);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 1);
    let first_bytes = t
        .calls(Endpoint::Upload)
        .into_iter()
        .filter(|call| call.range.is_some_and(|(first, _, _)| first == 0));
    assert_eq!(first_bytes.count(), 1, "the first chunk is not sent again");
}

async fn an_upload_address_that_ended_before_the_last_chunk_makes_a_new_attempt(mut t: TestApp) {
    let id = t.begin_three_chunks("too slow").await.id;
    t.sim
        .fault(second_chunk(FaultKind::Status { status: 500 }).times(Some(3)));
    t.drain_in_time().await;
    t.advance(HOUR);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    let attempts = t.attempts(id).await;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].outcome.as_deref(), Some("upload_url_ended"));
    assert!(attempts[0].last_chunk_at.is_none());
    assert_eq!(t.sim.inits().len(), 2);
    assert!(t.states(id).await.contains(&"preflight".to_owned()));
}

async fn an_upload_task_that_is_gone_makes_a_new_attempt(mut t: TestApp) {
    for (code, status) in [("upload_url_expired", 403), ("upload_not_found", 404)] {
        let id = t.begin_three_chunks(code).await.id;
        let kind = FaultKind::ApiCode {
            code: code.to_owned(),
            status,
        };
        t.sim.fault(second_chunk(kind));
        t.drain_in_time().await;
        t.run_until(id, PostState::Published).await;
        t.assert_published_once(id).await;
        let attempts = t.attempts(id).await;
        assert_eq!(attempts.len(), 2, "{code}");
        assert_eq!(attempts[0].error_code.as_deref(), Some(code));
        t.sim.clear_faults(None);
        t.advance(Duration::from_secs(61));
    }
}

/// Removes what is stored of a file, behind the product's back.
fn delete_stored(t: &TestApp, media: MediaId) {
    let MediaPlace::Directory(directory) = &t.app.config.media.place else {
        panic!("this stack keeps media in a directory");
    };
    let directory = directory.join("media").join(media.to_string());
    assert!(std::fs::read_dir(&directory).unwrap().count() > 0);
    std::fs::remove_dir_all(directory).unwrap();
}

async fn bytes_that_cannot_be_read_end_the_post_and_post_nothing(mut t: TestApp) {
    t.expect_discarded("upload_post");
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::direct(account, media)).await;
    delete_stored(&t, media);
    t.step_until(post.id, PostState::Failed, Duration::from_secs(300), 40)
        .await;
    let failed = t.reload(post.id).await;
    assert_eq!(failed.failure_code.as_deref(), Some("gave_up"));
    assert!(t.sim.publishes().is_empty());
    assert!(t.sim.uploads().iter().all(|upload| upload.received == 0));
    let attempts = t.attempts(post.id).await;
    assert!(t.sim.inits().len() <= attempts.len());

    // A retry cannot help either, and says so in the same way.
    posts::retry(&t.app, &t.actor, post.id, "again")
        .await
        .unwrap();
    t.step_until(post.id, PostState::Failed, Duration::from_secs(300), 40)
        .await;
}

async fn a_video_above_the_single_chunk_goes_in_chunks(mut t: TestApp) {
    let size = 66_000_001;
    let bytes: &'static [u8] = Box::leak(long_clip(size).into_boxed_slice());
    let account = t.connect("creator").await;
    let media = t.upload_bytes(bytes).await;
    let post = t.post(TestApp::direct(account.id, media)).await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    let ranges: Vec<_> = t
        .calls(Endpoint::Upload)
        .into_iter()
        .map(|call| call.range.unwrap())
        .collect();
    let total = size as u64;
    assert_eq!(
        ranges,
        [(0, 31_999_999, total), (32_000_000, 66_000_000, total)]
    );
    assert_eq!(t.sim.uploads()[0].sha256, Some(hex_of(bytes)));
    assert_eq!(t.reload(post.id).await.bytes_sent, size as i64);
}
