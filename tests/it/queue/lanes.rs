//! One creator never hurts another.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use clipqueue::queue::{NewJob, Outcome};
use clipqueue_entities::job::JobState;

use super::{
    daemon::{SOON, reaches},
    fixture::{Process, Stack, Toys, for_each_live_stack, for_each_stack},
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
