//! Many rows that fall due together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clipqueue::queue::{NewJob, Outcome, enqueue_many};
use clipqueue_entities::{JobId, job::JobState};

use super::fixture::{Process, Stack, Toys, for_each_live_stack, for_each_stack};
use crate::support::eventually;

const LATER: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(30);

/// Rows of each `(lane, count)` that are due in a minute.
async fn scheduled(stack: &Stack, lanes: &[(&str, usize)]) -> Vec<JobId> {
    let jobs = lanes
        .iter()
        .flat_map(|(lane, count)| {
            (0..*count).map(|_| NewJob {
                lane: (*lane).to_owned(),
                run_at: stack.time.now() + LATER,
                ..stack.toy("due")
            })
        })
        .collect();
    enqueue_many(stack.db.write(), stack.time.now(), jobs)
        .await
        .unwrap()
        .into_iter()
        .map(|enqueued| enqueued.id())
        .collect()
}

fn toys(lane_limit: u32) -> Toys {
    Toys::default()
        .limits(16, lane_limit)
        .with("due", |_| async { Ok(Outcome::Done) })
}

/// How many of `ids` are in each of `(scheduled, available without a pointer, available with one)`.
async fn places(stack: &Stack, ids: &[JobId]) -> (usize, usize, usize) {
    let mut places = (0, 0, 0);
    for id in ids {
        let row = stack.row(*id).await;
        match (row.state, row.dispatched_at) {
            (JobState::Scheduled, None) => places.0 += 1,
            (JobState::Available, None) => places.1 += 1,
            (JobState::Available, Some(_)) => places.2 += 1,
            other => panic!("{other:?}"),
        }
    }
    places
}

async fn each_runs_once(stack: &Stack, toys: &Toys, ids: &[JobId]) {
    stack.drain(toys).await;
    each_ran_once(stack, toys, ids).await;
}

async fn each_ran_once(stack: &Stack, toys: &Toys, ids: &[JobId]) {
    for id in ids {
        assert_eq!(stack.state(*id).await, JobState::Completed);
        assert_eq!(toys.runs_of(*id), 1);
    }
}

#[tokio::test]
async fn rows_that_fall_due_together_get_their_pointers_as_they_are_promoted() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(2);
        let lanes: Vec<String> = (0..10).map(|n| format!("creator-{n}")).collect();
        let lanes: Vec<(&str, usize)> = lanes.iter().map(|lane| (lane.as_str(), 30)).collect();
        let ids = scheduled(&stack, &lanes).await;
        let mut steps = stack.steps(&toys);
        assert_eq!(steps.relay().await.unwrap(), 0, "none is due");
        stack.time.advance(LATER);
        assert_eq!(steps.relay().await.unwrap(), 250);
        assert_eq!(places(&stack, &ids).await, (50, 0, 250));
        assert_eq!(steps.relay().await.unwrap(), 50);
        assert_eq!(places(&stack, &ids).await, (0, 0, 300));
        each_runs_once(&stack, &toys, &ids).await;
    })
    .await;
}

#[tokio::test]
async fn a_lane_with_more_than_its_share_of_due_rows_waits_for_its_turn() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(2);
        let ids = scheduled(&stack, &[("big", 100), ("small", 3), ("other", 2)]).await;
        stack.time.advance(LATER);
        let mut steps = stack.steps(&toys);
        assert_eq!(steps.relay().await.unwrap(), 5, "the two small lanes");
        assert_eq!(places(&stack, &ids).await, (0, 100, 5));
        let delivered = steps.relay().await.unwrap();
        assert!(
            (1..100).contains(&delivered),
            "a share of the big lane: {delivered}"
        );
        each_runs_once(&stack, &toys, &ids).await;
    })
    .await;
}

#[tokio::test]
async fn rows_that_wait_for_a_pointer_are_not_overtaken_by_those_that_fall_due() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(2);
        let first = scheduled(&stack, &[("big", 100)]).await;
        stack.time.advance(LATER);
        let mut steps = stack.steps(&toys);
        steps.relay().await.unwrap();
        let (_, waiting, _) = places(&stack, &first).await;
        assert!(waiting > 0, "the lane has its share");
        let later = scheduled(&stack, &[("big", 10)]).await;
        stack.time.advance(LATER);
        steps.relay().await.unwrap();
        assert_eq!(
            places(&stack, &later).await,
            (0, 10, 0),
            "older rows of the lane still wait"
        );
        each_runs_once(&stack, &toys, &[first, later].concat()).await;
    })
    .await;
}

#[tokio::test]
async fn rows_that_fall_due_while_slots_are_free_are_claimed_as_they_are() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(2);
        let ids = scheduled(&stack, &[("a", 2), ("b", 2)]).await;
        let (mut one, mut other) = (stack.steps(&toys), stack.steps(&toys));
        assert_eq!(one.start_few(16).await.unwrap().len(), 0, "none is due");
        stack.time.advance(LATER);
        assert_eq!(one.start_few(3).await.unwrap().len(), 0, "more than slots");
        let held = one.start_few(16).await.unwrap();
        assert_eq!(held.len(), 4);
        assert_eq!(other.start_few(16).await.unwrap().len(), 0, "all are held");
        assert_eq!(other.relay().await.unwrap(), 0, "nothing to promote");
        for id in &ids {
            let row = stack.row(*id).await;
            assert_eq!((row.state, row.attempt), (JobState::Running, 1));
        }
        for held in held {
            let ended = one.end(held, Ok(Outcome::Done)).await;
            assert_eq!(ended, Some(JobState::Completed));
        }
        for id in &ids {
            assert_eq!(stack.row(*id).await.attempt, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_lane_at_its_limit_keeps_its_due_rows_for_their_turn() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(2);
        let ids = scheduled(&stack, &[("big", 5), ("small", 1)]).await;
        stack.time.advance(LATER);
        let mut steps = stack.steps(&toys);
        let held = steps.start_few(16).await.unwrap();
        assert_eq!(held.len(), 3, "two of the big lane, one of the small");
        assert_eq!(steps.start_few(16).await.unwrap().len(), 0);
        for held in held {
            steps.end(held, Ok(Outcome::Done)).await;
        }
        stack.drain(&toys).await;
        for id in &ids {
            let row = stack.row(*id).await;
            assert_eq!((row.state, row.attempt), (JobState::Completed, 1));
        }
    })
    .await;
}

#[tokio::test]
async fn a_daemon_starts_what_falls_due_together_once_each() {
    for_each_live_stack(async |stack: Stack| {
        let toys = Toys::default()
            .limits(500, 0)
            .with("due", |_| async { Ok(Outcome::Done) });
        let process = stack.start(&toys).await;
        let other = Process::start(&stack.other_process(), &toys, LIMIT).await;
        let now = stack.clock.now();
        let soon = now + Duration::from_millis(300);
        let jobs = (0..1_200).map(|_| NewJob {
            run_at: soon,
            ..stack.toy("due")
        });
        let enqueued = enqueue_many(stack.db.write(), now, jobs.collect());
        let ids: Vec<JobId> = enqueued.await.unwrap().iter().map(|new| new.id()).collect();
        eventually(LIMIT, "all ran", async || {
            let ran = ids.iter().all(|id| toys.runs_of(*id) > 0);
            ran.then_some(())
        })
        .await;
        process.stop().await;
        other.stop().await;
        each_ran_once(&stack, &toys, &ids).await;
    })
    .await;
}

#[tokio::test]
async fn a_lane_with_many_due_rows_does_not_hide_what_falls_due_after_it() {
    for_each_live_stack(async |stack: Stack| {
        let (big, before_small) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&big), Arc::clone(&before_small));
        let toys = Toys::default()
            .limits(300, 2)
            .with("big", move |_| {
                big.fetch_add(1, Ordering::SeqCst);
                async { Ok(Outcome::Done) }
            })
            .with("small", move |_| {
                counts
                    .1
                    .store(counts.0.load(Ordering::SeqCst), Ordering::SeqCst);
                async { Ok(Outcome::Done) }
            });
        let now = stack.clock.now();
        let soon = now + Duration::from_millis(500);
        let job = |kind: &str, late: u64| NewJob {
            lane: kind.to_owned(),
            run_at: soon + Duration::from_millis(late),
            ..stack.toy(kind)
        };
        let mut jobs: Vec<NewJob> = (0..600).map(|_| job("big", 0)).collect();
        jobs.push(job("small", 1));
        let enqueued = enqueue_many(stack.db.write(), now, jobs).await.unwrap();
        let small = enqueued.last().unwrap().id();
        let process = stack.start(&toys).await;
        eventually(LIMIT, "the small lane ran", async || {
            (toys.runs_of(small) > 0).then_some(())
        })
        .await;
        process.stop().await;
        let before = before_small.load(Ordering::SeqCst);
        assert!(before < 300, "{before} of the big lane ran before");
    })
    .await;
}
