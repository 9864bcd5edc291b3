//! Asking for another try: only where it can help, once per key.

use std::time::Duration;

use clipqueue::{
    domain::{
        attempts,
        error::Code,
        operators,
        posts::{self, NewPost},
        sweep,
    },
    queue::Failure,
};
use clipqueue_entities::{PostId, job::JobState, post::PostState, post_attempt::AttemptPhase};
use sea_orm::ActiveValue::Set;
use tiktok_sim::{Endpoint, Fault, FaultKind};

use crate::support::{
    app::TestApp,
    eventually,
    flows::{HOUR, MINUTE, codes, refusals},
};

crate::on_both_stacks!(
    a_missed_post_goes_at_once,
    a_cancelled_post_goes_at_once,
    a_post_that_would_fail_again_is_refused,
    what_has_not_ended_is_refused,
    one_key_is_one_try,
    two_keys_at_once_are_one_try,
    a_retry_is_checked_like_a_new_post,
    an_operators_retry_beside_the_sweep_posts_once,
    what_another_worker_sent_to_its_end_is_not_given_up,
);

async fn retry(
    t: &TestApp,
    id: PostId,
    key: &str,
) -> clipqueue::domain::error::Result<clipqueue_entities::post::Model> {
    posts::retry(&t.app, &t.actor, id, key).await
}

async fn cancelled(t: &TestApp) -> PostId {
    let post = t.direct_post().await;
    posts::cancel(&t.app, &t.actor, post.id).await.unwrap();
    post.id
}

async fn a_missed_post_goes_at_once(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let post = t
        .post(NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::direct(account, media)
        })
        .await;
    t.advance(HOUR * 8);
    t.run_until(post.id, PostState::Missed).await;
    let again = retry(&t, post.id, "again").await.unwrap();
    assert_eq!(again.state, PostState::Scheduled);
    assert_eq!(again.publish_at, None);
    assert!(again.deadline_at > Some(t.clock.now()));
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_cancelled_post_goes_at_once(mut t: TestApp) {
    let id = cancelled(&t).await;
    let again = retry(&t, id, "again").await.unwrap();
    assert!(!again.cancel_requested);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
}

async fn a_post_that_would_fail_again_is_refused(mut t: TestApp) {
    let post = t.direct_post().await;
    t.fault(
        Endpoint::VideoInit,
        FaultKind::ApiCode {
            code: "privacy_level_option_mismatch".to_owned(),
            status: 403,
        },
    );
    t.run_until(post.id, PostState::Failed).await;
    let refused = refusals(retry(&t, post.id, "again").await);
    assert_eq!(refused[0].code, Code::WrongState);
    assert!(refused[0].message.contains("privacy_level_option_mismatch"));
    assert_eq!(t.reload(post.id).await.state, PostState::Failed);
    assert_eq!(t.jobs("upload_post").await.len(), 1);
}

async fn what_has_not_ended_is_refused(mut t: TestApp) {
    let post = t.direct_post().await;
    assert_eq!(codes(retry(&t, post.id, "a").await), [Code::WrongState]);
    t.run_until(post.id, PostState::Published).await;
    assert_eq!(codes(retry(&t, post.id, "b").await), [Code::WrongState]);
    assert_eq!(t.sim.inits().len(), 1);
}

async fn one_key_is_one_try(mut t: TestApp) {
    let id = cancelled(&t).await;
    retry(&t, id, "again").await.unwrap();
    t.run_until(id, PostState::Published).await;
    // The same key gives the post as it is now, whatever became of it.
    let same = retry(&t, id, "again").await.unwrap();
    assert_eq!(same.state, PostState::Published);
    let other = t.post(TestApp::captioned(same.account_id, same.media_id, "other"));
    let other = other.await.id;
    posts::cancel(&t.app, &t.actor, other).await.unwrap();
    assert_eq!(
        codes(retry(&t, other, "again").await),
        [Code::IdempotencyMismatch]
    );
}

async fn two_keys_at_once_are_one_try(mut t: TestApp) {
    let id = cancelled(&t).await;
    let (first, second) = tokio::join!(retry(&t, id, "one"), retry(&t, id, "two"));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 1);
}

async fn a_retry_is_checked_like_a_new_post(t: TestApp) {
    let id = cancelled(&t).await;
    t.connect_with(
        "creator",
        &tiktok_sim::Consent::Scopes(vec!["user.info.basic".to_owned()]),
    )
    .await
    .unwrap();
    assert_eq!(codes(retry(&t, id, "again").await), [Code::ScopeMissing]);
    assert_eq!(t.reload(id).await.state, PostState::Cancelled);
    // A refused try leaves no trace, so the key may be used again.
    t.connect("creator").await;
    retry(&t, id, "again").await.unwrap();
    posts::cancel(&t.app, &t.actor, id).await.unwrap();
}

async fn an_operators_retry_beside_the_sweep_posts_once(mut t: TestApp) {
    let id = t.begin_three_chunks("retried beside the sweep").await.id;
    let mut steps = t.steps();
    let (held, _) = t.claim_kind(&mut steps, "upload_post").await;
    let job = held.job().id;
    let error = anyhow::anyhow!("given up in the middle of the upload");
    let ended = steps.end(held, Err(Failure::Discard { error })).await;
    assert_eq!(ended, Some(JobState::Discarded));
    let retried = operators::retry_job(&t.app, &t.actor, job).await.unwrap();
    assert_eq!(retried.unique_key, Some(format!("upload:{id}")));

    // The worker is in the last chunk when the sweep looks for posts without a job.
    let slow = FaultKind::Stall { ms: 3_000 };
    t.sim.fault(Fault::once(Endpoint::Upload, slow).after(2));
    let (held, run) = t.claim_kind(&mut steps, "upload_post").await;
    let working = tokio::spawn(t.runner()(run));
    eventually(
        Duration::from_secs(60),
        "the last chunk is begun",
        async || {
            let attempts = t.attempts(id).await;
            (attempts[0].phase >= AttemptPhase::LastChunk).then_some(())
        },
    )
    .await;
    let quiet = t.clock.now() - MINUTE * 2;
    t.overwrite(id, |row| row.updated_at = Set(quiet)).await;
    assert_eq!(sweep::sweep(&t.app).await.unwrap().orphans, 0);
    t.drain().await;
    assert_eq!(t.jobs("upload_post").await.len(), 1);
    let ran = working.await.unwrap();
    assert_eq!(steps.end(held, ran).await, Some(JobState::Completed));
    drop(steps);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.sim.inits().len(), 1);
    assert_eq!(t.attempts(id).await.len(), 1);
}

async fn what_another_worker_sent_to_its_end_is_not_given_up(mut t: TestApp) {
    let id = t.begin_three_chunks("sent to its end").await.id;
    let mut steps = t.steps();
    let (held, _) = t.claim_kind(&mut steps, "upload_post").await;
    let lease = held.lease();
    let attempt = t.attempts(id).await.remove(0);
    // Before the commit point anybody who works on the post may give the attempt up.
    let tx = attempts::fenced_unsent(&t.app, &lease, id, None).await;
    tx.unwrap().rollback().await.unwrap();
    let begun = attempts::last_chunk_started(&t.app, &lease, &attempt).await;
    let begun = begun.unwrap().expect("nobody stopped it");
    let refused = attempts::fenced_unsent(&t.app, &lease, id, None).await;
    assert_eq!(codes(refused), [Code::WrongState]);
    // The one who sent it knows what TikTok answered.
    let tx = attempts::fenced_unsent(&t.app, &lease, id, Some(begun.id)).await;
    tx.unwrap().rollback().await.unwrap();
    // Nobody sends the last chunk beside it.
    let beside = attempts::last_chunk_started(&t.app, &lease, &attempt).await;
    assert!(beside.unwrap().is_none());
    // The next run asks instead, and TikTok says that it lacks the bytes.
    let again = Ok(clipqueue::queue::Outcome::Snooze(Duration::ZERO));
    steps.end(held, again).await;
    drop(steps);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 1);
}
