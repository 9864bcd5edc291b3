//! Retries of jobs that do the same work: one of them does it.

use clipqueue::{
    domain::{bulk, error::Code, operators},
    queue::{Outcome, ledger::JobFilter},
};
use clipqueue_entities::{bulk_act::BulkAction, job::JobState};

use super::support::{add, count, harmless, put};
use crate::{
    on_both_stacks,
    support::{app::TestApp, flows::codes},
};

on_both_stacks!(of_jobs_with_the_same_work_one_is_retried);

async fn of_jobs_with_the_same_work_one_is_retried(mut t: TestApp) {
    let one = harmless(&t);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = add(&t, one.clone()).await;
        put(&t, id, JobState::Discarded, |_| {}).await;
        ids.push(id);
    }
    let first = operators::retry_job(&t.app, &t.actor, ids[0]).await;
    assert!(first.unwrap().unique_key.is_some());
    let second = operators::retry_job(&t.app, &t.actor, ids[1]).await;
    assert_eq!(codes(second), [Code::WrongState]);
    let cancelled = operators::cancel_job(&t.app, &t.actor, ids[0]).await;
    assert_eq!(cancelled.unwrap().unique_key, None);
    put(&t, ids[0], JobState::Discarded, |_| {}).await;

    let filter = JobFilter {
        kind: Some(one.kind),
        ..JobFilter::default()
    };
    let seen = bulk::preview(&t.app, BulkAction::Retry, &filter)
        .await
        .unwrap();
    assert_eq!(seen.matched, 3);
    let act = bulk::start(
        &t.app,
        &t.actor,
        BulkAction::Retry,
        &filter,
        seen.as_of,
        "k",
    );
    let act = act.await.unwrap();
    let mut steps = t.steps();
    let (held, _) = t.claim_one(&mut steps).await;
    let over = bulk::advance(&t.app, &held.lease(), act.id).await.unwrap();
    assert_eq!((over.act.done, over.act.failed), (1, 2));
    let error = over.act.last_error.unwrap();
    assert!(error.contains("the same work"), "{error}");
    assert_eq!(count(&t, &ids, JobState::Available).await, 1);
    steps.end(held, Ok(Outcome::Done)).await;
    drop(steps);
    t.expect_discarded("apply_notice");
    t.drain().await;
}
