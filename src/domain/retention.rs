//! What is deleted by age, in bounded batches that are safe to repeat.

use std::time::Duration;

use clipqueue_entities::{
    Timestamp, audit_entry, bulk_act, console_session, drift_report, idempotency_key, notice,
    oauth_state,
    post::{self, PostState},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, Iterable as _, QueryFilter as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, SelectStatement},
};

use super::{caps::marks, error::Result, post_state};
use crate::app::App;

/// A retried request is answered from memory for this long, and for as long after the end of the post
/// that it made.
const IDEMPOTENCY_TTL: Duration = Duration::from_secs(30 * 86_400);
/// A spent or expired consent is kept this long, so that a second use can be told from an unknown one.
const OAUTH_STATE_TTL: Duration = Duration::from_secs(86_400);
/// What the drift auditor found is kept this long.
const DRIFT_TTL: Duration = Duration::from_secs(30 * 86_400);
/// An act on many jobs is kept this long after its end.
const BULK_TTL: Duration = Duration::from_secs(90 * 86_400);
/// A notice is kept longer than TikTok repeats it, so that each repetition is known as one.
const NOTICE_TTL: Duration = Duration::from_secs(14 * 86_400);
/// Finished jobs deleted in one statement.
const BATCH: u64 = 1000;

/// What one run deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Finished jobs.
    pub jobs: u64,
    /// Idempotency keys.
    pub idempotency_keys: u64,
    /// Spent or expired consents.
    pub oauth_states: u64,
    /// Notices of TikTok's webhooks.
    pub notices: u64,
    /// Marks of caps that are free again.
    pub budget_marks: u64,
    /// Console sessions that are over.
    pub console_sessions: u64,
}

/// Deletes everything that is due.
pub async fn prune(app: &App) -> Result<Pruned> {
    let now = app.clock.now();
    let mut pruned = Pruned::default();
    loop {
        let deleted = app
            .queue
            .prune(now - app.config.queue.keep_finished, BATCH)
            .await?;
        pruned.jobs += deleted;
        if deleted < BATCH {
            break;
        }
    }
    let old = now - IDEMPOTENCY_TTL;
    pruned.idempotency_keys = idempotency_key::Entity::delete_many()
        .filter(idempotency_key::Column::CreatedAt.lt(old))
        .filter(Expr::not_exists(needing_key(post::Column::Id, old)))
        .filter(Expr::not_exists(needing_key(post::Column::BatchId, old)))
        .exec(app.db.write())
        .await?
        .rows_affected;
    pruned.oauth_states = oauth_state::Entity::delete_many()
        .filter(oauth_state::Column::ExpiresAt.lt(now - OAUTH_STATE_TTL))
        .exec(app.db.write())
        .await?
        .rows_affected;
    audit_entry::Entity::delete_many()
        .filter(audit_entry::Column::CreatedAt.lt(now - app.config.operations.keep_audit))
        .exec(app.db.write())
        .await?;
    drift_report::Entity::delete_many()
        .filter(drift_report::Column::CreatedAt.lt(now - DRIFT_TTL))
        .exec(app.db.write())
        .await?;
    bulk_act::Entity::delete_many()
        .filter(bulk_act::Column::FinishedAt.lt(now - BULK_TTL))
        .exec(app.db.write())
        .await?;
    pruned.notices = notice::Entity::delete_many()
        .filter(notice::Column::ReceivedAt.lt(now - NOTICE_TTL))
        .exec(app.db.write())
        .await?
        .rows_affected;
    pruned.budget_marks = marks::prune(app.db.write(), now).await?;
    pruned.console_sessions = console_session::Entity::delete_many()
        .filter(console_session::Column::ExpiresAt.lt(now))
        .exec(app.db.write())
        .await?
        .rows_affected;
    Ok(pruned)
}

/// Posts that a key's request made, by `made`: those that are not over, or were not `since` then. A
/// request that is repeated while its post waits for a year must not make a second one.
fn needing_key(made: post::Column, since: Timestamp) -> SelectStatement {
    let open = PostState::iter().filter(|state| !post_state::is_final(*state));
    post::Entity::find()
        .select_only()
        .column(post::Column::Id)
        .filter(
            Expr::col((post::Entity, made))
                .equals((idempotency_key::Entity, idempotency_key::Column::ResultId)),
        )
        .filter(
            post::Column::State
                .is_in(open)
                .or(post::Column::StateSince.gte(since)),
        )
        .into_query()
}
