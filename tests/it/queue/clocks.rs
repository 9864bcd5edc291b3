//! Processes whose clocks differ, and clocks that are set back.

use std::{sync::Arc, time::Duration};

use clipqueue::{
    clock::{Clock, ManualClock, SteeredClock},
    queue::{DEFAULT_LEASE, Outcome, Queue, enqueue, steps::Steps},
};
use clipqueue_entities::job::JobState;
use sea_orm::ConnectionTrait as _;

use super::fixture::{LONG, Stack, Toys, for_each_stack, toy};
use crate::support::eventually;

const SECOND: Duration = Duration::from_secs(1);

fn toys() -> Toys {
    Toys::default().with("done", |_| async { Ok(Outcome::Done) })
}

/// A process on the same rows and pointers with a clock of its own.
fn by(stack: &Stack, clock: Clock, toys: &Toys) -> Steps {
    let queue = Queue::new(stack.db.clone(), clock, Arc::clone(&stack.transport));
    Steps::new(&queue, Arc::new(toys.clone()))
}

#[tokio::test]
async fn a_row_that_is_due_by_somebodys_clock_alone_is_not_lost_to_the_others() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        steps.audit().await.unwrap();
        let ahead = stack.clock.now() + SECOND;
        let enqueued = enqueue(stack.db.write(), ahead, toy("done", ahead)).await;
        let id = enqueued.unwrap().id();
        // By the long way, and another one by the short way.
        steps.relay().await.unwrap();
        assert!(stack.row(id).await.dispatched_at.is_some());
        assert!(steps.fetch(10).await.unwrap().is_empty());
        assert_eq!(stack.state(id).await, JobState::Scheduled);
        let enqueued = enqueue(stack.db.write(), ahead, toy("done", ahead)).await;
        let other = enqueued.unwrap().id();
        assert!(steps.start_few(10).await.unwrap().is_empty());
        assert_eq!(stack.state(other).await, JobState::Scheduled);
        stack.time.advance(SECOND);
        // Without an audit, which looks only at what has been so for a while.
        steps.relay().await.unwrap();
        let held = steps.fetch(10).await.unwrap();
        assert_eq!(held.len(), 2);
        assert!(held.iter().all(|held| held.job().attempt == 1));
    })
    .await;
}

#[tokio::test]
async fn a_pointer_that_was_lost_is_found_whatever_clock_dispatched_it() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        steps.audit().await.unwrap();
        let id = stack.add("done").await;
        let ahead = (stack.clock.now() + Duration::from_secs(3_600)).as_millis();
        let sql = format!("UPDATE jobs SET dispatched_at = {ahead}");
        let dispatch = async || stack.db.write().execute_unprepared(&sql).await.unwrap();
        dispatch().await;
        assert_eq!(steps.audit().await.unwrap(), 1, "one by one");
        dispatch().await;
        stack.lose_pointers().await;
        assert_eq!(steps.audit().await.unwrap(), 1, "all at once");
        stack.drain(&toys).await;
        assert_eq!(stack.state(id).await, JobState::Completed);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_ahead_rescues_nobody_who_lives() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let mut living = stack.steps(&toys);
        let id = stack.add("done").await;
        living.relay().await.unwrap();
        let held = living.fetch(1).await.unwrap().remove(0);
        let theirs = ManualClock::new(stack.clock.now() + Duration::from_secs(60));
        let mut ahead = by(&stack, Clock::Manual(theirs.clone()), &toys);
        for second in 1..=30 {
            stack.time.advance(SECOND);
            theirs.advance(SECOND);
            assert!(living.beat().await);
            if second % 3 == 0 {
                assert_eq!(ahead.rescue().await.unwrap(), 0, "after {second} s");
            }
        }
        assert_eq!(stack.row(id).await.crashes, 0);
        assert!(held.lease().prove(&stack.db).await.is_ok());
        // Whoever has died is found all the same.
        drop(held);
        theirs.advance(SECOND * 3);
        let first = ahead.rescue().await.unwrap();
        theirs.advance(SECOND * 3);
        assert_eq!(first + ahead.rescue().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_renewed_by_a_clock_that_was_set_back() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("clock");
        let set = |ahead_ms: i64| {
            let epoch = stack.clock.now().as_millis();
            let new = file.with_extension("new");
            std::fs::write(&new, format!("1 {epoch} {ahead_ms}")).unwrap();
            std::fs::rename(&new, &file).unwrap();
        };
        set(300_000);
        let clock = Clock::Steered(SteeredClock::open(file.clone()).unwrap());
        let mut steps = by(&stack, clock.clone(), &toys);
        let id = stack.add("done").await;
        steps.relay().await.unwrap();
        let held = steps.fetch(1).await.unwrap().remove(0);
        let by_the_others = clock.now();
        set(0);
        eventually(LONG, "the clock goes back", async || {
            (clock.now() < by_the_others).then_some(())
        })
        .await;
        assert!(steps.beat().await);
        // So that it changes, whatever the others take for the time.
        let until = stack.row(id).await.lease_until.unwrap();
        assert!(until <= clock.now() + DEFAULT_LEASE, "{until:?}");
        // And the handler believes no more than is written.
        let lease = held.lease();
        assert!(lease.is_believed());
        set(20_000);
        eventually(LONG, "the lease is over", async || {
            (!lease.is_believed()).then_some(())
        })
        .await;
        assert!(clock.now() < by_the_others, "by the written time");
    })
    .await;
}
