//! An interrupted upload goes on from what TikTok has, not from what was noted.

use clipqueue_entities::post::PostState;
use sha2::{Digest as _, Sha256};
use tiktok_sim::{Endpoint, Fault, FaultKind};

use crate::support::{
    app::{Stack, TestApp},
    chunks::{SMALL_CHUNK, three_chunks},
};

crate::on_both_stacks_by_hand!(a_dead_worker_proves_its_lease_before_each_call_that_can_publish,);
crate::on_both_stacks!(
    a_chunk_whose_acknowledgement_was_not_noted_is_not_sent_again,
    an_upload_that_tiktok_failed_meanwhile_sends_no_more_bytes,
);

async fn a_chunk_whose_acknowledgement_was_not_noted_is_not_sent_again(mut t: TestApp) {
    let id = t.begin_three_chunks("not noted").await.id;
    // The second chunk arrives, its answer is lost, and the process dies before it hears more.
    let lost = Fault::once(Endpoint::Upload, FaultKind::LostAfterEffect).after(1);
    t.sim.fault(lost);
    let away = Fault::once(Endpoint::Upload, FaultKind::Status { status: 503 }).after(2);
    t.sim.fault(away.times(Some(2)));
    t.drain_in_time().await;
    let post = t.reload(id).await;
    assert_eq!(post.state, PostState::Uploading);
    assert_eq!(post.bytes_sent, SMALL_CHUNK as i64, "one chunk is noted");
    let before = t.calls(Endpoint::Upload).len();
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    let sent: Vec<_> = t.calls(Endpoint::Upload).split_off(before);
    assert_eq!(sent.len(), 1, "only the last chunk was missing: {sent:?}");
    assert_eq!(sent[0].range.unwrap().0, 2 * SMALL_CHUNK as u64);
    let upload = t.sim.uploads().pop().unwrap();
    assert_eq!(
        upload.sha256,
        Some(hex::encode(Sha256::digest(three_chunks())))
    );
    assert_eq!(t.sim.inits().len(), 1);
}

/// A worker whose job was given to another one calls nothing that can publish any more: neither an init
/// nor a last chunk.
async fn a_dead_worker_proves_its_lease_before_each_call_that_can_publish(stack: Stack) {
    // The pointers of the dead hold their places in a creator's lane for a while of real time.
    let mut t = TestApp::start_with(stack, &[("queue.per_creator", "1000")]).await;
    // Before init.
    let post = t.direct_post().await;
    let mut steps = t.steps();
    let (held, run) = t.claim_one(&mut steps).await;
    t.advance(std::time::Duration::from_secs(16));
    steps.rescue().await.unwrap();
    t.advance(std::time::Duration::from_secs(4));
    assert_eq!(
        steps.rescue().await.unwrap(),
        1,
        "the job is somebody else's"
    );
    let late = (t.runner())(run).await;
    assert!(late.is_err());
    assert!(t.sim.inits().is_empty(), "the late worker sent no init");
    drop(held);
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
    assert_eq!(t.sim.inits().len(), 1);

    // Before the last chunk.
    let id = t.begin_three_chunks("zombie").await.id;
    let before = t.calls(Endpoint::Upload).len();
    let mut steps = t.steps();
    let (held, run) = t.claim_kind(&mut steps, "upload_post").await;
    t.advance(std::time::Duration::from_secs(16));
    steps.rescue().await.unwrap();
    t.advance(std::time::Duration::from_secs(4));
    assert_eq!(steps.rescue().await.unwrap(), 1);
    let late = (t.runner())(run).await;
    assert!(late.is_err());
    drop(held);
    let last = t
        .calls(Endpoint::Upload)
        .split_off(before)
        .into_iter()
        .any(|call| {
            call.range
                .is_some_and(|(first, ..)| first == 2 * SMALL_CHUNK as u64)
        });
    assert!(!last, "the late worker sent no last chunk");
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 1);
}

async fn an_upload_that_tiktok_failed_meanwhile_sends_no_more_bytes(mut t: TestApp) {
    let id = t.begin_three_chunks("failed meanwhile").await.id;
    t.sim.expect_refusal("access_token_invalid");
    t.sim.expect_refusal("invalid_grant");
    t.app.queue.pause("uploads").await.unwrap();
    t.sim.disconnect("creator", 1).unwrap();
    t.connect("creator").await;
    t.app.queue.resume("uploads").await.unwrap();
    t.drain_in_time().await;
    let post = t.reload(id).await;
    assert_eq!(post.state, PostState::Failed);
    assert_eq!(post.failure_code.as_deref(), Some("auth_removed"));
    assert!(t.calls(Endpoint::Upload).is_empty(), "no byte was sent");
}
