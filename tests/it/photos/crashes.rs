//! A worker of photos that dies anywhere: at most one init for each attempt that was ever opened, and
//! the post ends once or in a doubt that our own record explains.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use clipqueue::domain::{posts, pulls};
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
    let (held, run) = t.claim_one(&mut steps).await;
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
        for _ in 0..10 {
            t.drain().await;
            t.advance(Duration::from_secs(7));
        }
        let inits = |t: &TestApp| {
            let inits = t.sim.inits();
            inits.iter().filter(|init| init.caption == title).count()
        };
        let made = inits(&t);
        assert!(made <= 1, "round {round}: {made} inits");
        match t.reload(post.id).await.state {
            PostState::Published => assert_eq!(made, 1, "round {round}"),
            PostState::Unconfirmed => {
                seen.insert("Doubted".to_owned());
                let (_, fetched) = attempts(&t, post.id).await.pop().unwrap();
                let came = fetched.iter().any(|photo| photo.first_asked_at.is_some());
                assert_eq!(
                    made,
                    usize::from(came),
                    "round {round}: {}",
                    pulls::summary(&fetched)
                );
                if !came {
                    t.pass(MINUTE * 140, 10).await;
                    assert_eq!(
                        t.reload(post.id).await.state,
                        PostState::Failed,
                        "round {round}"
                    );
                    posts::retry(&t.app, &t.actor, post.id, &title)
                        .await
                        .unwrap();
                    run_until(&mut t, post.id, PostState::Published).await;
                    assert_eq!(inits(&t), 1, "round {round}");
                }
            }
            other => panic!("round {round}: {other:?}"),
        }
        assert_eq!(t.appearances(&title), 1, "round {round}");
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
