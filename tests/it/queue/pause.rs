//! Queues that are paused or drained while something is under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use clipqueue::queue::{
    DEFAULT_LEASE, Mode, NewJob, Outcome,
    transport::{Channel, Pointer},
};
use clipqueue_entities::job::JobState;
use tokio::sync::Semaphore;

use super::{
    daemon::reaches,
    fixture::{Kind, LONG, Stack, Toys, for_each_live_stack, for_each_stack},
};
use crate::support::eventually;

const TOYS: Channel<'static> = Channel {
    queue: "toys",
    lane_limit: 0,
};

fn toys() -> Toys {
    Toys::default().with("done", |_| async { Ok(Outcome::Done) })
}

/// A loop that never gives way would keep the test, which shares its thread, from going on: it is watched
/// from another one.
#[test]
fn what_falls_due_in_a_paused_queue_leaves_its_process_alone() {
    for kind in [Kind::Embedded, Kind::Servers] {
        let (told, hears) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let stack = Stack::live(kind).await;
                let process = stack.start(&toys()).await;
                let due = stack.clock.now() + Duration::from_secs(3);
                let later = NewJob {
                    run_at: due,
                    ..stack.toy("done")
                };
                let later = stack.insert(later).await.id();
                // The relay looks again after each, and sees what comes next.
                for _ in 0..2 {
                    let now = stack.add("done").await;
                    reaches(&stack, now, JobState::Completed).await;
                }
                stack.queue.pause("toys").await.unwrap();
                stack
                    .clock
                    .sleep_until(due + Duration::from_millis(1_500))
                    .await;
                assert_eq!(stack.state(later).await, JobState::Scheduled);
                stack.queue.resume("toys").await.unwrap();
                reaches(&stack, later, JobState::Completed).await;
                process.stop().await;
            });
            told.send(()).unwrap();
        });
        hears.recv_timeout(LONG).expect("its process goes on");
    }
}

#[tokio::test]
async fn what_was_taken_before_a_queue_was_drained_does_not_start_afterwards() {
    for_each_stack(|stack| what_was_taken_does_not_start(stack, Mode::Draining)).await;
}

#[tokio::test]
async fn what_was_taken_before_a_queue_was_paused_does_not_start_afterwards() {
    for_each_stack(|stack| what_was_taken_does_not_start(stack, Mode::Paused)).await;
}

async fn what_was_taken_does_not_start(stack: Stack, mode: Mode) {
    {
        let toys = toys();
        let mut steps = stack.steps(&toys);
        steps.audit().await.unwrap();
        let taken = stack.add("done").await;
        steps.relay().await.unwrap();
        let deliveries = stack.transport.take(TOYS, 10, DEFAULT_LEASE).await.unwrap();
        assert_eq!(deliveries.deliveries.len(), 1);
        let now = stack.clock.now();
        let due = NewJob {
            run_at: now + Duration::from_secs(1),
            ..stack.toy("done")
        };
        let due = stack.insert(due).await.id();
        stack.time.advance(Duration::from_secs(1));
        let pointer = Pointer {
            job: due,
            nonce: 0,
            lane: String::new(),
            rank: 0,
        };
        let admitted = stack.transport.admit(TOYS, &[pointer], DEFAULT_LEASE).await;
        let admitted = admitted.unwrap();
        assert_eq!(admitted.len(), 1);

        let set = stack.queue.set_mode_in(stack.db.write(), "toys", mode);
        set.await.unwrap();
        stack.queue.announce_mode("toys", mode).await;
        let stats = &stack.queue.stats(&["toys".into()]).await.unwrap()[0];
        assert_eq!(stats.is_drained(), mode == Mode::Draining, "{stats:?}");
        // They slept for a moment, and claim what they hold.
        let late = [deliveries.deliveries, admitted].concat();
        assert!(steps.claim("toys", late).await.unwrap().is_empty());
        assert_eq!(stack.state(taken).await, JobState::Available);
        assert_eq!(stack.state(due).await, JobState::Scheduled);

        stack.queue.resume("toys").await.unwrap();
        stack.drain(&toys).await;
        for id in [taken, due] {
            assert_eq!(stack.state(id).await, JobState::Completed);
            assert_eq!(stack.row(id).await.attempt, 1);
        }
    }
}

/// Waits until the transport knows what runs of a lane and what waits.
async fn knows_a_full_lane(stack: &Stack) {
    eventually(LONG, "two of the lane run and three wait", async || {
        let depth = stack.transport.depth("toys", &["one".into()]).await;
        let depth = depth.unwrap();
        (depth.in_flight == 2 && depth.lanes[0] == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_keep_their_limit_when_the_transport_forgets_what_runs() {
    for_each_live_stack(async |stack: Stack| {
        let gate = Arc::new(Semaphore::new(0));
        let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (wait, now, most) = (Arc::clone(&gate), Arc::clone(&running), Arc::clone(&peak));
        let toys = toys().limits(10, 2).with("long", move |_| {
            let (wait, now, most) = (Arc::clone(&wait), Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                wait.acquire().await.unwrap().forget();
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(Outcome::Done)
            }
        });
        let process = stack.start(&toys).await;
        let mut jobs = Vec::new();
        for _ in 0..5 {
            let job = NewJob {
                lane: "one".into(),
                ..stack.toy("long")
            };
            jobs.push(stack.insert(job).await.id());
        }
        knows_a_full_lane(&stack).await;
        stack.lose_pointers().await;
        knows_a_full_lane(&stack).await;
        // Another lane goes on, past the one that is full.
        let other = stack.add("done").await;
        reaches(&stack, other, JobState::Completed).await;
        assert_eq!(running.load(Ordering::SeqCst), 2);
        gate.add_permits(jobs.len());
        for id in jobs {
            reaches(&stack, id, JobState::Completed).await;
        }
        assert_eq!(peak.load(Ordering::SeqCst), 2);
        process.stop().await;
    })
    .await;
}
