//! Rows that processes are told of by name: claimed while the transport is asked for leave.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use clipqueue::queue::{
    DEFAULT_LEASE, NewJob, Outcome,
    steps::Steps,
    transport::{Channel, Pointer},
};
use clipqueue_entities::{JobId, job::JobState};

use super::{
    daemon::{SOON, reaches},
    fixture::{Kind, LONG, Process, Stack, Toys, for_each_stack},
};
use crate::support::eventually;

/// One of a lane at a time.
const TOYS: Channel<'static> = Channel {
    queue: "toys",
    lane_limit: 1,
};

fn toys() -> Toys {
    Toys::default()
        .limits(10, 1)
        .with("done", |_| async { Ok(Outcome::Done) })
}

fn of_lane(stack: &Stack) -> NewJob {
    NewJob {
        lane: "one".into(),
        ..stack.toy("done")
    }
}

/// What a process is told of a row that was committed just now.
fn told(job: JobId) -> Pointer {
    Pointer {
        job,
        nonce: 0,
        lane: "one".into(),
        rank: 0,
    }
}

async fn in_flight(stack: &Stack) -> u64 {
    let depth = stack.transport.depth("toys", &[]).await.unwrap();
    depth.in_flight
}

fn two_processes(stack: &Stack) -> [Steps; 2] {
    let other = Steps::new(&stack.other_process(), Arc::new(toys()));
    [stack.steps(&toys()), other]
}

#[tokio::test]
async fn a_row_runs_by_the_pointer_of_whoever_asked_first() {
    for_each_stack(async |stack: Stack| {
        let [mut one, mut two] = two_processes(&stack);
        let id = stack.insert(of_lane(&stack)).await.id();
        // The first has leave and no claim yet when the second claims the row.
        let leave = stack
            .transport
            .admit(TOYS, &[told(id)], DEFAULT_LEASE)
            .await
            .unwrap();
        assert_eq!(leave.len(), 1);
        let held = two.start_told("toys", &told(id)).await.unwrap();
        let held = held.expect("it has the claim, and the row has its place");
        // The first comes too late, and leaves the place to the second.
        assert!(one.claim("toys", leave).await.unwrap().is_empty());
        assert_eq!(in_flight(&stack).await, 1);
        let next = stack.insert(of_lane(&stack)).await.id();
        assert!(
            one.start_few(5).await.unwrap().is_empty(),
            "the lane is full"
        );

        let ended = two.end(held, Ok(Outcome::Done)).await;
        assert_eq!(ended, Some(JobState::Completed));
        assert_eq!(in_flight(&stack).await, 0);
        assert_eq!(one.start_few(5).await.unwrap()[0].job().id, next);
    })
    .await;
}

#[tokio::test]
async fn a_row_without_leave_is_given_back_and_costs_no_attempt() {
    for_each_stack(async |stack: Stack| {
        let [mut one, mut two] = two_processes(&stack);
        let first = stack.insert(of_lane(&stack)).await.id();
        let held = one.start_told("toys", &told(first)).await.unwrap().unwrap();
        assert_eq!(held.job().attempt, 1);
        let second = stack.insert(of_lane(&stack)).await.id();
        let refused = two.start_told("toys", &told(second)).await.unwrap();
        assert!(refused.is_none(), "the lane is full");
        let row = stack.row(second).await;
        assert_eq!((row.state, row.attempt), (JobState::Available, 0));
        assert_eq!((row.crashes, row.lease_until), (0, None));
        assert_eq!(in_flight(&stack).await, 1);

        one.end(held, Ok(Outcome::Done)).await;
        stack.drain(&toys()).await;
        let row = stack.row(second).await;
        assert_eq!((row.state, row.attempt), (JobState::Completed, 1));
        assert_eq!(in_flight(&stack).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_is_over_leaves_no_pointer() {
    for_each_stack(async |stack: Stack| {
        let [mut one, _] = two_processes(&stack);
        let id = stack.insert(of_lane(&stack)).await.id();
        stack.queue.cancel(id).await.unwrap();
        assert!(one.start_told("toys", &told(id)).await.unwrap().is_none());
        assert_eq!(in_flight(&stack).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_are_told_of_each_row_run_it_once_within_its_lanes_limit() {
    let stack = Stack::live(Kind::Servers).await;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let toys = Toys::default().limits(10, 1).with("done", move |_| {
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(Outcome::Done)
        }
    });
    let one = stack.start(&toys).await;
    let two = Process::start(&stack.other_process(), &toys, SOON).await;
    let producer = stack.other_process();
    for round in 0..40 {
        let mut jobs = Vec::new();
        // Alone, or with others that its lane has to keep waiting.
        for _ in 0..=round % 3 {
            jobs.push(producer.enqueue(of_lane(&stack)).await.unwrap().id());
        }
        for id in jobs {
            reaches(&stack, id, JobState::Completed).await;
            let row = stack.row(id).await;
            assert_eq!((row.attempt, toys.runs_of(id)), (1, 1), "{row:?}");
        }
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
    eventually(LONG, "nothing is in flight", async || {
        (in_flight(&stack).await == 0).then_some(())
    })
    .await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_claim_is_given_back_when_nobody_says_whether_it_may_start() {
    let mut stack = Stack::live_with_own_redis().await;
    let mut steps = stack.steps(&toys());
    let id = stack.insert(of_lane(&stack)).await.id();
    stack.own_redis().kill();
    let told = steps.start_told("toys", &told(id)).await.unwrap();
    assert!(told.is_none());
    let row = stack.row(id).await;
    assert_eq!((row.state, row.attempt), (JobState::Available, 0));
    stack.own_redis().start_again().await;
    eventually(LONG, "the server answers", async || {
        stack.transport.probe().await.ok()
    })
    .await;
    stack.drain(&toys()).await;
    assert_eq!(stack.state(id).await, JobState::Completed);
}
