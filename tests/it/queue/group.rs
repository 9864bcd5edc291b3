//! Enqueues without a transaction of their own: written in groups, answered one by one.

use std::collections::HashSet;

use clipqueue::queue::{Enqueued, MAX_ARGS_BYTES, NewJob, Outcome};
use clipqueue_entities::{JobId, job::JobState};
use futures::future::join_all;
use sea_orm::DatabaseBackend;
use serde_json::json;

use super::fixture::{Stack, Toys, for_each_stack};

const MANY: usize = 700;

#[tokio::test]
async fn many_callers_at_once_each_get_a_job_that_is_committed_and_runs_once() {
    for_each_stack(async |stack: Stack| {
        let toys = Toys::default().with("done", |_| async { Ok(Outcome::Done) });
        let callers = (0..MANY).map(|number| {
            let job = NewJob {
                args: json!({ "number": number }),
                ..stack.toy("done")
            };
            let stack = &stack;
            async move {
                let enqueued = stack.queue.enqueue(job).await.unwrap();
                // Another connection sees it at once: the answer came after the commit.
                let row = stack.row(enqueued.id()).await;
                assert_eq!(row.args["number"], number);
                assert_eq!(row.state, JobState::Available);
                enqueued
            }
        });
        let ids: HashSet<JobId> = join_all(callers)
            .await
            .into_iter()
            .map(|enqueued| match enqueued {
                Enqueued::New(id) => id,
                Enqueued::Existing(id) => panic!("{id} was there before"),
            })
            .collect();
        assert_eq!(ids.len(), MANY);
        assert_eq!(stack.drain(&toys).await.completed, MANY);
        for id in ids {
            assert_eq!(toys.runs_of(id), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn callers_with_the_same_key_get_the_same_job() {
    for_each_stack(async |stack: Stack| {
        let callers = (0..50).map(|_| {
            let job = NewJob {
                unique_key: Some("only".into()),
                ..stack.toy("done")
            };
            stack.queue.enqueue(job)
        });
        let enqueued: Vec<Enqueued> = join_all(callers)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let ids: HashSet<JobId> = enqueued.iter().map(|one| one.id()).collect();
        assert_eq!(ids.len(), 1);
        let new = enqueued
            .iter()
            .filter(|one| matches!(one, Enqueued::New(_)));
        assert_eq!(new.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_cannot_be_stored_spoils_no_other() {
    for_each_stack(async |stack: Stack| {
        let callers = (0..MANY).map(|number| {
            let args = match number {
                // Refused before it meets the others.
                10 => json!({ "pad": "x".repeat(MAX_ARGS_BYTES) }),
                // Refused by PostgreSQL, in the middle of a group; SQLite stores it.
                300 => json!({ "nul": "\0" }),
                _ => json!({}),
            };
            let job = NewJob {
                args,
                ..stack.toy("done")
            };
            stack.queue.enqueue(job)
        });
        for (number, enqueued) in join_all(callers).await.into_iter().enumerate() {
            let refused =
                number == 10 || number == 300 && stack.db.backend() == DatabaseBackend::Postgres;
            assert_eq!(enqueued.is_err(), refused, "{number}: {enqueued:?}");
            if let Ok(enqueued) = enqueued {
                assert!(stack.queue.job(enqueued.id()).await.unwrap().is_some());
            }
        }
    })
    .await;
}
