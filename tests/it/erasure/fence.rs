//! The fence: from the commit that accepts an erasure nothing goes out any more, however late its job runs.

use std::time::Duration;

use clipqueue::{
    domain::{erasure, posts::NewPost},
    media::{MediaError, NewUpload},
};
use clipqueue_entities::{job::JobState, post::PostState};
use serde_json::json;
use tiktok_sim::{Endpoint, FaultKind};

use super::{CAPTION, receipt};
use crate::support::{app::TestApp, eventually, flows::HOUR};

crate::on_both_stacks!(
    an_upload_between_two_runs_is_not_taken_up_again,
    an_upload_under_way_never_sends_its_last_chunk,
    what_waits_ends_as_stopped,
    no_file_is_announced_behind_the_fence,
);

/// How long something may take that should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

async fn an_upload_between_two_runs_is_not_taken_up_again(mut t: TestApp) {
    let post = t.begin_three_chunks(CAPTION).await;
    // Nobody carries the erasure out for now.
    t.app.queue.pause("purge").await.unwrap();
    let accepted = erasure::disconnect(&t.app, &t.actor, post.account_id, "leave")
        .await
        .unwrap();
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Cancelled);
    assert!(t.upload_job(post.id).await.state.is_final());
    let attempt = t.attempts(post.id).await.remove(0);
    assert_eq!(attempt.outcome.as_deref(), Some("cancelled"));
    assert!(attempt.open_key.is_none() && attempt.last_chunk_at.is_none());
    assert!(t.calls(Endpoint::Upload).is_empty());
    t.app.queue.resume("purge").await.unwrap();
    let status = t.erased(&accepted).await;
    assert!(t.sim.publishes().is_empty());
    assert_eq!(receipt(&status)["handed_to_tiktok_before"], json!([]));
}

async fn an_upload_under_way_never_sends_its_last_chunk(mut t: TestApp) {
    let post = t.begin_three_chunks(CAPTION).await;
    t.app.queue.pause("purge").await.unwrap();
    // Some seconds for the whole file, so that the erasure comes between two chunks.
    t.sim
        .configure(|config| config.uploads.bytes_per_second = Some(4_000_000));
    let draining = t.drain_beside();
    eventually(PATIENCE, "the upload is under way", async || {
        (t.upload_job(post.id).await.state == JobState::Running).then_some(())
    })
    .await;
    let accepted = erasure::disconnect(&t.app, &t.actor, post.account_id, "leave")
        .await
        .unwrap();
    draining.await.unwrap();
    assert_eq!(t.reload(post.id).await.state, PostState::Cancelled);
    let attempt = t.attempts(post.id).await.remove(0);
    assert!(attempt.last_chunk_at.is_none());
    t.app.queue.resume("purge").await.unwrap();
    t.erased(&accepted).await;
    assert!(t.sim.publishes().is_empty());
}

async fn what_waits_ends_as_stopped(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let later = t
        .post(NewPost {
            publish_at: Some(t.clock.now() + HOUR * 3),
            ..TestApp::captioned(account, media, CAPTION)
        })
        .await;
    // Taken up, and waiting for a token.
    let fault = t.fault_always(Endpoint::OauthRefresh, FaultKind::Status { status: 500 });
    t.advance(HOUR * 2);
    let begun = t.post(TestApp::inbox(account, media)).await;
    t.drain().await;
    assert_eq!(t.reload(begun.id).await.state, PostState::Preflight);
    t.app.queue.pause("purge").await.unwrap();
    let accepted = erasure::disconnect(&t.app, &t.actor, account, "leave")
        .await
        .unwrap();
    t.sim.clear_faults(Some(fault));
    t.pass(HOUR * 2, 4).await;
    for id in [later.id, begun.id] {
        assert_eq!(t.reload(id).await.state, PostState::Cancelled);
        assert!(t.upload_job(id).await.state.is_final());
    }
    assert!(t.sim.inits().is_empty());
    t.app.queue.resume("purge").await.unwrap();
    t.erased(&accepted).await;
}

async fn no_file_is_announced_behind_the_fence(mut t: TestApp) {
    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    let late = NewUpload {
        size: 1_000,
        ..NewUpload::default()
    };
    // As a request does that was let in before.
    let late = t.app.media.create(t.actor.user_id, late).await;
    assert!(matches!(late, Err(MediaError::NotFound)), "{late:?}");
    t.erased(&accepted).await;
}
