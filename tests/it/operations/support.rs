//! Jobs in any state, without waiting for them to get there.

use clipqueue::queue::{self, NewJob};
use clipqueue_entities::{
    JobId, NoticeId,
    job::{self, JobState},
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _,
    IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _,
};

use crate::support::app::TestApp;

/// A harmless job, due now, with work of its own: it finds nothing to do.
pub(super) fn harmless(t: &TestApp) -> NewJob {
    NewJob {
        queue: "purge".to_owned(),
        kind: "apply_notice".to_owned(),
        args: serde_json::json!({ "notice_id": NoticeId::new(), "account_id": null }),
        lane: String::new(),
        priority: 0,
        run_at: t.app.clock.now(),
        max_attempts: 5,
        unique_key: None,
    }
}

pub(super) async fn add(t: &TestApp, job: NewJob) -> JobId {
    queue::enqueue(t.app.db.write(), t.app.clock.now(), job)
        .await
        .unwrap()
        .id()
}

/// `count` harmless jobs, put into `state`.
pub(super) async fn add_many(t: &TestApp, count: usize, state: JobState) -> Vec<JobId> {
    let jobs = (0..count).map(|_| harmless(t)).collect();
    let added = queue::enqueue_many(t.app.db.write(), t.app.clock.now(), jobs)
        .await
        .unwrap();
    let ids: Vec<JobId> = added.into_iter().map(|added| added.id()).collect();
    for id in &ids {
        put(t, *id, state, |_| {}).await;
    }
    ids
}

/// Puts a job into `state`.
pub(super) async fn put(
    t: &TestApp,
    id: JobId,
    state: JobState,
    edit: impl FnOnce(&mut job::ActiveModel),
) {
    let mut row = read(t, id).await.into_active_model();
    row.state = Set(state);
    row.updated_at = Set(t.app.clock.now());
    if state.is_final() {
        row.finished_at = Set(Some(t.app.clock.now()));
    }
    if state == JobState::Held {
        row.hold_reason = Set(Some("test".to_owned()));
    }
    edit(&mut row);
    row.update(t.app.db.write()).await.unwrap();
}

pub(super) async fn read(t: &TestApp, id: JobId) -> job::Model {
    t.app.queue.job(id).await.unwrap().unwrap()
}

/// How many of `ids` are in `state`.
pub(super) async fn count(t: &TestApp, ids: &[JobId], state: JobState) -> u64 {
    job::Entity::find()
        .filter(job::Column::Id.is_in(ids.iter().copied()))
        .filter(job::Column::State.eq(state))
        .count(t.app.db.read())
        .await
        .unwrap()
}
