//! A worker whose process dies in the middle of its work: its future is dropped at one of its awaits.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use clipqueue::queue::{
    Run,
    steps::{HeldJob, Steps},
};
use clipqueue_entities::{PostId, post::PostState};

use super::app::TestApp;

/// When it dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    /// At its n-th poll, wherever that falls.
    AtPoll(u32),
    /// As soon as the post can be seen in this state.
    In(PostState),
}

impl TestApp {
    /// Runs a job's worker for `post` until its process dies, and rescues the job. True when the worker came
    /// to its end before.
    pub(crate) async fn run_and_die(
        &self,
        steps: &mut Steps,
        held: HeldJob,
        post: PostId,
        death: Death,
    ) -> bool {
        let run = Run {
            job: held.job().clone(),
            lease: held.lease(),
        };
        let worker: Pin<Box<dyn Future<Output = _> + Send>> = (self.runner())(run);
        if let Some(ran) = self.until_death(post, worker, death).await {
            steps.end(held, ran).await;
            return true;
        }
        drop(held);
        // A lease counts as lost when it was expired at two looks.
        self.advance(Duration::from_secs(16));
        steps.rescue().await.unwrap();
        self.advance(Duration::from_secs(4));
        assert_eq!(steps.rescue().await.unwrap(), 1);
        false
    }

    /// Runs the worker of the due job of `kind` until it was polled `polls` times, lets `until_found` pass
    /// between the two looks at its lease, and rescues it. True when the worker came to its end before.
    pub(crate) async fn die_at(&self, kind: &str, polls: u32, until_found: Duration) -> bool {
        let mut steps = self.steps();
        let (held, run) = self.claim_kind(&mut steps, kind).await;
        if let Some(ran) = until_poll((self.runner())(run), polls).await {
            steps.end(held, ran).await;
            return true;
        }
        drop(held);
        self.advance(Duration::from_secs(16));
        steps.rescue().await.unwrap();
        self.advance(until_found);
        steps.rescue().await.unwrap();
        false
    }

    /// What `worker` came to, if it was not dead before.
    async fn until_death<T>(
        &self,
        post: PostId,
        mut worker: Pin<Box<dyn Future<Output = T> + Send>>,
        death: Death,
    ) -> Option<T> {
        match death {
            Death::AtPoll(polls) => until_poll(worker, polls).await,
            // The state is read after each single poll, so none is too short to be seen.
            Death::In(state) => loop {
                let polled = poll_fn(|context| Poll::Ready(worker.as_mut().poll(context))).await;
                if let Poll::Ready(output) = polled {
                    return Some(output);
                }
                if self.reload(post).await.state == state {
                    return None;
                }
            },
        }
    }
}

/// What a worker came to before it was polled so often; it is dropped then.
async fn until_poll<T>(
    mut worker: Pin<Box<dyn Future<Output = T> + Send>>,
    polls: u32,
) -> Option<T> {
    let mut left = polls;
    poll_fn(|context| {
        if let Poll::Ready(output) = worker.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        left -= 1;
        if left == 0 {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    })
    .await
}
