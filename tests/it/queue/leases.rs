//! Leases while the runtime is blocked, and while the database does not answer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use clipqueue::queue::Outcome;
use clipqueue_entities::{JobId, job, job::JobState};
use sea_orm::{
    ConnectionTrait as _, DatabaseBackend, DatabaseConnection, EntityTrait as _,
    TransactionTrait as _,
};
use tokio::sync::Notify;

use super::fixture::{Kind, Stack, Toys, for_each_live_stack};
use crate::support::eventually;

const LEASE: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(60);

/// Waits on this thread, whose runtime does nothing meanwhile, until a thread of its own has seen the
/// job's lease renewed beyond its length.
fn block_until_renewed(open: impl Future<Output = DatabaseConnection> + Send, id: JobId) {
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let db = open.await;
                let until = async || {
                    let row = job::Entity::find_by_id(id).one(&db).await.unwrap();
                    row.unwrap().lease_until.unwrap()
                };
                let first = until().await;
                eventually(SOON, "the lease outlives its length", async || {
                    (until().await.since(first) > LEASE).then_some(())
                })
                .await;
            });
        });
        watching.join().unwrap();
    });
}

/// On PostgreSQL. SQLite's one writer may be in the hands of a task that the blocked runtime does not
/// run, and the process that has the file is the only one that could take the job.
#[tokio::test]
async fn a_blocked_runtime_keeps_its_leases() {
    let stack = Arc::new(Stack::live(Kind::Servers).await);
    let blocked = Arc::clone(&stack);
    let mut toys = Toys::default().with("block", move |run| {
        let stack = Arc::clone(&blocked);
        async move {
            block_until_renewed(stack.stranger(), run.job.id);
            assert!(run.lease.is_believed() && run.lease.stop_reason().is_none());
            Ok(Outcome::Done)
        }
    });
    toys.policy.lease = LEASE;
    let process = stack.start(&toys).await;
    let id = stack.add("block").await;
    eventually(SOON, "the job completes", async || {
        (stack.state(id).await == JobState::Completed).then_some(())
    })
    .await;
    assert_eq!(toys.runs_of(id), 1);
    process.stop().await;
}

#[tokio::test]
async fn a_handler_is_told_when_its_lease_cannot_be_renewed() {
    for_each_live_stack(async |stack: Stack| {
        let (started, told) = (Arc::new(Notify::new()), Arc::new(Mutex::new(None)));
        let (notify, reason) = (Arc::clone(&started), Arc::clone(&told));
        let mut toys = Toys::default().with("wait", move |run| {
            let (notify, reason) = (Arc::clone(&notify), Arc::clone(&reason));
            async move {
                notify.notify_one();
                run.lease.cancelled().await;
                *reason.lock().unwrap() = Some((run.lease.stop_reason(), run.lease.is_believed()));
                Err(anyhow::anyhow!("stopped").into())
            }
        });
        toys.policy.lease = LEASE;
        let process = stack.start(&toys).await;
        let id = stack.add("wait").await;
        started.notified().await;

        // The database takes statements and answers none of them.
        let stranger = stack.stranger().await;
        let wall = match stack.db.backend() {
            DatabaseBackend::Postgres => {
                let wall = stranger.begin().await.unwrap();
                let lock = "LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE";
                wall.execute_unprepared(lock).await.unwrap();
                wall
            }
            _ => stranger
                .begin_with_options(sea_orm::TransactionOptions {
                    sqlite_transaction_mode: Some(sea_orm::SqliteTransactionMode::Immediate),
                    ..Default::default()
                })
                .await
                .unwrap(),
        };
        eventually(SOON, "the handler is told", async || {
            told.lock().unwrap().is_some().then_some(())
        })
        .await;
        let (reason, believed) = told.lock().unwrap().take().unwrap();
        assert_eq!(reason, Some(clipqueue::queue::StopReason::Lost));
        assert!(!believed);

        wall.rollback().await.unwrap();
        // What it said while nobody could write it down is not lost: the job runs again.
        eventually(SOON, "the job runs again", async || {
            (toys.runs_of(id) >= 2).then_some(())
        })
        .await;
        process.stop().await;
    })
    .await;
}
