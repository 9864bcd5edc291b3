//! Processes of two versions side by side: the older one knows fewer kinds.

use std::time::Duration;

use clipqueue::queue::Outcome;
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
