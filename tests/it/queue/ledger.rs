//! What operators may ask.

use std::time::Duration;

use clipqueue::queue::{
    NewJob, Outcome,
    ledger::{JobFilter, PageRequest},
};
use clipqueue_entities::{JobId, job::JobState};

use super::fixture::{Stack, Toys, for_each_stack};

fn toys() -> Toys {
    let mut toys = Toys::default()
        .with("done", |_| async { Ok(Outcome::Done) })
        .with("other", |_| async { Ok(Outcome::Done) });
    let mut more = toys.queues[0].clone();
    more.name = "more".into();
    toys.queues.push(more);
    toys
}

async fn fill(stack: &Stack) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for n in 0..30_u64 {
        let job = NewJob {
            queue: if n % 3 == 0 { "more" } else { "toys" }.into(),
            kind: if n % 2 == 0 { "done" } else { "other" }.into(),
            lane: if n % 5 == 0 { "creator" } else { "" }.into(),
            run_at: stack.time.now() + Duration::from_secs(if n < 20 { 0 } else { n }),
            ..stack.toy("done")
        };
        jobs.push(stack.insert(job).await.id());
    }
    jobs
}

async fn pages(stack: &Stack, filter: &JobFilter) -> Vec<JobId> {
    let mut forward = Vec::new();
    let mut after = None;
    loop {
        let request = PageRequest {
            limit: 7,
            after,
            before: None,
        };
        let page = stack.queue.jobs(filter, request).await.unwrap();
        assert!(page.jobs.len() == 7 || !page.has_more);
        forward.extend(page.jobs.iter().map(|job| job.id));
        after = forward.last().copied();
        if !page.has_more {
            break;
        }
    }
    // The same pages, walked back from the end.
    let mut backward: Vec<JobId> = forward.last().copied().into_iter().collect();
    while let Some(before) = backward.first().copied() {
        let request = PageRequest {
            limit: 7,
            after: None,
            before: Some(before),
        };
        let page = stack.queue.jobs(filter, request).await.unwrap();
        let mut ids: Vec<JobId> = page.jobs.iter().map(|job| job.id).collect();
        ids.extend(backward);
        backward = ids;
        if !page.has_more {
            break;
        }
    }
    assert_eq!(forward, backward);
    forward
}

#[tokio::test]
async fn pages_cover_every_filter_in_both_directions() {
    for_each_stack(async |stack: Stack| {
        let mut jobs = fill(&stack).await;
        stack.drain(&toys()).await;
        jobs.reverse();
        assert_eq!(pages(&stack, &JobFilter::default()).await, jobs);
        let all = stack
            .queue
            .jobs(
                &JobFilter::default(),
                PageRequest {
                    limit: 500,
                    after: None,
                    before: None,
                },
            )
            .await
            .unwrap()
            .jobs;
        for queue in [None, Some("toys"), Some("more"), Some("none")] {
            for state in [None, Some(JobState::Completed), Some(JobState::Scheduled)] {
                for kind in [None, Some("other")] {
                    for lane in [None, Some("creator"), Some("")] {
                        let filter = JobFilter {
                            queue: queue.map(str::to_owned),
                            state,
                            kind: kind.map(str::to_owned),
                            lane: lane.map(str::to_owned),
                            ..JobFilter::default()
                        };
                        let expected: Vec<JobId> = all
                            .iter()
                            .filter(|job| queue.is_none_or(|queue| job.queue == queue))
                            .filter(|job| state.is_none_or(|state| job.state == state))
                            .filter(|job| kind.is_none_or(|kind| job.kind == kind))
                            .filter(|job| lane.is_none_or(|lane| job.lane == lane))
                            .map(|job| job.id)
                            .collect();
                        assert_eq!(pages(&stack, &filter).await, expected, "{filter:?}");
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn stats_tell_depth_and_the_oldest_waiting_job() {
    for_each_stack(async |stack: Stack| {
        fill(&stack).await;
        let start = stack.time.now();
        stack.queue.pause("toys").await.unwrap();
        stack.drain(&toys()).await;
        stack.time.advance(Duration::from_secs(5));
        let stats = stack.queue.stats(&[]).await.unwrap();
        let [more, toys] = &stats[..] else {
            panic!("two queues: {stats:?}")
        };
        assert_eq!((more.queue.as_str(), more.paused), ("more", false));
        assert_eq!((toys.queue.as_str(), toys.paused), ("toys", true));
        assert_eq!(more.count(JobState::Completed), 7);
        assert_eq!(more.count(JobState::Scheduled), 3);
        assert_eq!(more.oldest_waiting, None);
        assert_eq!(toys.count(JobState::Available), 13);
        assert_eq!(toys.count(JobState::Scheduled), 7);
        assert_eq!(toys.oldest_waiting, Some(start));
        // Due, but not promoted yet: it waits all the same.
        stack.time.advance(Duration::from_secs(60));
        let stats = stack.queue.stats(&["more".into()]).await.unwrap();
        assert_eq!(
            stats[0].oldest_waiting,
            Some(start + Duration::from_secs(21))
        );
    })
    .await;
}

#[tokio::test]
async fn pruning_takes_what_finished_long_ago_in_batches() {
    for_each_stack(async |stack: Stack| {
        let toys = toys();
        fill(&stack).await;
        stack.drain(&toys).await;
        let early = stack.time.now();
        stack.time.advance(Duration::from_secs(3600));
        stack.drain(&toys).await;
        assert_eq!(stack.queue.prune(early, 100).await.unwrap(), 0);
        let between = early + Duration::from_secs(60);
        assert_eq!(stack.queue.prune(between, 15).await.unwrap(), 15);
        assert_eq!(stack.queue.prune(between, 15).await.unwrap(), 5);
        assert_eq!(stack.queue.prune(between, 15).await.unwrap(), 0);
        let left = pages(&stack, &JobFilter::default()).await;
        assert_eq!(left.len(), 10);
        let late = stack.time.now() + Duration::from_secs(1);
        assert_eq!(stack.queue.prune(late, 100).await.unwrap(), 10);
    })
    .await;
}
