//! Acts on many jobs: what was previewed is what is done, once, whatever happens meanwhile.

use std::time::Duration;

use clipqueue::{
    domain::{
        bulk,
        error::{Code, Error},
        operators,
    },
    graphql::schema,
    job::Job,
    queue::{Failure, ledger::JobFilter},
};
use clipqueue_entities::{
    BulkActId, JobId,
    bulk_act::{BulkAction, BulkState},
    job::JobState,
};
use futures::StreamExt as _;
use sea_orm::ActiveValue::Set;

use super::support::{add_many, count, harmless, put, read};
use crate::{
    on_both_stacks,
    support::{app::TestApp, flows::codes},
};

on_both_stacks!(
    only_what_matched_at_the_preview_is_acted_on,
    every_field_of_the_filter_narrows,
    a_run_that_crashes_between_batches_goes_on_and_counts_nothing_twice,
    a_stopped_act_leaves_the_rest_alone,
    waiting_and_running_jobs_are_cancelled_and_held_ones_released,
    progress_is_seen_while_it_happens,
    an_act_whose_job_was_given_up_says_so,
    slips_are_refused,
);

fn of_kind() -> JobFilter {
    JobFilter {
        kind: Some("apply_notice".into()),
        ..JobFilter::default()
    }
}

async fn start(t: &TestApp, action: BulkAction, filter: &JobFilter) -> BulkActId {
    let seen = bulk::preview(&t.app, action, filter).await.unwrap();
    bulk::start(&t.app, &t.actor, action, filter, seen.as_of, &key())
        .await
        .unwrap()
        .id
}

fn key() -> String {
    uuid::Uuid::now_v7().to_string()
}

async fn only_what_matched_at_the_preview_is_acted_on(mut t: TestApp) {
    let meant = add_many(&t, 230, JobState::Discarded).await;
    let seen = bulk::preview(&t.app, BulkAction::Retry, &of_kind())
        .await
        .unwrap();
    assert_eq!((seen.matched, seen.capped), (230, false));
    assert_eq!(seen.sample.len(), 10);
    assert_eq!(seen.sample[0].id, meant[0]);
    t.advance(Duration::from_secs(60));
    let came = add_many(&t, 7, JobState::Discarded).await;
    // Somebody retried one of them, and it was given up once more.
    put(&t, meant[100], JobState::Discarded, |_| {}).await;
    let act = bulk::start(
        &t.app,
        &t.actor,
        BulkAction::Retry,
        &of_kind(),
        seen.as_of,
        "k",
    )
    .await
    .unwrap();
    assert_eq!(act.matched, 229);
    t.expect_discarded("apply_notice");
    t.drain().await;
    let act = bulk::get(&t.app, act.id).await.unwrap();
    assert_eq!(act.state, BulkState::Completed);
    assert_eq!((act.done, act.failed), (229, 0));
    assert_eq!(act.finished_at, Some(t.app.clock.now()));
    assert_eq!(count(&t, &meant, JobState::Completed).await, 229);
    assert_eq!(read(&t, meant[100]).await.state, JobState::Discarded);
    assert_eq!(count(&t, &came, JobState::Discarded).await, 7);
    let job = read(&t, act.job_id).await;
    assert_eq!(job.state, JobState::Completed);
    let progress = serde_json::json!({ "done": 229, "failed": 0, "total": 229 });
    assert_eq!(job.progress, Some(progress));
}

async fn every_field_of_the_filter_narrows(t: TestApp) {
    let ids = add_many(&t, 8, JobState::Held).await;
    let early = t.app.clock.now();
    put(&t, ids[0], JobState::Held, |row| {
        row.queue = Set("uploads".into());
    })
    .await;
    put(&t, ids[1], JobState::Held, |row| {
        row.lane = Set("a-creator".into());
    })
    .await;
    put(&t, ids[2], JobState::Held, |row| {
        row.hold_reason = Set(Some("reauth_required".into()));
    })
    .await;
    put(&t, ids[3], JobState::Held, |row| {
        row.last_error = Set(Some("TikTok: rate_limit_exceeded (429)".into()));
    })
    .await;
    put(&t, ids[4], JobState::Held, |row| {
        row.created_at = Set(early - Duration::from_secs(3600));
    })
    .await;
    put(&t, ids[5], JobState::Retryable, |row| {
        row.run_at = Set(early + Duration::from_secs(3600));
        row.hold_reason = Set(None);
    })
    .await;
    put(&t, ids[6], JobState::Held, |row| {
        row.kind = Set("prune".into());
    })
    .await;
    let none = JobFilter::default;
    let cases: Vec<(JobFilter, &[usize])> = vec![
        (
            JobFilter {
                queue: Some("uploads".into()),
                ..none()
            },
            &[0],
        ),
        (
            JobFilter {
                lane: Some("a-creator".into()),
                ..none()
            },
            &[1],
        ),
        (
            JobFilter {
                hold_reason: Some("reauth_required".into()),
                ..none()
            },
            &[2],
        ),
        (
            JobFilter {
                error: Some("rate_limit_exceeded".into()),
                ..none()
            },
            &[3],
        ),
        // The signs of a pattern are taken as they are.
        (
            JobFilter {
                error: Some("rate%exceeded".into()),
                ..none()
            },
            &[],
        ),
        (
            JobFilter {
                created_before: Some(early),
                ..none()
            },
            &[4],
        ),
        (
            JobFilter {
                created_from: Some(early),
                queue: Some("purge".into()),
                kind: Some("apply_notice".into()),
                state: Some(JobState::Held),
                ..none()
            },
            &[1, 2, 3, 7],
        ),
        (
            JobFilter {
                state: Some(JobState::Retryable),
                ..none()
            },
            &[5],
        ),
        (
            JobFilter {
                kind: Some("prune".into()),
                ..none()
            },
            &[6],
        ),
    ];
    for (filter, expected) in cases {
        let seen = bulk::preview(&t.app, BulkAction::Cancel, &filter)
            .await
            .unwrap();
        let found: Vec<JobId> = seen.sample.iter().map(|job| job.id).collect();
        let expected: Vec<JobId> = expected.iter().map(|at| ids[*at]).collect();
        assert_eq!(found, expected, "{filter:?}");
        assert_eq!(seen.matched, expected.len() as u64);
    }
}

async fn a_run_that_crashes_between_batches_goes_on_and_counts_nothing_twice(mut t: TestApp) {
    let ids = add_many(&t, 250, JobState::Discarded).await;
    let id = start(&t, BulkAction::Retry, &of_kind()).await;
    let mut steps = t.steps();
    let (held, _) = t.claim_one(&mut steps).await;
    let first = bulk::advance(&t.app, &held.lease(), id).await.unwrap();
    assert_eq!((first.act.done, first.over), (100, false));
    let zombie = held.lease();
    // The process dies with its lease.
    drop(held);
    t.advance(Duration::from_secs(60));
    steps.rescue().await.unwrap();
    t.advance(Duration::from_secs(5));
    assert_eq!(steps.rescue().await.unwrap(), 1);
    drop(steps);
    t.expect_discarded("apply_notice");
    t.drain().await;
    let act = bulk::get(&t.app, id).await.unwrap();
    assert_eq!(act.state, BulkState::Completed);
    assert_eq!((act.done, act.failed, act.matched), (250, 0, 250));
    assert_eq!(count(&t, &ids, JobState::Completed).await, 250);
    // A process that wakes up late changes nothing.
    let late = bulk::advance(&t.app, &zombie, id).await;
    assert!(matches!(late, Err(Error::Internal(_))), "{late:?}");
    assert_eq!(bulk::get(&t.app, id).await.unwrap(), act);
}

async fn a_stopped_act_leaves_the_rest_alone(mut t: TestApp) {
    let ids = add_many(&t, 150, JobState::Discarded).await;
    let id = start(&t, BulkAction::Retry, &of_kind()).await;
    let mut steps = t.steps();
    let (held, _) = t.claim_one(&mut steps).await;
    bulk::advance(&t.app, &held.lease(), id).await.unwrap();
    let stopped = bulk::cancel(&t.app, &t.actor, id).await.unwrap();
    assert_eq!(stopped.state, BulkState::Cancelled);
    let after = bulk::advance(&t.app, &held.lease(), id).await.unwrap();
    assert!(after.over);
    assert_eq!(after.act.done, 100);
    assert_eq!(count(&t, &ids, JobState::Discarded).await, 50);
    // Once more is the same.
    let again = bulk::cancel(&t.app, &t.actor, id).await.unwrap();
    assert_eq!(again, stopped);
    let state = steps.end(held, Ok(clipqueue::queue::Outcome::Done)).await;
    assert!(state.is_some_and(JobState::is_final), "{state:?}");
    t.expect_discarded("apply_notice");
    t.drain().await;
}

async fn waiting_and_running_jobs_are_cancelled_and_held_ones_released(mut t: TestApp) {
    let hour = Duration::from_secs(3600);
    let held = add_many(&t, 2, JobState::Held).await;
    put(&t, held[1], JobState::Held, |row| {
        row.run_at = Set(t.app.clock.now() + hour);
    })
    .await;
    let filter = JobFilter {
        hold_reason: Some("test".into()),
        ..JobFilter::default()
    };
    let id = start(&t, BulkAction::Release, &filter).await;
    t.drain().await;
    assert_eq!(bulk::get(&t.app, id).await.unwrap().done, 2);
    assert_eq!(read(&t, held[0]).await.state, JobState::Completed);
    assert_eq!(read(&t, held[1]).await.state, JobState::Scheduled);

    let running = super::support::add(&t, harmless(&t)).await;
    let mut steps = t.steps();
    let (claimed, _) = t.claim_one(&mut steps).await;
    assert_eq!(claimed.job().id, running);
    let id = start(&t, BulkAction::Cancel, &of_kind()).await;
    t.drain().await;
    let act = bulk::get(&t.app, id).await.unwrap();
    assert_eq!((act.done, act.failed), (2, 0));
    assert_eq!(read(&t, held[1]).await.state, JobState::Cancelled);
    assert!(read(&t, running).await.cancel_requested);
    assert!(claimed.lease().is_cancelled(), "its handler is told");
}

async fn progress_is_seen_while_it_happens(mut t: TestApp) {
    add_many(&t, 250, JobState::Discarded).await;
    let id = start(&t, BulkAction::Retry, &of_kind()).await;
    let schema = schema::build(t.app.clone()).finish();
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let global = URL_SAFE_NO_PAD.encode(format!("BulkAct:{id}"));
    let document = format!(
        "subscription {{ bulkActUpdated(id: \"{global}\") {{ state done total failed job {{ kind }} }} }}"
    );
    let request = async_graphql::Request::new(document).data(t.actor.clone());
    let mut stream = schema.execute_stream(request).boxed();
    let mut seen = Vec::new();
    let first = stream.next().await.unwrap();
    seen.push(first.data.into_json().unwrap()["bulkActUpdated"].clone());
    t.expect_discarded("apply_notice");
    t.drain().await;
    while let Some(answer) = tokio::time::timeout(Duration::from_secs(20), stream.next())
        .await
        .unwrap()
    {
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        seen.push(answer.data.into_json().unwrap()["bulkActUpdated"].clone());
    }
    assert_eq!(seen[0]["done"], 0);
    assert_eq!(seen[0]["job"]["kind"], "bulk_act");
    let last = seen.last().unwrap();
    assert_eq!(last["state"], "COMPLETED");
    assert_eq!(last["done"], 250);
    assert_eq!(last["total"], 250);
}

async fn an_act_whose_job_was_given_up_says_so(mut t: TestApp) {
    let ids = add_many(&t, 150, JobState::Discarded).await;
    let id = start(&t, BulkAction::Retry, &of_kind()).await;
    let mut steps = t.steps();
    let (held, _) = t.claim_one(&mut steps).await;
    bulk::advance(&t.app, &held.lease(), id).await.unwrap();
    assert_eq!(bulk::end_without_job(&t.app).await.unwrap(), 0);
    let error = anyhow::anyhow!("three crashes in a row");
    let ended = steps.end(held, Err(Failure::Discard { error })).await;
    assert_eq!(ended, Some(JobState::Discarded));
    drop(steps);
    let sweep = Job::SweepPosts {}.to_new(t.app.clock.now());
    super::support::add(&t, sweep).await;
    t.expect_discarded("apply_notice");
    t.expect_discarded("bulk_act");
    t.drain().await;
    let act = bulk::get(&t.app, id).await.unwrap();
    assert_eq!((act.state, act.done), (BulkState::Failed, 100));
    assert!(act.last_error.unwrap().contains("three crashes"));
    assert_eq!(act.finished_at, Some(t.app.clock.now()));
    let stopped = bulk::cancel(&t.app, &t.actor, id).await;
    assert_eq!(codes(stopped), [Code::WrongState]);
    // A retry of its job takes it up where it was.
    operators::retry_job(&t.app, &t.actor, act.job_id)
        .await
        .unwrap();
    t.drain().await;
    let act = bulk::get(&t.app, id).await.unwrap();
    assert_eq!((act.state, act.done), (BulkState::Completed, 150));
    assert_eq!(count(&t, &ids, JobState::Completed).await, 150);

    let id = start(&t, BulkAction::Cancel, &of_kind()).await;
    let job = bulk::get(&t.app, id).await.unwrap().job_id;
    operators::cancel_job(&t.app, &t.actor, job).await.unwrap();
    assert_eq!(bulk::end_without_job(&t.app).await.unwrap(), 1);
    let act = bulk::get(&t.app, id).await.unwrap();
    assert_eq!(act.state, BulkState::Cancelled);
    assert!(act.finished_at.is_some(), "it is pruned one day");
}

async fn slips_are_refused(t: TestApp) {
    let act = BulkAction::Cancel;
    let everything = bulk::preview(&t.app, act, &JobFilter::default()).await;
    assert_eq!(codes(everything), [Code::Required]);
    let over = JobFilter {
        state: Some(JobState::Completed),
        ..JobFilter::default()
    };
    assert_eq!(
        codes(bulk::preview(&t.app, act, &over).await),
        [Code::WrongState]
    );
    let (now, filter) = (t.app.clock.now(), of_kind());
    let hour = Duration::from_secs(3601);
    for as_of in [now + Duration::from_secs(1), now - hour] {
        let started = bulk::start(&t.app, &t.actor, act, &filter, as_of, "a").await;
        assert_eq!(codes(started), [Code::Invalid]);
    }
    let first = bulk::start(&t.app, &t.actor, act, &filter, now, "a")
        .await
        .unwrap();
    let again = bulk::start(&t.app, &t.actor, act, &filter, now, "a")
        .await
        .unwrap();
    assert_eq!(first.id, again.id);
    let other = bulk::start(&t.app, &t.actor, BulkAction::Retry, &filter, now, "a").await;
    assert_eq!(codes(other), [Code::IdempotencyMismatch]);
    let listed = bulk::list(&t.app, None, false, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
}
