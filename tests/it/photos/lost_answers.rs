//! Init of photos without a clear answer: never repeated blindly, and judged by who came.

use std::time::Duration;

use clipqueue::domain::{posts, pulls};
use clipqueue_entities::{post::PostState, post_attempt::AttemptPhase};
use tiktok_sim::{Endpoint, FaultKind};

use super::gallery::{attempts, direct, open, pulled, recorded, run_until, three};
use crate::support::{
    app::{Stack, TestApp},
    flows::{HOUR, MINUTE, codes},
};

crate::on_both_stacks_by_hand!(
    an_accepted_init_whose_answer_was_lost_is_never_sent_again,
    a_lost_init_that_nobody_came_for_fails_when_nobody_can_come_any_more,
    a_refusal_that_says_so_is_no_doubt,
    a_publish_id_that_comes_late_settles_the_doubt,
    a_webhook_tells_the_publish_id_that_init_did_not,
    a_webhook_that_may_be_of_two_posts_settles_neither,
);

async fn an_accepted_init_whose_answer_was_lost_is_never_sent_again(stack: Stack) {
    let mut t = open(stack).await;
    t.sim
        .configure(|config| config.tokens.access_seconds = 7 * 86_400);
    let (account, photos) = three(&t).await;
    let faults = [
        ("lost after", FaultKind::LostAfterEffect),
        ("502 after", FaultKind::StatusAfterEffect { status: 502 }),
        ("truncated", FaultKind::TruncatedJson),
    ];
    for (title, fault) in faults {
        t.fault(Endpoint::PhotoInit, fault);
        let post = t.post(direct(account, &photos, title)).await;
        t.drain().await;
        let doubted = t.reload(post.id).await;
        assert_eq!(doubted.state, PostState::Unconfirmed, "{title}");
        pulled(&t).await;
        let fetched = recorded(&t, post.id).await;
        assert!(pulls::summary(&fetched).starts_with("TikTok fetched 3 of 3 photos"));
        let proofs = t.evidence(post.id).await;
        assert!(
            proofs.iter().any(|proof| proof.subject == "photos.fetched"),
            "{title}"
        );
        assert!(
            t.events(post.id)
                .await
                .iter()
                .any(|it| it.kind == "post.photos_fetched")
        );

        // That TikTok came proves that it accepted, and nothing of how it ended.
        t.pass(HOUR * 4, 24).await;
        t.fire_crons().await;
        assert_eq!(
            t.reload(post.id).await.state,
            PostState::Unconfirmed,
            "{title}"
        );
        let retried = posts::retry(&t.app, &t.actor, post.id, "blindly").await;
        assert_eq!(codes(retried), [clipqueue::domain::error::Code::WrongState]);
        let cancelled = posts::cancel(&t.app, &t.actor, post.id).await;
        assert_eq!(
            codes(cancelled),
            [clipqueue::domain::error::Code::WrongState]
        );
        let made = t.sim.inits();
        let made = made.iter().filter(|init| init.caption == title).count();
        assert_eq!(made, 1, "{title}");
        assert_eq!(t.appearances(title), 1, "{title}");
        assert_eq!(t.attempts(post.id).await.len(), 1, "{title}");
    }
}

async fn a_lost_init_that_nobody_came_for_fails_when_nobody_can_come_any_more(stack: Stack) {
    let mut t = open(stack).await;
    t.sim
        .configure(|config| config.tokens.access_seconds = 7 * 86_400);
    let (account, photos) = three(&t).await;
    let faults = [
        ("lost before", FaultKind::LostBeforeEffect),
        ("503", FaultKind::Status { status: 503 }),
    ];
    for (title, fault) in faults {
        t.fault(Endpoint::PhotoInit, fault);
        let post = t.post(direct(account, &photos, title)).await;
        t.drain().await;
        let (attempt, _) = attempts(&t, post.id).await.pop().unwrap();
        assert_eq!(attempt.phase, AttemptPhase::PullSent);
        // While TikTok may still come, its silence proves nothing.
        t.pass(Duration::from_secs(119 * 60), 12).await;
        assert_eq!(
            t.reload(post.id).await.state,
            PostState::Unconfirmed,
            "{title}"
        );
        t.pass(MINUTE * 30, 3).await;
        let failed = t.reload(post.id).await;
        assert_eq!(failed.state, PostState::Failed, "{title}");
        assert_eq!(failed.failure_code.as_deref(), Some("never_fetched"));
        assert!(failed.failure_retryable);
        let proofs = t.evidence(post.id).await;
        assert!(
            proofs
                .iter()
                .any(|proof| proof.subject == "photos.never_fetched")
        );
        // It is the owner who decides to try again.
        t.pass(HOUR, 4).await;
        t.fire_crons().await;
        assert_eq!(t.reload(post.id).await.state, PostState::Failed);
        assert!(t.sim.inits().iter().all(|init| init.caption != title));
        posts::retry(&t.app, &t.actor, post.id, &title.replace(' ', "-"))
            .await
            .unwrap();
        run_until(&mut t, post.id, PostState::Published).await;
        assert_eq!(t.appearances(title), 1);
        t.advance(MINUTE);
    }
}

async fn a_refusal_that_says_so_is_no_doubt(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    t.advance(Duration::from_secs(600));
    for (title, fault) in [
        ("rate", FaultKind::RateLimit),
        ("token", FaultKind::DeadToken),
    ] {
        t.fault(Endpoint::PhotoInit, fault);
        let post = t.post(direct(account, &photos, title)).await;
        t.drain().await;
        t.run_until(post.id, PostState::Processing).await;
        run_until(&mut t, post.id, PostState::Published).await;
        assert_eq!(t.attempts(post.id).await.len(), 2, "{title}");
        assert!(!t.states(post.id).await.contains(&"unconfirmed".to_owned()));
        assert_eq!(t.appearances(title), 1, "{title}");
    }
    let post = {
        t.fault(
            Endpoint::PhotoInit,
            FaultKind::ApiCode {
                code: "spam_risk_user_banned_from_posting".to_owned(),
                status: 403,
            },
        );
        t.post(direct(account, &photos, "banned")).await
    };
    t.drain().await;
    let failed = t.reload(post.id).await;
    assert_eq!(failed.state, PostState::Failed);
    assert!(t.attempts(post.id).await[0].open_key.is_none());
}

async fn a_publish_id_that_comes_late_settles_the_doubt(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    t.fault(Endpoint::PhotoInit, FaultKind::LostAfterEffect);
    let post = t.post(direct(account, &photos, "late")).await;
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    pulled(&t).await;
    let publish_id = t.sim.inits()[0].publish_id.clone();
    let publish_id = tiktok::PublishId::parse(publish_id).unwrap();
    let attempt = t.attempts(post.id).await.pop().unwrap();
    clipqueue::domain::attempts::keep_publish_id(&t.app, attempt.id, &publish_id)
        .await
        .unwrap();
    t.run_until(post.id, PostState::Published).await;
    assert_eq!(t.sim.inits().len(), 1);
}

/// Lets the simulator send its webhooks to the product.
fn open_door(t: &TestApp) {
    let base = t.app.config.http.public_url.as_str().trim_end_matches('/');
    let url = format!("{base}{}", clipqueue::http::webhooks::PATH);
    t.sim
        .configure(|config| config.webhooks.url = Some(url.clone()));
}

/// Some minutes, in which webhooks arrive and are seen to.
async fn minutes(t: &mut TestApp) {
    for _ in 0..12 {
        t.advance(Duration::from_secs(20));
        t.delivered(1).await;
        t.drain().await;
    }
}

async fn a_webhook_tells_the_publish_id_that_init_did_not(stack: Stack) {
    let mut t = open(stack).await;
    open_door(&t);
    let (account, photos) = three(&t).await;
    t.fault(Endpoint::PhotoInit, FaultKind::LostAfterEffect);
    let post = t.post(direct(account, &photos, "told")).await;
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    pulled(&t).await;
    minutes(&mut t).await;
    let published = t.reload(post.id).await;
    assert_eq!(published.state, PostState::Published);
    let attempts = t.attempts(post.id).await;
    assert_eq!(attempts.len(), 1);
    let made = t.sim.inits()[0].publish_id.clone();
    assert_eq!(attempts[0].publish_id, Some(made));
    assert_eq!(t.appearances("told"), 1);
}

async fn a_webhook_that_may_be_of_two_posts_settles_neither(stack: Stack) {
    let mut t = open(stack).await;
    open_door(&t);
    // Told before there is a second post, a webhook would be of the first without doubt.
    t.sim.configure(|config| config.webhooks.delay_ms = 120_000);
    let (account, photos) = three(&t).await;
    let mut posts = Vec::new();
    for title in ["one", "other"] {
        t.fault(Endpoint::PhotoInit, FaultKind::LostAfterEffect);
        let post = t.post(direct(account, &photos, title)).await;
        t.drain().await;
        posts.push(post.id);
    }
    pulled(&t).await;
    t.advance(std::time::Duration::from_secs(120));
    minutes(&mut t).await;
    for id in posts {
        assert_eq!(t.reload(id).await.state, PostState::Unconfirmed);
        assert!(t.attempts(id).await[0].publish_id.is_none());
    }
}
