//! A worker of photos that dies anywhere: at most one init for each attempt that was ever opened, and
//! the post ends once or in a doubt that our own record explains.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use clipqueue::{
    domain::{posts, pulls},
    queue::{Outcome, Run},
};
use clipqueue_entities::post::PostState;

use super::gallery::{attempts, direct, open_with, pulled, run_until, three};
use crate::support::{
    app::{Stack, TestApp},
    flows::MINUTE,
};

crate::on_both_stacks_by_hand!(a_worker_that_dies_at_any_await_sends_one_init);

/// Polls its future so often at most.
struct CutShort<F> {
    inner: Pin<Box<F>>,
    left: u32,
}

impl<F: Future> Future for CutShort<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        match self.inner.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Runs the due job for `polls` polls, lets its process die, and rescues it. True when the worker came
/// to its end before.
async fn run_and_die(t: &TestApp, polls: u32) -> bool {
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
    let held = upload.unwrap();
    let run = Run {
        job: held.job().clone(),
        lease: held.lease(),
    };
    let worker: Pin<Box<dyn Future<Output = _> + Send>> = (t.runner())(run);
    let ended = CutShort {
        inner: Box::pin(worker),
        left: polls,
    }
    .await;
    if let Some(ran) = ended {
        steps.end(held, ran).await;
        return true;
    }
    drop(held);
    t.advance(Duration::from_secs(16));
    steps.rescue().await.unwrap();
    t.advance(Duration::from_secs(4));
    assert_eq!(steps.rescue().await.unwrap(), 1);
    false
}

/// Every round dies this many polls later than the last.
const STRIDE: u32 = 3;

async fn a_worker_that_dies_at_any_await_sends_one_init(stack: Stack) {
    let mut t = open_with(stack, &[("queue.per_creator", "1000")]).await;
    t.sim.configure(|config| {
        config.caps.posts_per_creator = 10_000;
        config.tokens.access_seconds = 30 * 86_400;
    });
    let (account, photos) = three(&t).await;
    let mut seen = std::collections::BTreeSet::new();
    for round in 0.. {
        assert!(round < 300, "the worker never comes to its end");
        let title = format!("round {round}");
        let post = t.post(direct(account, &photos, &title)).await;
        let whole = run_and_die(&t, 1 + round * STRIDE).await;
        seen.insert(format!("{:?}", t.reload(post.id).await.state));
        t.drain().await;
        pulled(&t).await;
        for _ in 0..20 {
            t.drain().await;
            t.advance(Duration::from_secs(7));
        }
        if t.reload(post.id).await.state == PostState::Unconfirmed {
            seen.insert("Doubted".to_owned());
            t.pass(MINUTE * 140, 10).await;
            let (_, fetched) = attempts(&t, post.id).await.pop().unwrap();
            let came = fetched.iter().any(|photo| photo.first_asked_at.is_some());
            let settled = t.reload(post.id).await;
            let summary = pulls::summary(&fetched);
            if came {
                assert_eq!(
                    settled.state,
                    PostState::Unconfirmed,
                    "round {round}: {summary}"
                );
            } else {
                assert_eq!(settled.state, PostState::Failed, "round {round}: {summary}");
                posts::retry(&t.app, &t.actor, post.id, &title.replace(' ', "-"))
                    .await
                    .unwrap();
                run_until(&mut t, post.id, PostState::Published).await;
            }
        } else {
            assert_eq!(
                t.reload(post.id).await.state,
                PostState::Published,
                "round {round}"
            );
        }
        assert_eq!(t.appearances(&title), 1, "round {round}");
        let inits = t.sim.inits();
        let inits = inits.iter().filter(|init| init.caption == title).count();
        assert!(
            inits <= t.attempts(post.id).await.len(),
            "round {round}: {inits} inits"
        );
        if whole {
            break;
        }
        t.advance(MINUTE);
        t.drain().await;
    }
    for state in [
        "Scheduled",
        "Preflight",
        "InitSent",
        "Processing",
        "Doubted",
    ] {
        assert!(seen.contains(state), "no round died in {state}: {seen:?}");
    }
}
