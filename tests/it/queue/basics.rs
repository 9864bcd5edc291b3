//! What becomes of a job, whatever its handler does.

use std::{collections::HashMap, time::Duration};

use anyhow::anyhow;
use clipqueue::queue::{
    DEFAULT_LEASE, Enqueued, Failure, MAX_ARGS_BYTES, NewJob, Outcome, POISON_CRASHES,
    UNKNOWN_KIND, UNREADABLE_ARGS, enqueue, enqueue_many,
};
use clipqueue_entities::{job::JobState, job_attempt::AttemptOutcome};
use sea_orm::TransactionTrait;
use serde_json::json;

use super::fixture::{Stack, Toys, for_each_stack};

fn toys() -> Toys {
    Toys::default()
        .with("done", |_| async { Ok(Outcome::Done) })
        .with("fail", |_| async { Err(anyhow!("no luck").into()) })
        .with("panic", |_| async { panic!("boom") })
        .with("hold", |_| async {
            Err(Failure::Hold {
                reason: "reconnect".into(),
                error: anyhow!("token dead"),
            })
        })
        .with("cancel", |_| async {
            Err(Failure::Cancel {
                error: anyhow!("not wanted"),
            })
        })
        .with("discard", |_| async {
            Err(Failure::Discard {
                error: anyhow!("hopeless"),
            })
        })
        .with("unreadable", |_| async {
            Err(Failure::Unreadable {
                error: anyhow!("missing field"),
            })
        })
        .with("after", |_| async {
            Err(Failure::Retry {
                error: anyhow!("too fast"),
                after: Some(Duration::from_secs(77)),
            })
        })
        .with("snooze", |run| async move {
            if run.job.snoozes < 5 {
                Ok(Outcome::Snooze(Duration::from_secs(30)))
            } else {
                Ok(Outcome::Done)
            }
        })
}

#[tokio::test]
async fn a_due_job_runs_once_and_completes() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let id = stack.add("done").await;
        let drained = stack.drain(&toys).await;
        assert_eq!((drained.ran, drained.completed), (1, 1));
        let row = stack.row(id).await;
        assert_eq!(row.state, JobState::Completed);
        assert_eq!(row.attempt, 1);
        assert_eq!(row.finished_at, Some(stack.time.now()));
        assert!(stack.queue.attempts(id).await.unwrap().is_empty());
        assert_eq!(stack.drain(&toys).await.ran, 0);
        assert_eq!(toys.runs_of(id), 1);
        let depth = stack.transport.depth("toys", &[]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_scheduled_job_waits_for_its_time_and_leaves_the_transport_alone() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let later = NewJob {
            run_at: stack.time.now() + Duration::from_secs(3600),
            ..stack.toy("done")
        };
        let id = stack.insert(later).await.id();
        assert_eq!(stack.drain(&toys).await.ran, 0);
        assert_eq!(stack.state(id).await, JobState::Scheduled);
        assert_eq!(stack.transport.depth("toys", &[]).await.unwrap().waiting, 0);
        stack.time.advance(Duration::from_secs(3600));
        assert_eq!(stack.drain(&toys).await.completed, 1);
    })
    .await;
}

#[tokio::test]
async fn a_rolled_back_enqueue_leaves_nothing() {
    for_each_stack(async |stack: Stack| {
        let tx = stack.db.write().begin().await.unwrap();
        enqueue(&tx, stack.time.now(), stack.toy("done"))
            .await
            .unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(stack.drain(&toys()).await.ran, 0);
    })
    .await;
}

#[tokio::test]
async fn retries_back_off_and_give_up_when_attempts_are_spent() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let id = stack.add("fail").await;
        for (attempt, wait) in [(1, 10), (2, 20)] {
            let drained = stack.drain(&toys).await;
            assert_eq!((drained.ran, drained.retried), (1, 1));
            assert_eq!(drained.errors[0].2, "no luck");
            let row = stack.row(id).await;
            assert_eq!((row.state, row.attempt), (JobState::Retryable, attempt));
            assert_eq!(row.run_at, stack.time.now() + Duration::from_secs(wait));
            stack.time.advance(Duration::from_secs(wait - 1));
            assert_eq!(stack.drain(&toys).await.ran, 0);
            stack.time.advance(Duration::from_secs(1));
        }
        assert_eq!(stack.drain(&toys).await.discarded, 1);
        let row = stack.row(id).await;
        assert_eq!((row.state, row.attempt), (JobState::Discarded, 3));
        let attempts = stack.queue.attempts(id).await.unwrap();
        assert_eq!(attempts.len(), 3);
        assert!(attempts.iter().all(|attempt| attempt.error == "no luck"
            && attempt.outcome == AttemptOutcome::Failed
            && attempt.worker.as_deref() == Some(stack.queue.node())));
    })
    .await;
}

#[tokio::test]
async fn the_wait_that_the_other_side_asked_for_wins() {
    for_each_stack(async |stack: Stack| {
        let id = stack.add("after").await;
        stack.drain(&toys()).await;
        let due = stack.row(id).await.run_at;
        assert_eq!(due.since(stack.time.now()), Duration::from_secs(77));
    })
    .await;
}

#[tokio::test]
async fn a_snooze_spends_no_attempt() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let id = stack.add("snooze").await;
        for snoozes in 1..=5 {
            assert_eq!(stack.drain(&toys).await.snoozed, 1);
            let row = stack.row(id).await;
            assert_eq!((row.state, row.attempt), (JobState::Scheduled, 0));
            assert_eq!(row.snoozes, snoozes);
            stack.time.advance(Duration::from_secs(30));
        }
        assert_eq!(stack.drain(&toys).await.completed, 1);
        assert_eq!(stack.row(id).await.attempt, 1);
    })
    .await;
}

#[tokio::test]
async fn every_other_end_leads_to_its_state() {
    for_each_stack(async |stack: Stack| {
        let mut jobs = HashMap::new();
        for kind in ["hold", "cancel", "discard", "unreadable", "panic", "nobody"] {
            let job = NewJob {
                unique_key: Some(kind.into()),
                ..stack.toy(kind)
            };
            jobs.insert(kind, stack.insert(job).await.id());
        }
        stack.drain(&toys()).await;
        for (kind, state, reason, error) in [
            ("hold", JobState::Held, Some("reconnect"), "token dead"),
            ("cancel", JobState::Cancelled, None, "not wanted"),
            ("discard", JobState::Discarded, None, "hopeless"),
            (
                "unreadable",
                JobState::Held,
                Some(UNREADABLE_ARGS),
                "missing field",
            ),
            ("panic", JobState::Retryable, None, "panicked: boom"),
            (
                "nobody",
                JobState::Held,
                Some(UNKNOWN_KIND),
                "knows no job of the kind",
            ),
        ] {
            let row = stack.row(jobs[kind]).await;
            assert_eq!(row.state, state, "{kind}");
            assert_eq!(row.hold_reason.as_deref(), reason, "{kind}");
            assert!(row.last_error.unwrap().contains(error), "{kind}");
            assert_eq!(row.unique_key.is_none(), state.is_final(), "{kind}");
            if state == JobState::Held {
                assert_eq!(row.attempt, 0, "{kind} costs no attempt");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn two_live_jobs_never_share_a_key() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let keyed = NewJob {
            unique_key: Some("token:1".into()),
            ..stack.toy("done")
        };
        let first = stack.insert(keyed.clone()).await;
        assert!(matches!(first, Enqueued::New(_)));
        assert_eq!(
            stack.insert(keyed.clone()).await,
            Enqueued::Existing(first.id())
        );
        let many = vec![keyed.clone(), stack.toy("done"), keyed.clone()];
        let many = enqueue_many(stack.db.write(), stack.time.now(), many)
            .await
            .unwrap();
        assert_eq!(many[0], Enqueued::Existing(first.id()));
        assert!(matches!(many[1], Enqueued::New(_)));
        assert_eq!(many[2], Enqueued::Existing(first.id()));
        assert_eq!(stack.drain(&toys).await.completed, 2);
        let again = stack.insert(keyed.clone()).await;
        assert!(matches!(again, Enqueued::New(_)) && again.id() != first.id());
        let fresh = NewJob {
            unique_key: Some("token:2".into()),
            ..keyed
        };
        let twice = vec![fresh.clone(), fresh];
        let twice = enqueue_many(stack.db.write(), stack.time.now(), twice)
            .await
            .unwrap();
        assert!(matches!(twice[0], Enqueued::New(_)));
        assert_eq!(twice[1], Enqueued::Existing(twice[0].id()));
    })
    .await;
}

#[tokio::test]
async fn oversized_arguments_are_refused_with_a_sentence() {
    for_each_stack(async |stack: Stack| {
        let big = NewJob {
            args: json!({ "text": "x".repeat(MAX_ARGS_BYTES) }),
            ..stack.toy("done")
        };
        let error = enqueue(stack.db.write(), stack.time.now(), big)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("pass their id"), "{error}");
        assert_eq!(stack.drain(&toys()).await.ran, 0);
    })
    .await;
}

#[tokio::test]
async fn arguments_and_errors_survive_odd_characters() {
    for_each_stack(async |stack: Stack| {
        let args = json!({ "text": "ü 🎬 \" ' \\ \n", "big": 9_007_199_254_740_993_i64 });
        let seen = args.clone();
        let toys = Toys::default().with("odd", move |run| {
            let same = run.job.args == seen;
            async move { Err(anyhow!("nul \0 and same: {same}").into()) }
        });
        let job = NewJob {
            args,
            lane: "ünïque lane".into(),
            ..stack.toy("odd")
        };
        let id = stack.insert(job).await.id();
        assert_eq!(stack.drain(&toys).await.retried, 1);
        let error = stack.row(id).await.last_error.unwrap();
        assert!(error.contains("same: true"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn three_crashes_in_a_row_are_poison() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        let job = NewJob {
            max_attempts: 10,
            ..stack.toy("done")
        };
        let id = stack.insert(job).await.id();
        for crash in 1..=POISON_CRASHES {
            steps.relay().await.unwrap();
            let held = steps.fetch(10).await.unwrap();
            assert_eq!(held.len(), 1, "crash {crash}");
            drop(held);
            stack.time.advance(DEFAULT_LEASE + Duration::from_millis(1));
            assert_eq!(steps.rescue().await.unwrap(), 0, "one look is not enough");
            assert_eq!(steps.rescue().await.unwrap(), 1);
            let row = stack.row(id).await;
            assert_eq!((row.crashes, row.attempt), (crash, crash));
        }
        let row = stack.row(id).await;
        assert_eq!(row.state, JobState::Discarded);
        assert!(row.last_error.unwrap().contains("poison"));
        let attempts = stack.queue.attempts(id).await.unwrap();
        assert!(
            attempts
                .iter()
                .all(|attempt| attempt.outcome == AttemptOutcome::Crashed)
        );
        assert_eq!(attempts.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_settled_attempt_ends_the_row_of_crashes() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        let job = NewJob {
            max_attempts: 10,
            ..stack.toy("fail")
        };
        let id = stack.insert(job).await.id();
        for _ in 0..2 {
            steps.relay().await.unwrap();
            drop(steps.fetch(10).await.unwrap());
            stack.time.advance(DEFAULT_LEASE * 2);
            steps.rescue().await.unwrap();
            steps.rescue().await.unwrap();
        }
        assert_eq!(stack.row(id).await.crashes, 2);
        assert_eq!(stack.drain(&toys).await.retried, 1);
        assert_eq!(stack.row(id).await.crashes, 0);
    })
    .await;
}
