//! Posts with a time of their own: not before it, not long after it.

use std::time::Duration;

use clipqueue::domain::{
    error::Code,
    posts::{self, NewPost, PostEdit},
};
use clipqueue_entities::{Timestamp, post, post::PostState};
use tiktok_sim::{Endpoint, FaultKind};

use crate::support::{
    app::{Stack, TestApp},
    flows::{DAY, HOUR, codes, refusals},
};

crate::on_both_stacks!(
    a_post_is_sent_at_its_time_and_not_before,
    a_job_that_comes_too_early_waits_for_the_posts_time,
    a_later_time_moves_the_post,
    an_earlier_time_moves_the_post,
    no_time_means_now,
    a_time_in_the_past_or_too_far_ahead_is_refused,
    a_process_that_was_away_too_long_does_not_post,
    the_sweep_misses_what_no_worker_took,
    a_held_post_keeps_its_time,
    a_held_post_whose_time_passed_goes_on_when_the_creator_connects,
    a_time_that_changes_while_held_is_kept,
);
crate::on_both_stacks_by_hand!(a_post_within_the_late_limit_is_still_sent);

async fn scheduled(t: &TestApp, after: Duration) -> post::Model {
    let (account, media) = t.ready().await;
    t.post(NewPost {
        publish_at: Some(t.clock.now() + after),
        ..TestApp::direct(account, media)
    })
    .await
}

async fn move_to(t: &TestApp, post: &post::Model, at: Option<Timestamp>) -> post::Model {
    let edit = PostEdit {
        publish_at: Some(at),
        ..PostEdit::default()
    };
    let version = t.reload(post.id).await.version;
    posts::update(&t.app, &t.actor, post.id, version, edit)
        .await
        .unwrap()
}

fn first_init(t: &TestApp) -> Timestamp {
    Timestamp::from_millis(t.sim.inits()[0].at_ms)
}

async fn a_post_is_sent_at_its_time_and_not_before(mut t: TestApp) {
    let post = scheduled(&t, HOUR).await;
    t.pass(HOUR - Duration::from_secs(2), 10).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Scheduled);
    assert!(t.sim.inits().is_empty());
    t.pass(Duration::from_secs(2), 1).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Processing);
    t.run_until(post.id, PostState::Published).await;
    assert!(first_init(&t) >= post.publish_at.unwrap());
}

async fn a_job_that_comes_too_early_waits_for_the_posts_time(mut t: TestApp) {
    let post = scheduled(&t, HOUR).await;
    let job = t.upload_job(post.id).await;
    // As an operator's hand or a lost row may bring it about.
    let row = sea_orm::ActiveValue::Set(t.clock.now());
    use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};
    let mut early = job.into_active_model();
    early.run_at = row;
    early.update(t.app.db.write()).await.unwrap();
    t.drain().await;
    assert!(t.sim.inits().is_empty());
    t.pass(HOUR - Duration::from_secs(60), 5).await;
    assert!(t.sim.inits().is_empty());
    t.run_until(post.id, PostState::Published).await;
    assert_eq!(t.upload_job(post.id).await.attempt, 1);
}

async fn a_later_time_moves_the_post(mut t: TestApp) {
    let post = scheduled(&t, HOUR).await;
    let later = t.clock.now() + HOUR * 9;
    let moved = move_to(&t, &post, Some(later)).await;
    assert_eq!(moved.publish_at, Some(later));
    assert!(moved.deadline_at > Some(later));
    t.pass(HOUR * 9 - Duration::from_secs(60), 20).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Scheduled);
    t.run_until(post.id, PostState::Published).await;
    assert!(first_init(&t) >= later);
    assert_eq!(t.sim.inits().len(), 1);
}

async fn an_earlier_time_moves_the_post(mut t: TestApp) {
    let post = scheduled(&t, HOUR * 9).await;
    let earlier = t.clock.now() + HOUR;
    move_to(&t, &post, Some(earlier)).await;
    t.pass(HOUR, 4).await;
    t.run_until(post.id, PostState::Published).await;
    t.pass(HOUR * 9, 9).await;
    assert_eq!(t.sim.inits().len(), 1, "the first time does nothing more");
    assert_eq!(t.jobs("upload_post").await.len(), 2);
}

async fn no_time_means_now(mut t: TestApp) {
    let post = scheduled(&t, HOUR * 9).await;
    move_to(&t, &post, None).await;
    t.drain().await;
    assert_eq!(t.sim.inits().len(), 1);
    t.run_until(post.id, PostState::Published).await;
}

async fn a_time_in_the_past_or_too_far_ahead_is_refused(t: TestApp) {
    let (account, media) = t.ready().await;
    let post = scheduled(&t, HOUR).await;
    let now = t.clock.now();
    for at in [now - Duration::from_millis(1), now + DAY * 367] {
        let new = NewPost {
            publish_at: Some(at),
            ..TestApp::direct(account, media)
        };
        let refused = refusals(posts::create(&t.app, &t.actor, new, "wrong-time").await);
        assert_eq!(refused[0].field, ["input", "publishAt"]);
        assert_eq!(refused[0].code, Code::Invalid);
        let edit = PostEdit {
            publish_at: Some(Some(at)),
            ..PostEdit::default()
        };
        let edited = posts::update(&t.app, &t.actor, post.id, 1, edit).await;
        assert_eq!(codes(edited), [Code::Invalid]);
    }
    assert_eq!(t.reload(post.id).await.version, 1);
    assert_eq!(t.jobs("upload_post").await.len(), 1);
}

async fn a_process_that_was_away_too_long_does_not_post(mut t: TestApp) {
    let post = scheduled(&t, HOUR).await;
    t.advance(HOUR * 7 + Duration::from_secs(1));
    // The job runs before any sweep.
    t.drain().await;
    let missed = t.reload(post.id).await;
    assert_eq!(missed.state, PostState::Missed);
    assert!(t.sim.inits().is_empty() && missed.deadline_at.is_none());
    assert!(t.upload_job(post.id).await.state.is_final());
}

async fn the_sweep_misses_what_no_worker_took(mut t: TestApp) {
    let post = scheduled(&t, HOUR).await;
    t.fire_crons().await;
    t.app.queue.pause("uploads").await.unwrap();
    t.advance(HOUR * 6);
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Scheduled);
    t.advance(HOUR * 2);
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Missed);
    t.app.queue.resume("uploads").await.unwrap();
    t.pass(HOUR, 2).await;
    assert!(t.sim.inits().is_empty());
}

async fn a_post_within_the_late_limit_is_still_sent(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[("posts.late_limit", "10m")]).await;
    let post = scheduled(&t, HOUR).await;
    t.advance(HOUR + Duration::from_secs(599));
    t.run_until(post.id, PostState::Published).await;
    let (account, media) = (post.account_id, post.media_id);
    let late = t
        .post(NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            ..TestApp::captioned(account, media, "late")
        })
        .await;
    t.advance(HOUR + Duration::from_secs(601));
    t.run_until(late.id, PostState::Missed).await;
    assert_eq!(t.sim.inits().len(), 1);
}

/// The creator's grant ends, and we hear of it.
async fn lose_the_grant(t: &mut TestApp, post: &post::Model) {
    t.sim.expect_refusal("invalid_grant");
    t.sim.disconnect("creator", 1).unwrap();
    t.sim.expect_refusal("access_token_invalid");
    let generation = t.tokens(post.account_id).await.generation;
    clipqueue::domain::tokens::suspect(&t.app, post.account_id, generation)
        .await
        .unwrap();
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
}

async fn a_held_post_keeps_its_time(mut t: TestApp) {
    let post = scheduled(&t, HOUR * 10).await;
    lose_the_grant(&mut t, &post).await;
    t.pass(HOUR, 2).await;
    t.connect("creator").await;
    assert_eq!(t.reload(post.id).await.state, PostState::Scheduled);
    t.pass(HOUR * 8, 16).await;
    assert!(t.sim.inits().is_empty());
    t.pass(HOUR, 4).await;
    t.run_until(post.id, PostState::Published).await;
    assert!(first_init(&t) >= post.publish_at.unwrap());
    assert_eq!(t.sim.inits().len(), 1);
}

async fn a_held_post_whose_time_passed_goes_on_when_the_creator_connects(mut t: TestApp) {
    let post = scheduled(&t, HOUR).await;
    lose_the_grant(&mut t, &post).await;
    t.pass(DAY * 3, 12).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
    t.connect("creator").await;
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_time_that_changes_while_held_is_kept(mut t: TestApp) {
    let post = scheduled(&t, HOUR).await;
    lose_the_grant(&mut t, &post).await;
    // While the account is not connected an edit is refused like a new post.
    let later = Some(t.clock.now() + HOUR * 5);
    let edit = PostEdit {
        publish_at: Some(later),
        ..PostEdit::default()
    };
    let edited = posts::update(&t.app, &t.actor, post.id, 1, edit.clone()).await;
    assert_eq!(codes(edited), [Code::ReconnectRequired]);
    t.connect("creator").await;
    t.fault(
        Endpoint::VideoInit,
        FaultKind::ApiCode {
            code: "spam_risk_too_many_posts".to_owned(),
            status: 403,
        },
    );
    t.pass(HOUR, 4).await;
    let held = t.reload(post.id).await;
    assert_eq!(held.hold_reason.as_deref(), Some("creator_cap"));
    // Later than the hold.
    let later = t.clock.now() + DAY * 2;
    move_to(&t, &post, Some(later)).await;
    t.pass(DAY + HOUR, 25).await;
    assert_eq!(t.sim.inits().len(), 0);
    t.pass(DAY, 24).await;
    t.run_until(post.id, PostState::Published).await;
    assert!(first_init(&t) >= later);
}
