//! Stopping a post, in every state, and while its bytes are on their way.

use std::time::Duration;

use clipqueue::domain::posts::{self, NewPost};
use clipqueue_entities::{PostId, job::JobState, post::PostState};
use tiktok_sim::{Endpoint, Fault, FaultKind};

use crate::support::{
    app::TestApp,
    eventually,
    flows::{HOUR, MINUTE, refusals},
};

crate::on_both_stacks!(
    a_post_that_has_not_begun_is_stopped_at_once,
    a_held_post_is_stopped_at_once,
    a_post_between_two_tries_is_stopped_at_once,
    a_running_upload_stops_before_its_last_chunk,
    an_upload_that_waits_between_two_tries_of_a_chunk_stops,
    a_stop_that_comes_with_the_last_chunk_is_refused,
    what_tiktok_has_whole_cannot_be_stopped,
    what_is_over_cannot_be_stopped,
);

async fn cancel(t: &TestApp, id: PostId) -> clipqueue_entities::post::Model {
    posts::cancel(&t.app, &t.actor, id).await.unwrap()
}

/// Nothing more happens to a stopped post.
async fn stays_stopped(t: &mut TestApp, id: PostId) {
    t.pass(HOUR * 3, 6).await;
    t.fire_crons().await;
    assert_eq!(t.reload(id).await.state, PostState::Cancelled);
    assert!(t.sim.publishes().is_empty());
    assert!(t.upload_job(id).await.state.is_final());
    assert!(
        t.attempts(id)
            .await
            .iter()
            .all(|one| one.open_key.is_none())
    );
    // Again is no error.
    assert_eq!(cancel(t, id).await.state, PostState::Cancelled);
}

async fn a_post_that_has_not_begun_is_stopped_at_once(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let draft = t
        .post(NewPost {
            keep_draft: true,
            ..TestApp::direct(account, media)
        })
        .await;
    assert_eq!(cancel(&t, draft.id).await.state, PostState::Cancelled);
    let later = t
        .post(NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::direct(account, media)
        })
        .await;
    assert_eq!(cancel(&t, later.id).await.state, PostState::Cancelled);
    assert_eq!(t.upload_job(later.id).await.state, JobState::Cancelled);
    let at_once = t.post(TestApp::direct(account, media)).await;
    assert_eq!(cancel(&t, at_once.id).await.state, PostState::Cancelled);
    stays_stopped(&mut t, later.id).await;
    stays_stopped(&mut t, at_once.id).await;
    assert!(t.sim.inits().is_empty());
}

async fn a_held_post_is_stopped_at_once(mut t: TestApp) {
    let post = t.direct_post().await;
    t.fault(
        Endpoint::VideoInit,
        FaultKind::ApiCode {
            code: "spam_risk_too_many_posts".to_owned(),
            status: 403,
        },
    );
    t.run_until(post.id, PostState::Held).await;
    let stopped = cancel(&t, post.id).await;
    assert_eq!(stopped.state, PostState::Cancelled);
    assert!(stopped.hold_reason.is_none() && stopped.hold_until.is_none());
    t.advance(HOUR * 24);
    stays_stopped(&mut t, post.id).await;
}

async fn a_post_between_two_tries_is_stopped_at_once(mut t: TestApp) {
    // Between two tries of init, and waiting for a token.
    let (account, media) = t.ready().await;
    t.fault(Endpoint::VideoInit, FaultKind::Status { status: 500 });
    let post = t.post(TestApp::direct(account, media)).await;
    t.drain().await;
    assert_eq!(t.upload_job(post.id).await.state, JobState::Retryable);
    assert_eq!(cancel(&t, post.id).await.state, PostState::Cancelled);
    stays_stopped(&mut t, post.id).await;

    let fault = t.fault_always(Endpoint::OauthRefresh, FaultKind::Status { status: 500 });
    t.advance(HOUR * 2);
    let waiting = t.post(TestApp::inbox(account, media)).await;
    t.drain().await;
    assert_eq!(t.reload(waiting.id).await.state, PostState::Preflight);
    assert_eq!(cancel(&t, waiting.id).await.state, PostState::Cancelled);
    t.sim.clear_faults(Some(fault));
    stays_stopped(&mut t, waiting.id).await;

    // Between two tries of the second chunk.
    t.advance(MINUTE);
    let id = t.begin_three_chunks("second chunk").await.id;
    let failing = Fault::once(Endpoint::Upload, FaultKind::Status { status: 500 });
    let failing = t.sim.fault(failing.after(1).times(None));
    t.drain_in_time().await;
    assert_eq!(t.reload(id).await.state, PostState::Uploading);
    assert_eq!(cancel(&t, id).await.state, PostState::Cancelled);
    t.sim.clear_faults(Some(failing));
    stays_stopped(&mut t, id).await;
}

/// How long something may take that should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

async fn a_running_upload_stops_before_its_last_chunk(mut t: TestApp) {
    let id = t.begin_three_chunks("running").await.id;
    // More than a minute and a half a chunk, were it not stopped.
    t.sim
        .configure(|config| config.uploads.bytes_per_second = Some(50_000));
    let draining = t.drain_beside();
    eventually(PATIENCE, "the job runs", async || {
        (t.upload_job(id).await.state == JobState::Running).then_some(())
    })
    .await;
    let asked = cancel(&t, id).await;
    assert!(asked.cancel_requested || asked.state == PostState::Cancelled);
    tokio::time::timeout(PATIENCE, draining)
        .await
        .expect("it stops within its chunk")
        .unwrap();
    assert_eq!(t.reload(id).await.state, PostState::Cancelled);
    let states = t.states(id).await;
    assert_eq!(states.last().unwrap(), "cancelled");
    stays_stopped(&mut t, id).await;

    // It can be asked for again.
    t.sim
        .configure(|config| config.uploads.bytes_per_second = None);
    posts::retry(&t.app, &t.actor, id, "again").await.unwrap();
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
}

async fn an_upload_that_waits_between_two_tries_of_a_chunk_stops(mut t: TestApp) {
    let id = t.begin_three_chunks("waiting").await.id;
    t.fault_always(Endpoint::Upload, FaultKind::Status { status: 500 });
    // The clocks stand still, so the wait before the second try does not end.
    let draining = t.drain_beside();
    eventually(PATIENCE, "the first try failed", async || {
        (!t.calls(Endpoint::Upload).is_empty()).then_some(())
    })
    .await;
    cancel(&t, id).await;
    tokio::time::timeout(PATIENCE, draining)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(t.reload(id).await.state, PostState::Cancelled);
    stays_stopped(&mut t, id).await;
}

async fn a_stop_that_comes_with_the_last_chunk_is_refused(mut t: TestApp) {
    let post = t.direct_post().await;
    t.fault(Endpoint::Upload, FaultKind::StallAfterEffect { ms: 1_500 });
    let draining = t.drain_beside();
    eventually(PATIENCE, "the last chunk is under way", async || {
        let attempt = t.attempts(post.id).await.pop()?;
        attempt.last_chunk_at.map(|_| ())
    })
    .await;
    let refused = posts::cancel(&t.app, &t.actor, post.id).await;
    assert!(
        refusals(refused)[0]
            .message
            .contains("TikTok has the whole post")
    );
    assert!(!t.reload(post.id).await.cancel_requested);
    draining.await.unwrap();
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn what_tiktok_has_whole_cannot_be_stopped(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let direct = t.post(TestApp::direct(account, media)).await;
    let draft = t.post(TestApp::inbox(account, media)).await;
    t.run_until(direct.id, PostState::Processing).await;
    let too_late = |result| {
        let refusal = refusals(result).remove(0);
        assert!(refusal.field.is_empty());
        assert!(refusal.message.contains("delete it in the TikTok app"));
    };
    too_late(posts::cancel(&t.app, &t.actor, direct.id).await);
    t.run_until(draft.id, PostState::InInbox).await;
    too_late(posts::cancel(&t.app, &t.actor, draft.id).await);
    t.run_until(direct.id, PostState::Published).await;
    too_late(posts::cancel(&t.app, &t.actor, direct.id).await);
    assert_eq!(t.reload(direct.id).await.state, PostState::Published);
}

async fn what_is_over_cannot_be_stopped(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.fault(
        Endpoint::VideoInit,
        FaultKind::ApiCode {
            code: "invalid_params".to_owned(),
            status: 400,
        },
    );
    let failed = t.post(TestApp::direct(account, media)).await;
    t.run_until(failed.id, PostState::Failed).await;
    let missed = t.post(TestApp::direct(account, media)).await;
    t.advance(HOUR * 7);
    t.drain().await;
    for id in [failed.id, missed.id] {
        let refused = posts::cancel(&t.app, &t.actor, id).await;
        assert!(refusals(refused)[0].message.contains("ended already"));
    }
    assert_eq!(t.reload(missed.id).await.state, PostState::Missed);
}
