//! Canaries, and what is past its deadline.

use std::time::Duration;

use clipqueue::{
    domain::{canaries, overdue},
    job::Jobs,
    queue::NewJob,
};
use clipqueue_entities::{account, account::AccountStatus, account_token, job::JobState};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};

use super::support::{add, harmless, put};
use crate::{on_both_stacks, support::app::TestApp};

on_both_stacks!(
    each_kind_of_stuck_row_is_counted,
    canaries_measure_the_wait_and_go_stale,
);

const MINUTE: Duration = Duration::from_secs(60);

async fn counted(t: &TestApp) -> [u64; 5] {
    let overdue = overdue::count(&t.app).await.unwrap();
    overdue.by_kind().map(|(_, count)| count)
}

async fn each_kind_of_stuck_row_is_counted(t: TestApp) {
    let account = t.connect("creator").await;
    let media = t.upload().await;
    let post = t.post(TestApp::direct(account.id, media)).await;
    t.lose_job(&clipqueue::domain::posts::upload_job(&post))
        .await;
    assert_eq!(counted(&t).await, [0, 0, 0, 0, 0]);

    // A job that a dead process left, and nobody rescues.
    add(&t, harmless(&t)).await;
    let mut steps = t.steps();
    let (held, _) = t.claim_one(&mut steps).await;
    drop(held);
    // One that is due and not taken, in each of the states in which it can be.
    let waits = add(&t, harmless(&t)).await;
    for state in [JobState::Scheduled, JobState::Retryable] {
        let id = add(&t, harmless(&t)).await;
        put(&t, id, state, |_| {}).await;
    }
    // Held for somebody, for later, over: none of these is stuck.
    let id = add(&t, harmless(&t)).await;
    put(&t, id, JobState::Held, |_| {}).await;
    let later = t.app.clock.now() + 60 * MINUTE;
    add(
        &t,
        NewJob {
            run_at: later,
            ..harmless(&t)
        },
    )
    .await;
    let id = add(&t, harmless(&t)).await;
    put(&t, id, JobState::Discarded, |_| {}).await;

    t.advance(MINUTE / 2);
    assert_eq!(
        counted(&t).await,
        [0, 0, 0, 0, 0],
        "all of it may be in order"
    );
    t.advance(MINUTE);
    assert_eq!(counted(&t).await, [0, 0, 1, 0, 0]);
    t.advance(15 * MINUTE);
    assert_eq!(counted(&t).await, [0, 3, 1, 0, 0]);
    put(&t, waits, JobState::Completed, |_| {}).await;
    assert_eq!(counted(&t).await, [0, 2, 1, 0, 0]);

    let now = t.app.clock.now();
    t.overwrite(post.id, |row| row.deadline_at = Set(Some(now - MINUTE)))
        .await;
    assert_eq!(counted(&t).await[0], 0, "the sweep has its turn first");
    t.overwrite(post.id, |row| row.deadline_at = Set(Some(now - 4 * MINUTE)))
        .await;
    assert_eq!(counted(&t).await, [1, 2, 1, 0, 0]);

    let token = account_token::Entity::find_by_id(account.id)
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap();
    let mut row = token.into_active_model();
    row.access_expires_at = Set(now - 11 * MINUTE);
    row.update(t.app.db.write()).await.unwrap();
    assert_eq!(counted(&t).await, [1, 2, 1, 1, 0]);
    // Nobody can renew the token of an account whose creator must act.
    let mut row = account::Entity::find_by_id(account.id)
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap()
        .into_active_model();
    row.status = Set(AccountStatus::ReauthRequired);
    row.update(t.app.db.write()).await.unwrap();
    assert_eq!(counted(&t).await, [1, 2, 1, 0, 0]);
}

async fn canaries_measure_the_wait_and_go_stale(mut t: TestApp) {
    let fresh = canaries::readings(&t.app).await.unwrap();
    assert_eq!(fresh.len(), Jobs::QUEUES.len());
    assert!(
        fresh
            .iter()
            .all(|it| it.succeeded_at.is_none() && !it.is_stale())
    );

    t.advance(MINUTE);
    let catalogue = Jobs::new(&t.app.config.queue);
    t.app.queue.fire_crons(&catalogue).await.unwrap();
    t.advance(Duration::from_secs(3));
    t.drain().await;
    let now = t.app.clock.now();
    for reading in canaries::readings(&t.app).await.unwrap() {
        assert_eq!(reading.latency, Some(Duration::from_secs(3)), "{reading:?}");
        assert_eq!(reading.succeeded_at, Some(now));
        assert_eq!(reading.age, Duration::ZERO);
    }

    // A queue that runs nothing cannot prove itself; the others can.
    t.app.queue.pause("uploads").await.unwrap();
    for _ in 0..6 {
        t.advance(MINUTE);
        t.fire_crons().await;
    }
    for reading in canaries::readings(&t.app).await.unwrap() {
        assert_eq!(
            reading.is_stale(),
            reading.queue == "uploads",
            "{reading:?}"
        );
    }
    assert_eq!(
        t.jobs("canary")
            .await
            .iter()
            .filter(|job| !job.state.is_final())
            .count(),
        1
    );
    t.app.queue.resume("uploads").await.unwrap();
    t.drain().await;
    let readings = canaries::readings(&t.app).await.unwrap();
    assert!(readings.iter().all(|reading| !reading.is_stale()));
    let waited = readings.iter().find(|it| it.queue == "uploads").unwrap();
    assert!(waited.latency >= Some(5 * MINUTE), "{waited:?}");
}
