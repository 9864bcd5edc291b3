//! Posts that could not be sent at their time: each by its own rule, and each MISSED with a notice.

use std::time::Duration;

use clipqueue::domain::{
    error::Code,
    lateness::{LATE, Late},
    next_action::{self, NextActor},
    posts::{self, NewPost, PostEdit},
    sweep,
};
use clipqueue_entities::{
    PostId, post,
    post::{LatePolicy, PostState},
};

use sea_orm::ActiveValue::Set;
use tiktok_sim::{Endpoint, FaultKind};

use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR, MINUTE, codes, refusals},
};

crate::on_both_stacks!(
    post_now_goes_however_late,
    within_counts_from_the_posts_time_and_misses_with_a_notice,
    within_counts_while_the_creator_keeps_it_waiting,
    within_ends_a_hold_at_its_own_limit,
    within_holds_for_an_upload_that_takes_too_long,
    post_now_outlives_an_upload_that_was_given_up,
    hold_waits_for_its_owner_who_releases_it,
    the_sweep_holds_what_no_worker_took,
    a_late_post_goes_at_another_time_or_is_cancelled,
    a_missed_post_can_be_tried_again_whatever_its_rule,
    a_late_post_that_nobody_releases_is_missed,
    a_rule_can_be_changed,
    a_rule_without_sense_is_refused,
    only_a_late_post_can_be_released,
);

const POST_NOW: Late = Late {
    policy: LatePolicy::PostNow,
    within_s: None,
};
const HOLD: Late = Late {
    policy: LatePolicy::Hold,
    within_s: None,
};

fn within(time: Duration) -> Late {
    Late {
        policy: LatePolicy::Within,
        within_s: i64::try_from(time.as_secs()).ok(),
    }
}

/// A post that is due in an hour.
async fn due_soon(t: &TestApp, late: Late) -> post::Model {
    let (account, media) = t.ready().await;
    t.post(NewPost {
        publish_at: Some(t.clock.now() + HOUR),
        late: Some(late),
        ..TestApp::direct(account, media)
    })
    .await
}

/// Nothing runs for so long.
fn asleep(t: &TestApp, time: Duration) {
    t.advance(time);
}

/// The newest event of a post, as a subscription sees it.
async fn last_event(t: &TestApp, post: &post::Model) -> serde_json::Value {
    t.events(post.id).await.pop().unwrap().data
}

async fn post_now_goes_however_late(mut t: TestApp) {
    let post = due_soon(&t, POST_NOW).await;
    asleep(&t, DAY * 9);
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn within_counts_from_the_posts_time_and_misses_with_a_notice(mut t: TestApp) {
    let post = due_soon(&t, within(HOUR * 2)).await;
    let due = post.publish_at.unwrap();
    assert_eq!(post.deadline_at, Some(due + HOUR * 2));
    asleep(&t, HOUR * 3 + Duration::from_secs(1));
    t.drain().await;
    let missed = t.reload(post.id).await;
    assert_eq!(missed.state, PostState::Missed);
    assert_eq!(missed.failure_code.as_deref(), Some("too_late"));
    let message = missed.failure_message.clone().unwrap();
    assert!(message.contains("Retry it"), "{message}");
    let event = last_event(&t, &post).await;
    assert_eq!(
        (&event["to"], &event["code"]),
        (&"missed".into(), &"too_late".into())
    );
    assert_eq!(event["message"], message.as_str());
    assert!(t.sim.inits().is_empty());
    // In time is in time.
    let second = t
        .post(NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            late: Some(within(HOUR * 2)),
            ..TestApp::captioned(post.account_id, post.media_id, "second")
        })
        .await;
    // Long enough for a token that ended meanwhile.
    asleep(&t, HOUR * 3 - Duration::from_secs(300));
    t.run_until(second.id, PostState::Published).await;
    assert_eq!(t.sim.inits().len(), 1);
}

async fn within_counts_while_the_creator_keeps_it_waiting(mut t: TestApp) {
    let post = due_soon(&t, within(HOUR * 2)).await;
    t.sim.expect_refusal("invalid_grant");
    t.sim.disconnect("creator", 1).unwrap();
    t.sim.expect_refusal("access_token_invalid");
    let generation = t.tokens(post.account_id).await.generation;
    clipqueue::domain::tokens::suspect(&t.app, post.account_id, generation)
        .await
        .unwrap();
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
    asleep(&t, HOUR * 4);
    t.connect("creator").await;
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Missed);
    assert!(t.sim.inits().is_empty());
}

async fn within_ends_a_hold_at_its_own_limit(mut t: TestApp) {
    let post = due_soon(&t, within(HOUR * 2)).await;
    let last = post.publish_at.unwrap() + HOUR * 2;
    t.fault(
        Endpoint::VideoInit,
        FaultKind::ApiCode {
            code: "spam_risk_too_many_posts".to_owned(),
            status: 403,
        },
    );
    let held = t.run_until(post.id, PostState::Held).await;
    assert_eq!(held.deadline_at, Some(last));
    asleep(&t, HOUR * 3);
    sweep::sweep(&t.app).await.unwrap();
    let missed = t.reload(post.id).await;
    assert_eq!(missed.state, PostState::Missed);
    assert_eq!(missed.failure_code.as_deref(), Some("too_late"));
}

/// Gives a post a rule after its upload has begun.
async fn rule(t: &TestApp, id: PostId, late: Late) {
    t.overwrite(id, |row| {
        row.late_policy = Set(Some(late.policy));
        row.late_within_s = Set(late.within_s);
    })
    .await;
}

async fn within_holds_for_an_upload_that_takes_too_long(mut t: TestApp) {
    // TikTok's address still lives after forty minutes, and not after two hours.
    for minutes in [40, 120] {
        let id = t.begin_three_chunks(&format!("{minutes} min")).await.id;
        rule(&t, id, within(HOUR / 2)).await;
        asleep(&t, Duration::from_secs(minutes * 60));
        t.drain_in_time().await;
        t.advance(MINUTE);
        t.drain().await;
        let missed = t.reload(id).await;
        assert_eq!(missed.state, PostState::Missed, "{minutes} min");
        assert_eq!(missed.failure_code.as_deref(), Some("too_late"));
        assert_eq!(t.attempts(id).await.len(), 1);
    }
    t.pass(HOUR, 6).await;
    assert!(t.sim.publishes().is_empty());
}

async fn post_now_outlives_an_upload_that_was_given_up(mut t: TestApp) {
    let id = t.begin_three_chunks("late").await.id;
    rule(&t, id, POST_NOW).await;
    asleep(&t, HOUR * 9);
    t.run_until(id, PostState::Published).await;
    t.assert_published_once(id).await;
    assert_eq!(t.attempts(id).await.len(), 2);
}

/// A post that came late and is held for it.
async fn held_late(t: &mut TestApp) -> post::Model {
    let post = due_soon(t, HOLD).await;
    asleep(t, HOUR * 2);
    t.drain().await;
    let held = t.reload(post.id).await;
    assert_eq!(held.state, PostState::Held);
    assert_eq!(held.hold_reason.as_deref(), Some(LATE));
    held
}

async fn hold_waits_for_its_owner_who_releases_it(mut t: TestApp) {
    let post = held_late(&mut t).await;
    let event = last_event(&t, &post).await;
    assert_eq!(event["reason"], LATE);
    assert!(event["message"].as_str().unwrap().contains("Release it"));
    let account = clipqueue::domain::accounts::for_worker(&t.app, post.account_id)
        .await
        .unwrap();
    let next = next_action::next_action(&post, &account).unwrap();
    assert_eq!(next.actor, NextActor::Creator);
    assert!(next.text.contains("Release it"));
    t.pass(DAY, 4).await;
    t.fire_crons().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Held);
    assert!(t.sim.inits().is_empty());
    let released = posts::release(&t.app, &t.actor, post.id).await.unwrap();
    assert_eq!(
        (released.state, released.publish_at),
        (PostState::Scheduled, None)
    );
    // A second click changes nothing.
    let again = posts::release(&t.app, &t.actor, post.id).await.unwrap();
    assert_eq!(again.state, PostState::Scheduled);
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn the_sweep_holds_what_no_worker_took(mut t: TestApp) {
    let post = due_soon(&t, HOLD).await;
    t.app.queue.pause("uploads").await.unwrap();
    t.advance(HOUR * 2);
    t.fire_crons().await;
    let held = t.reload(post.id).await;
    assert_eq!(
        (held.state, held.hold_reason.as_deref()),
        (PostState::Held, Some(LATE))
    );
    t.app.queue.resume("uploads").await.unwrap();
    t.pass(HOUR, 2).await;
    assert!(t.sim.inits().is_empty(), "its job went with it");
    posts::release(&t.app, &t.actor, post.id).await.unwrap();
    t.run_until(post.id, PostState::Published).await;
    t.assert_published_once(post.id).await;
}

async fn a_late_post_goes_at_another_time_or_is_cancelled(mut t: TestApp) {
    let post = held_late(&mut t).await;
    let later = t.clock.now() + HOUR * 3;
    let edit = PostEdit {
        publish_at: Some(Some(later)),
        ..PostEdit::default()
    };
    let moved = posts::update(&t.app, &t.actor, post.id, post.version, edit)
        .await
        .unwrap();
    assert_eq!(
        (moved.state, moved.hold_reason),
        (PostState::Scheduled, None)
    );
    assert!(moved.deadline_at > Some(later));
    t.pass(HOUR * 3 - Duration::from_secs(60), 3).await;
    assert!(t.sim.inits().is_empty());
    t.run_until(post.id, PostState::Published).await;
    let second = t
        .post(NewPost {
            publish_at: Some(t.clock.now() + HOUR),
            late: Some(HOLD),
            ..TestApp::captioned(post.account_id, post.media_id, "second")
        })
        .await;
    asleep(&t, HOUR * 2);
    t.drain().await;
    let stopped = posts::cancel(&t.app, &t.actor, second.id).await.unwrap();
    assert_eq!(stopped.state, PostState::Cancelled);
    t.drain().await;
    assert_eq!(t.sim.inits().len(), 1);
}

async fn a_missed_post_can_be_tried_again_whatever_its_rule(mut t: TestApp) {
    let post = due_soon(&t, within(HOUR)).await;
    asleep(&t, DAY);
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Missed);
    let again = posts::retry(&t.app, &t.actor, post.id, "again")
        .await
        .unwrap();
    assert_eq!(again.state, PostState::Scheduled);
    assert_eq!(again.failure_code, None);
    assert_eq!(again.deadline_at, Some(t.clock.now() + HOUR));
    t.run_until(post.id, PostState::Published).await;
}

async fn a_late_post_that_nobody_releases_is_missed(mut t: TestApp) {
    let post = held_late(&mut t).await;
    asleep(&t, DAY * 31);
    t.fire_crons().await;
    let missed = t.reload(post.id).await;
    assert_eq!(missed.state, PostState::Missed);
    assert_eq!(missed.failure_code.as_deref(), Some("held_too_long"));
    assert!(missed.failure_message.unwrap().contains("late"));
}

async fn a_rule_can_be_changed(mut t: TestApp) {
    let post = due_soon(&t, within(HOUR)).await;
    let change = async |version, late| {
        let edit = PostEdit {
            late: Some(late),
            ..PostEdit::default()
        };
        posts::update(&t.app, &t.actor, post.id, version, edit)
            .await
            .unwrap()
    };
    let due = post.publish_at.unwrap();
    let usual = change(1, None).await;
    assert_eq!(usual.deadline_at, Some(due + t.app.config.posts.late_limit));
    let held = change(2, Some(HOLD)).await;
    assert_eq!(
        held.deadline_at,
        Some(due + t.app.config.posts.late_tolerance)
    );
    let patient = change(3, Some(POST_NOW)).await;
    assert!(patient.deadline_at > Some(due + DAY * 20));
    asleep(&t, DAY);
    t.run_until(post.id, PostState::Published).await;
}

async fn a_rule_without_sense_is_refused(t: TestApp) {
    let (account, media) = t.ready().await;
    for (policy, within_s) in [
        (LatePolicy::Within, None),
        (LatePolicy::Within, Some(0)),
        (LatePolicy::Within, Some(40 * 24 * 3600)),
        (LatePolicy::PostNow, Some(60)),
        (LatePolicy::Hold, Some(60)),
    ] {
        let new = NewPost {
            late: Some(Late { policy, within_s }),
            ..TestApp::direct(account, media)
        };
        let refused = refusals(posts::create(&t.app, &t.actor, new, "senseless").await);
        assert_eq!(refused[0].code, Code::Invalid);
        assert_eq!(refused[0].field, ["input", "late", "withinSeconds"]);
    }
    assert!(t.jobs("upload_post").await.is_empty());
}

async fn only_a_late_post_can_be_released(mut t: TestApp) {
    let post = due_soon(&t, POST_NOW).await;
    let early = posts::release(&t.app, &t.actor, post.id).await.unwrap();
    assert_eq!(early.publish_at, post.publish_at, "its time is kept");
    t.drain().await;
    assert!(t.sim.inits().is_empty());
    posts::cancel(&t.app, &t.actor, post.id).await.unwrap();
    let released = posts::release(&t.app, &t.actor, post.id).await;
    assert_eq!(codes(released), [Code::WrongState]);
}
