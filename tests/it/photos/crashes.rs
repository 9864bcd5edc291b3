//! A worker of photos that dies anywhere: at most one init for each attempt that was ever opened, and
//! the post ends once or in a doubt that our own record explains.

use std::time::Duration;

use clipqueue::{
    domain::{posts, pulls},
    queue::Outcome,
};
use clipqueue_entities::{PostId, post::PostState};

use super::gallery::{attempts, direct, open_with, pulled, run_until, three};
use crate::support::{
    app::{Stack, TestApp},
    dying::Death,
    flows::MINUTE,
};

crate::on_both_stacks_by_hand!(a_worker_that_dies_at_any_await_sends_one_init);

/// Runs the due upload until its process dies, and rescues it. True when the worker ended before.
async fn run_and_die(t: &TestApp, post: PostId, death: Death) -> bool {
    let mut steps = t.steps();
    steps.relay().await.unwrap();
    let mut upload = None;
    for held in steps.fetch(50).await.unwrap() {
        if held.job().kind == "upload_post" {
            upload = Some(held);
        } else {
            // Somebody asks about an earlier post that is in doubt.
            let later = Ok(Outcome::Snooze(Duration::from_secs(1)));
            steps.end(held, later).await;
        }
    }
    t.run_and_die(&mut steps, upload.unwrap(), post, death)
        .await
}

/// Every round dies this many polls later than the last.
const STRIDE: u32 = 3;

/// States that a worker can die in, each for certain once; with the next one its work has ended.
const STATES: [PostState; 3] = [
    PostState::Scheduled,
    PostState::Preflight,
    PostState::InitSent,
];

async fn a_worker_that_dies_at_any_await_sends_one_init(stack: Stack) {
    let mut t = open_with(stack, &[("queue.per_creator", "1000")]).await;
    t.sim.configure(|config| {
        config.caps.posts_per_creator = 10_000;
        config.tokens.access_seconds = 30 * 86_400;
    });
    let (account, photos) = three(&t).await;
    let by_polls = (0..300).map(|round| Death::AtPoll(1 + round * STRIDE));
    let (mut ended, mut doubts) = (false, 0);
    for death in STATES.into_iter().map(Death::In).chain(by_polls) {
        let title = format!("{death:?}");
        let post = t.post(direct(account, &photos, &title)).await;
        ended = run_and_die(&t, post.id, death).await;
        if let Death::In(state) = death {
            assert!(!ended, "never seen in {state:?}");
        }
        t.drain().await;
        pulled(&t).await;
        for _ in 0..20 {
            t.drain().await;
            t.advance(Duration::from_secs(7));
        }
        if t.reload(post.id).await.state == PostState::Unconfirmed {
            doubts += 1;
            settle(&mut t, post.id, death).await;
        } else {
            let state = t.reload(post.id).await.state;
            assert_eq!(state, PostState::Published, "{death:?}");
        }
        assert_eq!(t.appearances(&title), 1, "{death:?}");
        let inits = t.sim.inits();
        let inits = inits.iter().filter(|init| init.caption == title).count();
        assert!(
            inits <= t.attempts(post.id).await.len(),
            "{death:?}: {inits} inits"
        );
        if ended {
            break;
        }
        t.advance(MINUTE);
        t.drain().await;
    }
    assert!(ended, "the worker never comes to its end");
    assert!(
        doubts > 0,
        "who dies before the answer to an init leaves a doubt"
    );
}

/// A doubt stands when TikTok came for the photos; a post that it never came for has failed, and
/// another try publishes it.
async fn settle(t: &mut TestApp, post: PostId, death: Death) {
    t.pass(MINUTE * 140, 10).await;
    let (_, fetched) = attempts(t, post).await.pop().unwrap();
    let came = fetched.iter().any(|photo| photo.first_asked_at.is_some());
    let state = t.reload(post).await.state;
    let summary = pulls::summary(&fetched);
    if came {
        assert_eq!(state, PostState::Unconfirmed, "{death:?}: {summary}");
    } else {
        assert_eq!(state, PostState::Failed, "{death:?}: {summary}");
        posts::retry(&t.app, &t.actor, post, &format!("again-{post}"))
            .await
            .unwrap();
        run_until(t, post, PostState::Published).await;
    }
}
