//! The loops of a running process: pickup, stop, pause, cancel, leases.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::anyhow;
use clipqueue::queue::{JobChange, NewJob, Outcome, StartError, StopReason, ledger::CancelOutcome};
use clipqueue_entities::{JobId, job::JobState, job_attempt::AttemptOutcome};
use tokio::sync::Notify;

use super::fixture::{Process, Stack, Toys, for_each_live_stack, for_each_stack};
use crate::support::eventually;

pub const SOON: Duration = Duration::from_secs(60);

pub async fn reaches(stack: &Stack, id: JobId, state: JobState) {
    eventually(SOON, &format!("{id} is {state:?}"), async || {
        (stack.state(id).await == state).then_some(())
    })
    .await;
}

/// A handler that says that it runs and then waits for its token.
fn patient(started: &Arc<Notify>, reason: &Arc<Mutex<Option<StopReason>>>) -> Toys {
    let (started, reason) = (Arc::clone(started), Arc::clone(reason));
    Toys::default().with("wait", move |run| {
        let (started, reason) = (Arc::clone(&started), Arc::clone(&reason));
        async move {
            started.notify_one();
            run.lease.cancelled().await;
            *reason.lock().unwrap() = run.lease.stop_reason();
            Err(anyhow!("stopped").into())
        }
    })
}

#[tokio::test]
async fn jobs_run_in_the_background_and_listeners_hear_of_them() {
    for_each_live_stack(async |stack: Stack| {
        let toys = Toys::default().with("done", |_| async { Ok(Outcome::Done) });
        let process = stack.start(&toys).await;
        let mut changes = stack.queue.changes();
        let id = stack.add("done").await;
        let heard = async {
            loop {
                let change = changes.recv().await.unwrap();
                if change.state == Some(JobState::Completed) {
                    return change;
                }
            }
        };
        let change = tokio::time::timeout(SOON, heard).await.unwrap();
        let expected = JobChange {
            id: Some(id),
            queue: "toys".into(),
            state: Some(JobState::Completed),
        };
        assert_eq!(change, expected);
        assert_eq!(stack.state(id).await, JobState::Completed);
        process.stop().await;
    })
    .await;
}

#[tokio::test]
async fn another_process_hears_of_changes_too() {
    let stack = Stack::live(super::fixture::Kind::Servers).await;
    let toys = Toys::default().with("done", |_| async { Ok(Outcome::Done) });
    let process = stack.start(&toys).await;
    let other = stack.other_process();
    let mut changes = other.changes();
    let heard = eventually(SOON, "the other process hears", async || {
        let id = stack.add("done").await;
        let next = async {
            loop {
                match changes.recv().await {
                    Ok(change)
                        if change.id == Some(id) && change.state == Some(JobState::Completed) =>
                    {
                        return change;
                    }
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_millis(500), next)
            .await
            .ok()
    })
    .await;
    assert_eq!(heard.queue, "toys");
    process.stop().await;
}

#[tokio::test]
async fn a_job_that_falls_due_runs_without_a_nudge() {
    for_each_stack(async |stack: Stack| {
        let toys = Toys::default().with("done", |_| async { Ok(Outcome::Done) });
        let process = stack.start(&toys).await;
        let due = stack.clock.now() + Duration::from_secs(3_600);
        let job = NewJob {
            run_at: due,
            ..stack.toy("done")
        };
        let id = stack.insert(job).await.id();
        let other = stack.add("done").await;
        reaches(&stack, other, JobState::Completed).await;
        assert_eq!(stack.state(id).await, JobState::Scheduled, "early");
        stack.time.advance(Duration::from_secs(3_600));
        reaches(&stack, id, JobState::Completed).await;
        assert_eq!(stack.row(id).await.started_at, Some(due), "late");
        process.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_running_job_that_is_cancelled_is_told_and_ends_as_cancelled() {
    for_each_live_stack(async |stack: Stack| {
        let (started, reason) = (Arc::new(Notify::new()), Arc::default());
        let process = stack.start(&patient(&started, &reason)).await;
        let id = stack.add("wait").await;
        started.notified().await;
        // From another process, where there is one.
        let outcome = stack.other_process().cancel(id).await.unwrap();
        assert_eq!(outcome, CancelOutcome::Requested);
        reaches(&stack, id, JobState::Cancelled).await;
        assert_eq!(*reason.lock().unwrap(), Some(StopReason::Cancelled));
        assert_eq!(
            stack.queue.cancel(id).await.unwrap(),
            CancelOutcome::AlreadyOver(JobState::Cancelled)
        );
        process.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_paused_queue_runs_nothing_until_it_is_resumed_even_if_the_transport_forgets() {
    for_each_live_stack(async |stack: Stack| {
        let toys = Toys::default().with("done", |_| async { Ok(Outcome::Done) });
        // Before the start: what the process hears of a pause takes a moment.
        stack.queue.pause("toys").await.unwrap();
        let process = stack.start(&toys).await;
        assert!(stack.queue.stats(&["toys".into()]).await.unwrap()[0].paused);
        stack.lose_pointers().await;
        let id = stack.add("done").await;
        // The loops notice the loss and act on it before anything could be taken.
        eventually(SOON, "the transport's loss is noticed", async || {
            let now = stack.transport.epoch("toys").await.unwrap();
            let sql = sea_orm::Statement::from_string(
                stack.db.backend(),
                "SELECT epoch FROM queue_controls",
            );
            let row = sea_orm::ConnectionTrait::query_one_raw(stack.db.read(), sql).await;
            let known: Option<String> = row.unwrap().unwrap().try_get("", "epoch").unwrap();
            (known == Some(now)).then_some(())
        })
        .await;
        assert_eq!(stack.state(id).await, JobState::Available);
        assert_eq!(toys.runs_of(id), 0);
        stack.queue.resume("toys").await.unwrap();
        reaches(&stack, id, JobState::Completed).await;
        process.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_graceful_stop_lets_handlers_finish() {
    for_each_live_stack(async |stack: Stack| {
        let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, wait) = (Arc::clone(&started), Arc::clone(&go));
        let toys = Toys::default().with("slow", move |_| {
            let (told, wait) = (Arc::clone(&told), Arc::clone(&wait));
            async move {
                told.notify_one();
                wait.notified().await;
                Ok(Outcome::Done)
            }
        });
        let process = stack.start(&toys).await;
        let id = stack.add("slow").await;
        started.notified().await;
        let stopping = tokio::spawn(process.stop());
        let late = stack.add("slow").await;
        go.notify_one();
        stopping.await.unwrap();
        assert_eq!(stack.state(id).await, JobState::Completed);
        assert_eq!(stack.row(late).await.attempt, 0, "nothing new is taken");
    })
    .await;
}

#[tokio::test]
async fn a_stop_beyond_the_grace_gives_jobs_back_with_their_attempt() {
    for_each_live_stack(async |stack: Stack| {
        let (started, reason) = (Arc::new(Notify::new()), Arc::default());
        let toys = patient(&started, &reason);
        let process = Process::start(&stack.queue, &toys, Duration::ZERO).await;
        let id = stack.add("wait").await;
        started.notified().await;
        process.stop().await;
        assert_eq!(*reason.lock().unwrap(), Some(StopReason::Stopping));
        let row = stack.row(id).await;
        assert_eq!((row.state, row.attempt), (JobState::Available, 0));
        assert!(stack.queue.attempts(id).await.unwrap().is_empty());
        // Another process goes on with it at once.
        let toys = Toys::default().with("wait", |_| async { Ok(Outcome::Done) });
        let process = Process::start(&stack.other_process(), &toys, Duration::ZERO).await;
        reaches(&stack, id, JobState::Completed).await;
        assert_eq!(stack.row(id).await.attempt, 1);
        process.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_ignores_everything_is_dropped_and_given_back() {
    for_each_live_stack(async |stack: Stack| {
        let started = Arc::new(Notify::new());
        let told = Arc::clone(&started);
        let toys = Toys::default().with("deaf", move |_| {
            let told = Arc::clone(&told);
            async move {
                told.notify_one();
                std::future::pending().await
            }
        });
        let process = Process::start(&stack.queue, &toys, Duration::ZERO).await;
        let id = stack.add("deaf").await;
        started.notified().await;
        process.stop().await;
        let row = stack.row(id).await;
        assert_eq!((row.state, row.attempt), (JobState::Available, 0));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_ended_and_noted() {
    for_each_live_stack(async |stack: Stack| {
        let (started, reason) = (Arc::new(Notify::new()), Arc::default());
        let mut toys = patient(&started, &reason);
        toys.policy.timeout = Duration::from_millis(50);
        let process = stack.start(&toys).await;
        let id = stack.add("wait").await;
        reaches(&stack, id, JobState::Retryable).await;
        assert_eq!(*reason.lock().unwrap(), Some(StopReason::TimedOut));
        let attempts = stack.queue.attempts(id).await.unwrap();
        assert_eq!(attempts[0].outcome, AttemptOutcome::TimedOut);
        assert!(attempts[0].error.contains("timed out after 0.05 s"));
        process.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_long_job_keeps_its_lease_and_a_lost_one_is_told() {
    for_each_live_stack(async |stack: Stack| {
        let (started, reason) = (Arc::new(Notify::new()), Arc::default());
        let mut toys = patient(&started, &reason);
        toys.policy.lease = Duration::from_secs(2);
        let process = stack.start(&toys).await;
        let id = stack.add("wait").await;
        started.notified().await;
        let first = stack.row(id).await.lease_until.unwrap();
        // Renewed a few times over.
        eventually(SOON, "the lease outlives its length", async || {
            let until = stack.row(id).await.lease_until.unwrap();
            (until.since(first) > Duration::from_secs(2)).then_some(())
        })
        .await;
        assert_eq!(toys.runs_of(id), 1);
        // Somebody else takes the row: the heartbeat finds out and the handler is told.
        let sql = sea_orm::Statement::from_string(
            stack.db.backend(),
            "UPDATE jobs SET fence = fence + 1",
        );
        sea_orm::ConnectionTrait::execute_raw(stack.db.write(), sql)
            .await
            .unwrap();
        eventually(SOON, "the handler is told", async || {
            (*reason.lock().unwrap() == Some(StopReason::Lost)).then_some(())
        })
        .await;
        process.stop().await;
        assert_eq!(
            stack.state(id).await,
            JobState::Running,
            "not ours to settle"
        );
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_nobody_knows_is_refused_at_start() {
    let stack = Stack::new(super::fixture::Kind::Embedded).await;
    let toys = Toys::default();
    let options = clipqueue::queue::StartOptions {
        runner: toys.runner(),
        catalogue: Arc::new(toys.clone()),
        queues: vec!["toy".into()],
        grace: Duration::ZERO,
    };
    let error = stack
        .queue
        .start(options, tokio_util::sync::CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, StartError::UnknownQueue(..)));
    assert!(error.to_string().contains("toys"), "{error}");
}

#[tokio::test]
async fn jobs_that_an_older_version_did_not_know_run_under_a_newer_one() {
    for_each_live_stack(async |stack: Stack| {
        let old = Toys::default();
        let id = stack.add("novel").await;
        assert_eq!(stack.drain(&old).await.held, 1);
        let new = Toys::default().with("novel", |_| async { Ok(Outcome::Done) });
        let process = stack.start(&new).await;
        reaches(&stack, id, JobState::Completed).await;
        process.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_is_woken_and_does_not_poll() {
    for_each_live_stack(async |stack: Stack| {
        let (told, mut hear) = tokio::sync::mpsc::unbounded_channel();
        let toys = Toys::default().with("ping", move |_| {
            told.send(tokio::time::Instant::now()).unwrap();
            async { Ok(Outcome::Done) }
        });
        let process = stack.start(&toys).await;
        let mut waits = Vec::new();
        for _ in 0..100 {
            let asked = tokio::time::Instant::now();
            stack.add("ping").await;
            waits.push(hear.recv().await.unwrap() - asked);
        }
        waits.sort_unstable();
        eprintln!("pickup: p50 {:?}, p99 {:?}", waits[50], waits[98]);
        // Every loop looks by itself once a second: half a second would be the median of polling.
        assert!(waits[50] < Duration::from_millis(200), "{:?}", waits[50]);
        process.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_that_dies_ends_the_process() {
    for_each_live_stack(async |stack: Stack| {
        let mut toys = Toys::default().with("done", |_| async { Ok(Outcome::Done) });
        toys.crons = vec![clipqueue::queue::CronSpec {
            name: "broken".into(),
            expression: "* * * * * *".into(),
            job: |_| panic!("a cron whose job cannot be made"),
            catch_up: clipqueue::queue::CatchUp::Latest,
        }];
        let process = stack.start(&toys).await;
        let ended = tokio::time::timeout(SOON * 3, process.ended()).await;
        let (ended, stopped) = ended.expect("it ends by itself");
        let error = ended.unwrap_err().to_string();
        assert!(error.contains("schedule"), "{error}");
        assert!(stopped, "whoever shares the token stops too");
    })
    .await;
}
