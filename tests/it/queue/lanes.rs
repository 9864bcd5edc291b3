//! One creator never hurts another.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use clipqueue::queue::{NewJob, Outcome};
use clipqueue_entities::job::JobState;

use super::{
    daemon::{SOON, reaches},
    fixture::{Kind, Process, Stack, Toys, for_each_live_stack, for_each_stack},
};

#[tokio::test]
async fn lanes_keep_their_limit_over_two_processes() {
    for_each_live_stack(async |stack: Stack| {
        let running = Arc::new(Mutex::new(std::collections::HashMap::<String, usize>::new()));
        let worst = Arc::new(AtomicUsize::new(0));
        let (counts, peak) = (Arc::clone(&running), Arc::clone(&worst));
        let toys = Toys::default().limits(20, 2).with("lane", move |run| {
            let (counts, peak) = (Arc::clone(&counts), Arc::clone(&peak));
            async move {
                let now = {
                    let mut counts = counts.lock().unwrap();
                    let count = counts.entry(run.job.lane.clone()).or_default();
                    *count += 1;
                    *count
                };
                peak.fetch_max(now, Ordering::Relaxed);
                // Long enough for others to begin, if anything lets them.
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                *counts.lock().unwrap().get_mut(&run.job.lane).unwrap() -= 1;
                Ok(Outcome::Done)
            }
        });
        let mut jobs = Vec::new();
        for n in 0..60 {
            let job = NewJob {
                lane: format!("creator-{}", n % 3),
                ..stack.toy("lane")
            };
            jobs.push(stack.insert(job).await.id());
        }
        let one = stack.start(&toys).await;
        let two = Process::start(&stack.other_process(), &toys, SOON).await;
        for id in &jobs {
            reaches(&stack, *id, JobState::Completed).await;
            assert_eq!(toys.runs_of(*id), 1);
        }
        assert_eq!(worst.load(Ordering::Relaxed), 2);
        one.stop().await;
        two.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_of_one_creator_does_not_keep_another_out() {
    for_each_stack(async |stack: Stack| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&order);
        let toys = Toys::default().limits(10, 2).with("lane", move |run| {
            seen.lock().unwrap().push(run.job.lane.clone());
            async { Ok(Outcome::Done) }
        });
        let now = stack.clock.now();
        let big = (0..2000)
            .map(|_| NewJob {
                lane: "big".into(),
                ..stack.toy("lane")
            })
            .collect();
        clipqueue::queue::enqueue_many(stack.db.write(), now, big)
            .await
            .unwrap();
        let mut steps = stack.steps(&toys);
        steps.relay().await.unwrap();
        let small = NewJob {
            lane: "small".into(),
            ..stack.toy("lane")
        };
        stack.insert(small).await;
        stack.drain(&toys).await;
        let order = order.lock().unwrap();
        assert_eq!(order.len(), 2001);
        let place = order.iter().position(|lane| lane == "small").unwrap();
        assert!(place < 20, "the small lane ran as number {place}");
    })
    .await;
}

/// How many jobs run in one turn.
const SLOTS: usize = 8;
/// Creators with a job now and then.
const CREATORS: usize = 30;
/// Turns that are measured.
const TURNS: usize = 200;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// Turns that the 99th of a hundred jobs of ordinary creators waits, next to `backlog` jobs of one.
///
/// A turn is one pass of the relay and one batch that ends. On average ordinary creators bring half of
/// what runs in a turn, in bursts.
async fn p99(stack: &Stack, toys: &Toys, backlog: usize) -> usize {
    let now = stack.clock.now();
    let whale = |_| NewJob {
        lane: "whale".into(),
        ..stack.toy("lane")
    };
    for start in (0..backlog).step_by(500) {
        let batch = (start..(start + 500).min(backlog)).map(whale).collect();
        clipqueue::queue::enqueue_many(stack.db.write(), now, batch)
            .await
            .unwrap();
    }
    let mut steps = stack.steps(toys);
    let mut dice = Dice(42);
    let mut born = std::collections::HashMap::new();
    let mut waits = Vec::new();
    let mut ran = 0;
    let mut turn = 0;
    while turn < TURNS || !born.is_empty() {
        assert!(turn < TURNS * 10, "{} jobs never ran", born.len());
        if turn < TURNS {
            // In one turn of four, a burst that no turn can take at once.
            for _ in 0..(if dice.below(4) == 0 { 2 * SLOTS } else { 0 }) {
                let job = NewJob {
                    lane: format!("creator-{}", dice.below(CREATORS as u64)),
                    ..stack.toy("lane")
                };
                born.insert(stack.insert(job).await.id(), turn);
            }
        }
        steps.relay().await.unwrap();
        for held in steps.fetch(SLOTS).await.unwrap() {
            match born.remove(&held.job().id) {
                Some(at) => waits.push(turn - at),
                None => ran += 1,
            }
            steps.end(held, Ok(Outcome::Done)).await.unwrap();
        }
        turn += 1;
    }
    assert!(
        backlog == 0 || ran > TURNS,
        "the whale is served too: {ran}"
    );
    waits.sort_unstable();
    waits[waits.len() * 99 / 100]
}

async fn one_whale_beside_many(kind: Kind, backlog: usize) {
    let toys = Toys::default()
        .limits(SLOTS, 2)
        .with("lane", |_| async { Ok(Outcome::Done) });
    let alone = p99(&Stack::new(kind).await, &toys, 0).await;
    let beside = p99(&Stack::new(kind).await, &toys, backlog).await;
    assert!(alone > 0, "without any wait nothing is measured");
    assert!(beside <= 2 * alone, "p99 was {alone} turns and is {beside}");
}

#[tokio::test]
async fn a_hundred_thousand_jobs_of_one_do_not_double_the_wait_of_others() {
    one_whale_beside_many(Kind::Embedded, 100_000).await;
}

#[tokio::test]
async fn the_same_on_servers() {
    one_whale_beside_many(Kind::Servers, 20_000).await;
}
