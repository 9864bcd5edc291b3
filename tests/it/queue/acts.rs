//! What operators and the product may do to jobs from outside.

use std::sync::{Arc, atomic::Ordering};

use anyhow::anyhow;
use clipqueue::queue::{
    Enqueued, Failure, NewJob, Outcome,
    ledger::{CancelOutcome, RetryOutcome},
};
use clipqueue_entities::{JobId, job::JobState};

use super::fixture::{Stack, Toys, for_each_stack};

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_never_runs() {
    for_each_stack(async |stack: Stack| {
        let toys = Toys::default().with("done", |_| async { Ok(Outcome::Done) });
        let mut steps = stack.steps(&toys);
        let id = stack.add("done").await;
        // Even when its pointer waits in the transport already.
        assert_eq!(steps.relay().await.unwrap(), 1);
        assert_eq!(
            stack.queue.cancel(id).await.unwrap(),
            CancelOutcome::Cancelled
        );
        assert_eq!(stack.drain(&toys).await.ran, 0);
        assert_eq!(stack.state(id).await, JobState::Cancelled);
        let depth = stack.transport.depth("toys", &[]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (0, 0));
        assert_eq!(
            stack.queue.retry(id, None).await.unwrap(),
            RetryOutcome::Retried
        );
        assert_eq!(stack.drain(&toys).await.completed, 1);
        assert_eq!(
            stack.queue.retry(id, None).await.unwrap(),
            RetryOutcome::NotRetryable(JobState::Completed)
        );
        let nobody = JobId::new();
        assert_eq!(
            stack.queue.cancel(nobody).await.unwrap(),
            CancelOutcome::NotFound
        );
        assert_eq!(
            stack.queue.retry(nobody, None).await.unwrap(),
            RetryOutcome::NotFound
        );
    })
    .await;
}

#[tokio::test]
async fn a_discarded_job_that_is_retried_gets_another_attempt() {
    for_each_stack(async |stack: Stack| {
        let toys = Toys::default().with("fail", |_| async { Err(anyhow!("no").into()) });
        let job = NewJob {
            max_attempts: 1,
            ..stack.toy("fail")
        };
        let id = stack.insert(job).await.id();
        assert_eq!(stack.drain(&toys).await.discarded, 1);
        assert_eq!(
            stack.queue.retry(id, None).await.unwrap(),
            RetryOutcome::Retried
        );
        assert_eq!(stack.drain(&toys).await.discarded, 1);
        assert_eq!(stack.row(id).await.attempt, 2);
    })
    .await;
}

#[tokio::test]
async fn a_retried_job_holds_its_key_again() {
    for_each_stack(async |stack: Stack| {
        let toys = Toys::default().with("fail", |_| async { Err(anyhow!("no").into()) });
        let job = NewJob {
            max_attempts: 1,
            unique_key: Some("one".into()),
            ..stack.toy("fail")
        };
        let id = stack.insert(job.clone()).await.id();
        assert_eq!(stack.drain(&toys).await.discarded, 1);
        assert_eq!(stack.row(id).await.unique_key, None);
        let retried = stack.queue.retry(id, Some("one")).await.unwrap();
        assert_eq!(retried, RetryOutcome::Retried);
        assert_eq!(stack.row(id).await.unique_key.as_deref(), Some("one"));
        assert_eq!(stack.insert(job.clone()).await, Enqueued::Existing(id));

        // The other order: the work is in other hands when the operator comes.
        assert_eq!(stack.drain(&toys).await.discarded, 1);
        let other = stack.insert(job.clone()).await;
        assert!(matches!(other, Enqueued::New(_)), "{other:?}");
        let before = stack.row(id).await;
        let refused = stack.queue.retry(id, Some("one")).await.unwrap();
        assert_eq!(refused, RetryOutcome::AlreadyLive);
        assert_eq!(stack.row(id).await, before, "nothing happened to it");
        stack.queue.cancel(other.id()).await.unwrap();
        let retried = stack.queue.retry(id, Some("one")).await.unwrap();
        assert_eq!(retried, RetryOutcome::Retried);
        assert_eq!(stack.insert(job).await, Enqueued::Existing(id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_retry_and_an_enqueue_at_once_one_gets_the_key() {
    for_each_stack(async |stack: Stack| {
        for round in 0..20 {
            let key = format!("key-{round}");
            let job = NewJob {
                unique_key: Some(key.clone()),
                ..stack.toy("done")
            };
            let id = stack.insert(job.clone()).await.id();
            stack.queue.cancel(id).await.unwrap();
            let (retried, enqueued) =
                tokio::join!(stack.queue.retry(id, Some(&key)), stack.insert(job));
            match retried.unwrap() {
                RetryOutcome::Retried => assert_eq!(enqueued, Enqueued::Existing(id)),
                RetryOutcome::AlreadyLive => assert!(matches!(enqueued, Enqueued::New(_))),
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_hold_ends_when_somebody_acts() {
    for_each_stack(async |stack: Stack| {
        let dead = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let token = Arc::clone(&dead);
        let toys = Toys::default().with("post", move |_| {
            let dead = token.load(Ordering::Relaxed);
            async move {
                if dead {
                    Err(Failure::Hold {
                        reason: "reconnect".into(),
                        error: anyhow!("dead token"),
                    })
                } else {
                    Ok(Outcome::Done)
                }
            }
        });
        let job = NewJob {
            lane: "creator-1".into(),
            ..stack.toy("post")
        };
        let ran = stack.insert(job.clone()).await.id();
        assert_eq!(stack.drain(&toys).await.held, 1);
        let waiting = stack.insert(job.clone()).await.id();
        let other = NewJob {
            lane: "creator-2".into(),
            kind: "nobody".into(),
            ..job
        };
        let other = stack.insert(other).await.id();
        let now = stack.clock.now();
        let held = clipqueue::queue::ledger::hold_lane(
            stack.db.write(),
            now,
            "creator-1",
            &["post"],
            "reconnect",
        )
        .await
        .unwrap();
        assert_eq!(held, [waiting]);
        assert_eq!(
            stack.drain(&toys).await.held,
            1,
            "only the unknown kind ran"
        );
        dead.store(false, Ordering::Relaxed);
        stack
            .queue
            .release_held(Some("creator-1"), Some("reconnect"))
            .await
            .unwrap();
        assert_eq!(stack.drain(&toys).await.completed, 2);
        assert_eq!(stack.state(ran).await, JobState::Completed);
        assert_eq!(stack.state(other).await, JobState::Held);
        let running =
            clipqueue::queue::ledger::cancel_lane(stack.db.write(), now, "creator-2", &[])
                .await
                .unwrap();
        assert!(running.is_empty());
        assert_eq!(stack.state(other).await, JobState::Cancelled);
    })
    .await;
}
