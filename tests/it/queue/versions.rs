//! Processes of two versions side by side: the older one knows fewer kinds.

use std::time::Duration;

use clipqueue::queue::{Failure, NewJob, Outcome, UNREADABLE_ARGS};
use clipqueue_entities::{JobId, job::JobState};

use super::fixture::{Process, Stack, Toys, for_each_live_stack};
use crate::support::eventually;

const SOON: Duration = Duration::from_secs(120);
/// Jobs of each kind. The older process takes about half of those that it does not know, each time
/// that they are let go.
const JOBS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_newer_version_run_although_an_older_process_stays_beside() {
    for_each_live_stack(async |stack: Stack| {
        let older = Toys::default().with("work", |_| async { Ok(Outcome::Done) });
        let newer = older.clone().with("novel", |_| async { Ok(Outcome::Done) });
        // The newer process is there first: nobody starts after the older one has parked a job.
        let new = Process::start(&stack.other_process(), &newer, SOON).await;
        let old = stack.start(&older).await;
        let mut jobs: Vec<JobId> = Vec::new();
        for _ in 0..JOBS {
            jobs.push(stack.add("novel").await);
            jobs.push(stack.add("work").await);
        }
        eventually(SOON, "everything has run", async || {
            let stats = stack.queue.stats(&["toys".into()]).await.unwrap();
            (stats[0].count(JobState::Completed) == jobs.len() as u64).then_some(())
        })
        .await;
        for id in &jobs {
            // Both catalogues share the list of runs.
            assert_eq!(newer.runs_of(*id), 1, "{id}");
            assert_eq!(stack.row(*id).await.crashes, 0);
        }
        old.stop().await;
        new.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_an_older_process_cannot_read_run_under_the_newer() {
    for_each_live_stack(async |stack: Stack| {
        let older = Toys::default().with("work", |_| async {
            let error = anyhow::anyhow!("an argument of tomorrow");
            Err(Failure::Unreadable { error })
        });
        let mut newer = Toys::default().with("work", |_| async { Ok(Outcome::Done) });
        newer.reads = |kind, args| kind == "work" && args["form"] == 2;
        let mut jobs: Vec<JobId> = Vec::new();
        // More than a page, and between them some that nobody can read.
        for number in 0..250 {
            let job = NewJob {
                args: serde_json::json!({ "form": if number % 5 == 0 { 3 } else { 2 } }),
                ..stack.toy("work")
            };
            jobs.push(stack.insert(job).await.id());
        }
        assert_eq!(stack.drain(&older).await.held, jobs.len());
        let new = Process::start(&stack.other_process(), &newer, SOON).await;
        eventually(SOON, "what can be read has run", async || {
            let stats = stack.queue.stats(&["toys".into()]).await.unwrap();
            (stats[0].count(JobState::Completed) == 200).then_some(())
        })
        .await;
        new.stop().await;
        for id in jobs.iter().step_by(5) {
            let row = stack.row(*id).await;
            assert_eq!(row.hold_reason.as_deref(), Some(UNREADABLE_ARGS));
        }
    })
    .await;
}
