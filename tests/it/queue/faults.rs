//! Redis goes away, comes back empty, or forgets everything, while jobs run.

use std::{sync::Arc, time::Duration};

use clipqueue::queue::{NewJob, Outcome, enqueue_many};
use clipqueue_entities::{JobId, job::JobState};

use super::fixture::{Kind, Process, Stack, Toys, for_each_live_stack};
use crate::support::eventually;

const SOON: Duration = Duration::from_secs(60);

fn toys() -> Toys {
    Toys::default().with("work", |_| async {
        tokio::task::yield_now().await;
        Ok(Outcome::Done)
    })
}

async fn add(stack: &Stack, count: usize) -> Vec<JobId> {
    let jobs = (0..count)
        .map(|n| NewJob {
            lane: format!("creator-{}", n % 7),
            ..stack.toy("work")
        })
        .collect();
    let now = stack.clock.now();
    let jobs = enqueue_many(stack.db.write(), now, jobs).await.unwrap();
    stack.queue.nudge("toys");
    jobs.into_iter()
        .map(clipqueue::queue::Enqueued::id)
        .collect()
}

async fn completed(stack: &Stack) -> u64 {
    let stats = stack.queue.stats(&["toys".into()]).await.unwrap();
    stats[0].count(JobState::Completed)
}

async fn all_complete(stack: &Stack, toys: &Toys, jobs: &[JobId]) {
    eventually(SOON, "everything has completed", async || {
        (completed(stack).await == jobs.len() as u64).then_some(())
    })
    .await;
    for job in jobs {
        assert_eq!(toys.runs_of(*job), 1, "{job}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transport_that_forgets_everything_loses_no_job_and_doubles_none() {
    for_each_live_stack(async |stack: Stack| {
        let toys = toys().limits(10, 2);
        let one = stack.start(&toys).await;
        let two = Process::start(&stack.other_process(), &toys, SOON).await;
        let jobs = add(&stack, 2000).await;
        for share in [100, 600, 1200] {
            eventually(SOON, "some have completed", async || {
                (completed(&stack).await >= share).then_some(())
            })
            .await;
            stack.lose_pointers().await;
        }
        all_complete(&stack, &toys, &jobs).await;
        one.stop().await;
        two.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_and_started_empty_loses_no_job_and_work_resumes_by_itself() {
    let mut stack = Stack::live_with_own_redis().await;
    let toys = toys();
    let process = stack.start(&toys).await;
    let mut jobs = add(&stack, 2000).await;
    eventually(SOON, "some have completed", async || {
        (completed(&stack).await >= 200).then_some(())
    })
    .await;
    stack.own_redis().kill();
    // The API goes on accepting.
    jobs.extend(add(&stack, 100).await);
    // In a lane of its own, so that its turn comes at once when work resumes.
    let waiting = NewJob {
        lane: "waiting".into(),
        ..stack.toy("work")
    };
    let waiting = stack.insert(waiting).await.id();
    jobs.push(waiting);
    stack.own_redis().start_again().await;
    let back = tokio::time::Instant::now();
    eventually(SOON, "work resumes", async || {
        let before = completed(&stack).await;
        (before > 200 && stack.state(waiting).await == JobState::Completed).then_some(())
    })
    .await;
    assert!(
        back.elapsed() < Duration::from_secs(5),
        "resumed after {:?}",
        back.elapsed()
    );
    all_complete(&stack, &toys, &jobs).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_may_start_and_stop_without_redis() {
    let mut stack = Stack::live_with_own_redis().await;
    stack.own_redis().kill();
    let toys = toys();
    let process = stack.start(&toys).await;
    let jobs = add(&stack, 50).await;
    process.stop().await;
    assert_eq!(completed(&stack).await, 0);
    stack.own_redis().start_again().await;
    let process = stack.start(&toys).await;
    all_complete(&stack, &toys, &jobs).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_at_their_limit_go_on_after_an_outage() {
    let mut stack = Stack::live_with_own_redis().await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let wait = Arc::clone(&gate);
    let toys = Toys::default().limits(10, 1).with("work", move |_| {
        let wait = Arc::clone(&wait);
        async move {
            wait.acquire().await.unwrap().forget();
            Ok(Outcome::Done)
        }
    });
    let process = stack.start(&toys).await;
    let jobs = add(&stack, 14).await;
    eventually(SOON, "each lane runs one", async || {
        (toys.runs.lock().unwrap().len() == 7).then_some(())
    })
    .await;
    stack.own_redis().kill();
    // They end while nobody can be told, and Redis comes back.
    gate.add_permits(14);
    eventually(SOON, "they are settled", async || {
        (completed(&stack).await == 7).then_some(())
    })
    .await;
    stack.own_redis().start_again().await;
    let back = tokio::time::Instant::now();
    all_complete(&stack, &toys, &jobs).await;
    assert!(
        back.elapsed() < Duration::from_secs(5),
        "resumed after {:?}",
        back.elapsed()
    );
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_jobs_due_in_the_same_second_all_run_once() {
    const JOBS: usize = 50_000;
    for kind in [Kind::Embedded, Kind::Servers] {
        let stack = Stack::live(kind).await;
        let toys = toys().limits(200, 0);
        let due = stack.clock.now() + Duration::from_secs(1);
        let new = (0..JOBS)
            .map(|n| NewJob {
                lane: format!("creator-{}", n % 500),
                run_at: due,
                ..stack.toy("work")
            })
            .collect();
        let now = stack.clock.now();
        enqueue_many(stack.db.write(), now, new).await.unwrap();
        let process = stack.start(&toys).await;
        let began = tokio::time::Instant::now();
        let patience = Duration::from_secs(240);
        eventually(patience, "all have completed", async || {
            (toys.runs.lock().unwrap().len() >= JOBS).then_some(())
        })
        .await;
        let took = began.elapsed();
        eprintln!("{kind:?}: {JOBS} jobs in {took:?}");
        process.stop().await;
        assert_eq!(completed(&stack).await, JOBS as u64);
        let runs = toys.runs.lock().unwrap().clone();
        assert_eq!(runs.len(), JOBS);
        let jobs: std::collections::HashSet<JobId> = runs.iter().map(|(job, _)| *job).collect();
        assert_eq!(jobs.len(), JOBS);
        let depth = stack.transport.depth("toys", &[]).await.unwrap();
        assert_eq!((depth.waiting, depth.in_flight), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_ran_runs_elsewhere_within_thirty_seconds() {
    const JOBS: usize = 20;
    let stack = Arc::new(Stack::live(Kind::Servers).await);
    let hang = Toys::default().with("work", |_| std::future::pending());
    // A process with a runtime of its own, which ends without a word while it runs everything.
    let doomed = tokio::runtime::Runtime::new().unwrap();
    let (theirs, hanging) = (Arc::clone(&stack), hang.clone());
    let start = doomed.spawn(async move {
        let queue = theirs.separate_process().await;
        let process = Process::start(&queue, &hanging, SOON).await;
        (queue, process)
    });
    let dead = start.await.unwrap();
    let jobs = add(&stack, JOBS).await;
    eventually(SOON, "all of them run", async || {
        (hang.runs.lock().unwrap().len() == JOBS).then_some(())
    })
    .await;
    let toys = toys();
    let process = Process::start(&stack.other_process(), &toys, SOON).await;
    doomed.shutdown_background();
    let died = tokio::time::Instant::now();
    all_complete(&stack, &toys, &jobs).await;
    let took = died.elapsed();
    eprintln!("elsewhere after {took:?}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    for job in jobs {
        let row = stack.row(job).await;
        assert_eq!((row.attempt, row.crashes), (2, 0));
        assert_eq!(stack.queue.attempts(job).await.unwrap().len(), 1);
    }
    process.stop().await;
    drop(dead);
}
