//! Crons fire once per slot, however many processes look.

use std::{sync::Arc, time::Duration};

use clipqueue::{
    clock::{Clock, ManualClock},
    queue::{CatchUp, CronSpec, Outcome, Queue},
};
use clipqueue_entities::{Timestamp, cron_slot, job};
use sea_orm::EntityTrait;

use super::fixture::{Stack, Toys, for_each_stack, toy};

fn hourly(name: &str, catch_up: CatchUp) -> CronSpec {
    CronSpec {
        name: name.into(),
        expression: "0 0 * * * *".into(),
        job: |slot| toy("tick", slot),
        catch_up,
    }
}

fn toys(crons: Vec<CronSpec>) -> Toys {
    let mut toys = Toys::default().with("tick", |_| async { Ok(Outcome::Done) });
    toys.crons = crons;
    toys
}

const HOUR: Duration = Duration::from_secs(3600);

/// Moves the clock to the start of the next hour.
fn next_hour(stack: &Stack) -> Timestamp {
    let now = stack.time.now().as_millis();
    let next = (now / 3_600_000 + 1) * 3_600_000;
    stack
        .time
        .advance(Duration::from_millis((next - now).unsigned_abs()));
    stack.time.now()
}

async fn fire(stack: &Stack, toys: &Toys) -> usize {
    stack.queue.fire_crons(toys).await.unwrap().len()
}

#[tokio::test]
async fn a_slot_fires_once_over_two_schedulers() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(vec![hourly("tick", CatchUp::Latest)]);
        let other = stack.other_process();
        assert_eq!(fire(&stack, &toys).await, 0, "the first look only notes");
        for _ in 0..10 {
            let slot = next_hour(&stack);
            let (one, two) = tokio::join!(stack.queue.fire_crons(&toys), other.fire_crons(&toys));
            assert_eq!(one.unwrap().len() + two.unwrap().len(), 1);
            assert_eq!(fire(&stack, &toys).await, 0);
            let rows = cron_slot::Entity::find()
                .all(stack.db.read())
                .await
                .unwrap();
            let row = rows.iter().max_by_key(|row| row.fire_at).unwrap();
            assert_eq!(row.fire_at, slot);
            let job = job::Entity::find_by_id(row.job_id.unwrap());
            let job = job.one(stack.db.read()).await.unwrap().unwrap();
            assert_eq!(job.run_at, slot);
        }
        assert_eq!(stack.drain(&toys).await.completed, 10);
    })
    .await;
}

#[tokio::test]
async fn of_missed_slots_the_latest_is_caught_up_or_none() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(vec![
            hourly("latest", CatchUp::Latest),
            hourly("skip", CatchUp::Skip),
        ]);
        fire(&stack, &toys).await;
        next_hour(&stack);
        assert_eq!(fire(&stack, &toys).await, 2);
        // Nothing runs for a day and a half.
        let last = next_hour(&stack) + HOUR * 35;
        stack.time.advance(HOUR * 35 + HOUR / 2);
        assert_eq!(fire(&stack, &toys).await, 1);
        assert_eq!(fire(&stack, &toys).await, 0);
        let rows = job::Entity::find().all(stack.db.read()).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.run_at).max(), Some(last));
        next_hour(&stack);
        assert_eq!(fire(&stack, &toys).await, 2, "both go on");
    })
    .await;
}

#[tokio::test]
async fn a_process_whose_clock_is_ahead_stops_nobody() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(vec![
            hourly("latest", CatchUp::Latest),
            hourly("skip", CatchUp::Skip),
        ]);
        next_hour(&stack);
        fire(&stack, &toys).await;
        // Half an hour past: too late for the one that skips.
        let wrong = ManualClock::new(stack.clock.now() + HOUR * 24 * 400 + HOUR / 2);
        let ahead = Queue::new(
            stack.db.clone(),
            Clock::Manual(wrong),
            Arc::clone(&stack.transport),
        );
        assert_eq!(ahead.fire_crons(&toys).await.unwrap().len(), 1);
        for _ in 0..3 {
            next_hour(&stack);
            assert_eq!(fire(&stack, &toys).await, 2, "the others go on");
            assert_eq!(fire(&stack, &toys).await, 0, "each slot once");
        }
        // A little ahead: its slots come round, and each of them has its one job already.
        let early = ManualClock::new(stack.clock.now() + HOUR);
        let ahead = Queue::new(
            stack.db.clone(),
            Clock::Manual(early),
            Arc::clone(&stack.transport),
        );
        assert_eq!(ahead.fire_crons(&toys).await.unwrap().len(), 2);
        next_hour(&stack);
        assert_eq!(fire(&stack, &toys).await, 0);
        next_hour(&stack);
        assert_eq!(fire(&stack, &toys).await, 2);
    })
    .await;
}

#[tokio::test]
async fn the_running_scheduler_fires_by_itself() {
    for_each_stack(async |stack: Stack| {
        let toys = toys(vec![hourly("tick", CatchUp::Latest)]);
        let process = stack.start(&toys).await;
        let soon = Duration::from_secs(20);
        crate::support::eventually(soon, "the cron is noted", async || {
            let rows = cron_slot::Entity::find()
                .all(stack.db.read())
                .await
                .unwrap();
            (!rows.is_empty()).then_some(())
        })
        .await;
        let slot = next_hour(&stack);
        crate::support::eventually(soon, "the job has run", async || {
            let rows = job::Entity::find().all(stack.db.read()).await.unwrap();
            rows.iter()
                .any(|row| row.run_at == slot && row.finished_at.is_some())
                .then_some(())
        })
        .await;
        process.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_expression_that_cannot_be_read_is_refused_at_start() {
    let stack = Stack::new(super::fixture::Kind::Embedded).await;
    let mut spec = hourly("nightly", CatchUp::Latest);
    spec.expression = "at night".into();
    let toys = toys(vec![spec]);
    let options = clipqueue::queue::StartOptions {
        runner: toys.runner(),
        catalogue: Arc::new(toys.clone()),
        queues: Vec::new(),
        grace: Duration::ZERO,
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let error = stack.queue.start(options, stop).await.unwrap_err();
    assert!(error.to_string().contains("nightly"), "{error}");
}
