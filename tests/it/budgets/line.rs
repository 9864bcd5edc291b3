//! Whoever waits for a budget is told why, until when, and in which place.

use std::time::Duration;

use clipqueue::domain::{
    accounts, line,
    next_action::{NextActor, next_action},
    posting_budget,
};
use clipqueue_entities::post::PostState;
use tiktok_sim::{Endpoint, FaultKind};

use crate::support::{
    app::TestApp,
    flows::{HOUR, MINUTE},
};

crate::on_both_stacks!(
    posts_beyond_the_budget_stand_in_line,
    tiktoks_word_corrects_what_is_left,
    what_the_transport_forgot_is_counted_from_the_rows,
);

async fn posts_beyond_the_budget_stand_in_line(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let mut ids = Vec::new();
    for number in 0..9 {
        let new = TestApp::captioned(account, media, &format!("in line {number}"));
        ids.push(t.post(new).await.id);
    }
    let asked_at = t.clock.now();
    t.drain().await;
    let model = accounts::for_worker(&t.app, account).await.unwrap();
    let posts = t.reload_all(&ids).await;
    let waiting: Vec<_> = posts.iter().filter(|p| p.wait_reason.is_some()).collect();
    assert_eq!(waiting.len(), 3, "{posts:?}");
    for (index, post) in waiting.iter().enumerate() {
        assert_eq!(post.wait_reason.as_deref(), Some("rate_limit"));
        assert_eq!(post.wait_until, Some(asked_at + Duration::from_secs(60)));
        let place = line::place(&t.app, post).await.unwrap();
        assert_eq!(place as usize, index + 1);
        let next = next_action(post, &model).unwrap();
        assert_eq!(next.actor, NextActor::Clipqueue);
        assert_eq!(next.at, post.wait_until);
        assert_eq!(t.upload_job(post.id).await.attempt, 0);
        let told = t.events(post.id).await;
        let told = told.iter().filter(|event| event.kind == "post.waiting");
        assert_eq!(told.count(), 1);
    }
    let budget = posting_budget::of(&t.app, t.actor.user_id, account)
        .await
        .unwrap();
    assert_eq!(budget.waiting, 3);
    assert_eq!(budget.line.len(), 3);
    let of = |name: &str| budget.budgets.iter().find(|b| b.name == name).unwrap();
    assert_eq!(of("video_init").left, Some(0));
    assert_eq!(of("video_init").refills_at, waiting[0].wait_until);
    // Six before the inits, and one when the first post was accepted.
    assert_eq!(of("creator_info").left, Some(13));
    assert_eq!(of("inbox_video_init").left, Some(6));
    assert_eq!(of("posts_per_day").left, Some(9));
    assert!(of("posts_per_day").estimated);

    for id in &ids {
        t.run_until(*id, PostState::Published).await;
        assert_eq!(t.upload_job(*id).await.attempt, 1);
    }
    let budget = posting_budget::of(&t.app, t.actor.user_id, account)
        .await
        .unwrap();
    assert_eq!((budget.waiting, budget.line.len()), (0, 0));
    let posts = t.reload_all(&ids).await;
    assert!(posts.iter().all(|post| post.wait_reason.is_none()));
}

async fn tiktoks_word_corrects_what_is_left(mut t: TestApp) {
    let (account, media) = t.ready().await;
    t.fault(Endpoint::VideoInit, FaultKind::RateLimit);
    let first = t.post(TestApp::captioned(account, media, "refused")).await;
    t.drain().await;
    // TikTok counted calls that we know nothing of: nobody else tries within its minute.
    let second = t.post(TestApp::captioned(account, media, "after it")).await;
    t.drain().await;
    assert_eq!(t.calls(Endpoint::VideoInit).len(), 1);
    for id in [first.id, second.id] {
        let post = t.reload(id).await;
        assert_eq!(post.wait_reason.as_deref(), Some("rate_limit"), "{post:?}");
    }
    let budget = posting_budget::of(&t.app, t.actor.user_id, account)
        .await
        .unwrap();
    let inits = budget
        .budgets
        .iter()
        .find(|b| b.name == "video_init")
        .unwrap();
    assert_eq!(inits.left, Some(0));
    for id in [first.id, second.id] {
        t.run_until(id, PostState::Published).await;
        assert_eq!(t.upload_job(id).await.attempt, 1);
    }
}

/// A limit that was used up before the transport was lost is not used again.
async fn what_the_transport_forgot_is_counted_from_the_rows(mut t: TestApp) {
    let (account, media) = t.ready().await;
    let mut ids = Vec::new();
    for number in 0..6 {
        let new = TestApp::captioned(account, media, &format!("before {number}"));
        ids.push(t.post(new).await.id);
    }
    t.drain().await;
    assert_eq!(t.calls(Endpoint::VideoInit).len(), 6);
    // Every use is taken back, which is what a transport that lost everything knows.
    let budget = clipqueue::calls::budgets::of(tiktok::Endpoint::VideoInit, Some(account)).unwrap();
    let transport = t.app.queue.transport();
    let now = Some(t.clock.now() - HOUR);
    transport.spend(&budget, Duration::ZERO, now).await.unwrap();
    let later = t.post(TestApp::captioned(account, media, "after it")).await;
    t.drain().await;
    assert_eq!(t.calls(Endpoint::VideoInit).len(), 6);
    let post = t.reload(later.id).await;
    assert_eq!(post.wait_reason.as_deref(), Some("rate_limit"));
    t.advance(MINUTE);
    t.run_until(later.id, PostState::Published).await;
    ids.push(later.id);
    for id in ids {
        t.run_until(id, PostState::Published).await;
    }
}
