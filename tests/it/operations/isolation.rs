//! Jobs that cannot be run are put aside where operators see them, and keep nobody from running.

use clipqueue::{
    domain::operators,
    queue::{self, MAX_ARGS_BYTES, NewJob, UNKNOWN_KIND, UNREADABLE_ARGS, ledger::JobFilter},
};
use clipqueue_entities::job::JobState;

use super::support::{add, count, harmless, read};
use crate::{on_both_stacks, support::app::TestApp};

on_both_stacks!(what_cannot_be_run_is_held_visibly_and_disturbs_nobody);

async fn what_cannot_be_run_is_held_visibly_and_disturbs_nobody(mut t: TestApp) {
    let unknown = add(
        &t,
        NewJob {
            kind: "of_a_newer_version".into(),
            ..harmless(&t)
        },
    )
    .await;
    let unreadable = add(
        &t,
        NewJob {
            kind: "upload_post".into(),
            args: serde_json::json!({ "post_id": ["not", "an", "id"] }),
            ..harmless(&t)
        },
    )
    .await;
    let healthy = [add(&t, harmless(&t)).await, add(&t, harmless(&t)).await];
    // Too long to be stored: its maker hears of it, and nothing is enqueued.
    let oversized = NewJob {
        args: serde_json::json!({ "text": "x".repeat(MAX_ARGS_BYTES) }),
        ..harmless(&t)
    };
    let refused = queue::enqueue(t.app.db.write(), t.app.clock.now(), oversized).await;
    assert!(refused.unwrap_err().to_string().contains("their id"));
    assert_eq!(t.jobs("apply_notice").await.len(), 2);

    t.drain().await;
    assert_eq!(count(&t, &healthy, JobState::Completed).await, 2);
    for (id, reason) in [(unknown, UNKNOWN_KIND), (unreadable, UNREADABLE_ARGS)] {
        let job = read(&t, id).await;
        assert_eq!(job.state, JobState::Held, "{job:?}");
        assert_eq!(job.hold_reason.as_deref(), Some(reason));
        assert!(job.last_error.is_some(), "{job:?}");
        let filter = JobFilter {
            hold_reason: Some(reason.into()),
            ..JobFilter::default()
        };
        let seen = operators::jobs(&t.app, &filter, None, false, 10).await;
        assert_eq!(seen.unwrap(), [job]);
    }
    // An operator can be done with them.
    operators::cancel_job(&t.app, &t.actor, unknown)
        .await
        .unwrap();
    operators::cancel_job(&t.app, &t.actor, unreadable)
        .await
        .unwrap();
    assert_eq!(
        count(&t, &[unknown, unreadable], JobState::Cancelled).await,
        2
    );
}
