//! Every act of an operator is on record, exactly when it was carried out.

use std::time::Duration;

use clipqueue::{
    domain::{
        audit::{self, AuditFilter},
        bulk,
        error::Error,
        operators,
    },
    queue::{Mode, ledger::JobFilter},
};
use clipqueue_entities::{JobId, bulk_act::BulkAction, job::JobState};
use sea_orm::ConnectionTrait as _;

use super::support::{add, add_many, harmless, put, read};
use crate::{on_both_stacks, support::app::TestApp};

on_both_stacks!(
    every_act_is_recorded_with_who_what_and_how_it_ended,
    an_act_that_cannot_be_recorded_is_not_carried_out,
);

async fn log(t: &TestApp) -> Vec<audit::Entry> {
    let mut entries = audit::list(&t.app, &AuditFilter::default(), None, false, 100)
        .await
        .unwrap();
    entries.reverse();
    entries
}

async fn every_act_is_recorded_with_who_what_and_how_it_ended(mut t: TestApp) {
    let (app, actor) = (t.app.clone(), t.actor.clone());
    let id = add(&t, harmless(&t)).await;
    operators::cancel_job(&app, &actor, id).await.unwrap();
    // Once more is no act.
    operators::cancel_job(&app, &actor, id).await.unwrap();
    operators::retry_job(&app, &actor, id).await.unwrap();
    operators::retry_job(&app, &actor, id).await.unwrap_err();
    put(&t, id, JobState::Held, |_| {}).await;
    operators::release_job(&app, &actor, id).await.unwrap();
    let nobody = JobId::new();
    operators::release_job(&app, &actor, nobody)
        .await
        .unwrap_err();
    for mode in [Mode::Paused, Mode::Draining, Mode::Open] {
        operators::set_mode(&app, &actor, "uploads", mode)
            .await
            .unwrap();
    }
    operators::set_mode(&app, &actor, "nothing", Mode::Paused)
        .await
        .unwrap_err();
    add_many(&t, 2, JobState::Discarded).await;
    let filter = JobFilter {
        kind: Some("apply_notice".into()),
        ..JobFilter::default()
    };
    let seen = bulk::preview(&app, BulkAction::Retry, &filter)
        .await
        .unwrap();
    let act = bulk::start(&app, &actor, BulkAction::Retry, &filter, seen.as_of, "a")
        .await
        .unwrap();
    bulk::cancel(&app, &actor, act.id).await.unwrap();
    let act = bulk::start(&app, &actor, BulkAction::Retry, &filter, seen.as_of, "b")
        .await
        .unwrap();
    // The same request once more starts nothing and is no act.
    bulk::start(&app, &actor, BulkAction::Retry, &filter, seen.as_of, "b")
        .await
        .unwrap();
    t.drain().await;
    bulk::cancel(&app, &actor, act.id).await.unwrap_err();

    let entries = log(&t).await;
    let told: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| (entry.row.action.as_str(), entry.row.outcome.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("job.cancel", "done"),
            ("job.retry", "done"),
            ("job.retry", "wrong_state"),
            ("job.release", "done"),
            ("job.release", "not_found"),
            ("queue.pause", "done"),
            ("queue.drain", "done"),
            ("queue.resume", "done"),
            ("queue.pause", "not_found"),
            ("bulk.start", "done"),
            ("bulk.cancel", "done"),
            ("bulk.start", "done"),
            ("bulk.completed", "done"),
            ("bulk.cancel", "wrong_state"),
        ]
    );
    let first = &entries[0];
    assert_eq!(first.row.subject, format!("job:{id}"));
    assert_eq!(first.row.details["from"], "available");
    assert_eq!(first.row.details["kind"], "apply_notice");
    assert_eq!(first.row.created_at, app.clock.now());
    for entry in &entries {
        if entry.row.action == "bulk.completed" {
            assert_eq!(entry.row.key_id, None, "the installation's own");
            assert_eq!(entry.row.details["done"], 2);
        } else {
            assert_eq!(entry.row.user_id, Some(actor.user_id));
            assert_eq!(entry.row.key_id, actor.key_id);
            assert_eq!(entry.user_name.as_deref(), Some("ada"));
            assert_eq!(entry.key_name.as_deref(), Some("test"));
        }
    }
    let narrow = AuditFilter {
        subject: Some("queue:uploads".into()),
        user_name: Some("ada".into()),
        action: Some("queue.drain".into()),
    };
    let found = audit::list(&app, &narrow, None, false, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    // Pages in both directions.
    let page = audit::list(
        &app,
        &AuditFilter::default(),
        Some(entries[5].row.id),
        false,
        3,
    )
    .await
    .unwrap();
    let ids: Vec<_> = page.iter().map(|entry| entry.row.id).collect();
    assert_eq!(
        ids,
        [entries[4].row.id, entries[3].row.id, entries[2].row.id]
    );
    let page = audit::list(
        &app,
        &AuditFilter::default(),
        Some(entries[5].row.id),
        true,
        2,
    )
    .await
    .unwrap();
    let ids: Vec<_> = page.iter().map(|entry| entry.row.id).collect();
    assert_eq!(ids, [entries[7].row.id, entries[6].row.id]);
}

async fn an_act_that_cannot_be_recorded_is_not_carried_out(t: TestApp) {
    let id = add(&t, harmless(&t)).await;
    let before = read(&t, id).await;
    t.advance(Duration::from_secs(1));
    t.app
        .db
        .write()
        .execute_unprepared("DROP TABLE audit_log")
        .await
        .unwrap();
    let failed = operators::cancel_job(&t.app, &t.actor, id).await;
    assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
    assert_eq!(read(&t, id).await, before);
    let failed = operators::set_mode(&t.app, &t.actor, "uploads", Mode::Paused).await;
    assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
    let queues = operators::queues(&t.app).await.unwrap();
    assert!(queues.iter().all(|queue| !queue.paused));
}
