//! A drained queue: what runs ends, nothing new is taken, and the transport holds nothing of it.

use std::sync::Arc;

use clipqueue::{
    domain::operators,
    job::Jobs,
    queue::{Mode, Outcome, Runner, StartOptions},
};
use clipqueue_entities::job::JobState;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::support::{add, count, harmless, read};
use crate::{on_both_stacks, support::app::TestApp, support::eventually};

/// How long a condition may take on a busy machine.
const SOON: std::time::Duration = std::time::Duration::from_secs(60);

on_both_stacks!(a_drained_queue_is_empty_everywhere_but_in_the_database);

async fn a_drained_queue_is_empty_everywhere_but_in_the_database(t: TestApp) {
    let go = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&go);
    let runner: Runner = Arc::new(move |_| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.acquire().await.map_err(anyhow::Error::from)?.forget();
            Ok(Outcome::Done)
        })
    });
    let stop = CancellationToken::new();
    let options = StartOptions {
        runner,
        catalogue: Arc::new(Jobs::new(&t.app.config.queue)),
        queues: vec!["purge".to_owned()],
        grace: std::time::Duration::from_secs(5),
    };
    let process = t.app.queue.start(options, stop.clone()).await.unwrap();
    // One runs at a time in this queue; the others wait as pointers.
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(add(&t, harmless(&t)).await);
    }
    t.app.nudge("purge");
    let stats = async || {
        let all = operators::queues(&t.app).await.unwrap();
        all.into_iter().find(|it| it.queue == "purge").unwrap()
    };
    eventually(SOON, "one runs and the others are handed out", async || {
        let now = stats().await;
        (now.count(JobState::Running) == 1 && now.handed_out == 19).then_some(())
    })
    .await;
    let told = operators::set_mode(&t.app, &t.actor, "purge", Mode::Draining)
        .await
        .unwrap();
    assert!(told.paused && told.draining);
    eventually(
        SOON,
        "the transport holds the running one alone",
        async || {
            let depth = t.app.queue.transport().depth("purge", &[]).await.unwrap();
            (depth.waiting == 0).then_some(())
        },
    )
    .await;
    assert!(!stats().await.is_drained(), "one still runs");
    ids.push(add(&t, harmless(&t)).await);
    t.app.nudge("purge");
    go.add_permits(1);
    eventually(SOON, "the queue is drained", async || {
        stats().await.is_drained().then_some(())
    })
    .await;
    assert_eq!(count(&t, &ids, JobState::Completed).await, 1);
    assert_eq!(count(&t, &ids, JobState::Available).await, 20);
    for id in &ids[1..] {
        let job = read(&t, *id).await;
        assert!(job.attempt <= 1);
    }
    go.add_permits(100);
    let told = operators::set_mode(&t.app, &t.actor, "purge", Mode::Open)
        .await
        .unwrap();
    assert!(!told.paused && !told.draining);
    eventually(SOON, "the rest runs", async || {
        (count(&t, &ids, JobState::Completed).await == 21).then_some(())
    })
    .await;
    for id in &ids {
        assert_eq!(read(&t, *id).await.attempt, 1, "each ran once");
    }
    stop.cancel();
    process.stopped().await.unwrap();
}
