//! Rules that delete rows of one table: the same condition counts them and deletes them.

use clipqueue_entities::{Timestamp, post::PostState};
use sea_orm::{ActiveEnum as _, ConnectionTrait as _, Iterable as _, Statement, Value};

use super::Count;
use crate::{
    app::App,
    domain::{error::Result, post_state},
};

/// Which rows of a table go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    /// The table, which the condition calls `t`.
    pub(super) table: &'static str,
    /// The columns of its key.
    pub(super) key: &'static str,
    /// The column that says since when a row could go.
    pub(super) since: &'static str,
    /// What must hold beside its age. `$1` is the instant before which things go, `{final}` the states
    /// of posts that are over.
    pub(super) only: &'static str,
}

const fn by_age(table: &'static str, key: &'static str, since: &'static str) -> Rows {
    Rows {
        table,
        key,
        since,
        only: "1 = 1",
    }
}

/// A request that is repeated while its post waits for a year must not make a second one.
pub(super) const IDEMPOTENCY_KEYS: Rows = Rows {
    only: "NOT EXISTS (SELECT 1 FROM posts p WHERE p.id = t.result_id \
             AND (p.state NOT IN ({final}) OR p.state_since >= $1)) \
           AND NOT EXISTS (SELECT 1 FROM posts p WHERE p.batch_id = t.result_id \
             AND (p.state NOT IN ({final}) OR p.state_since >= $1))",
    ..by_age("idempotency_keys", "user_id, \"key\"", "created_at")
};
pub(super) const OAUTH_STATES: Rows = by_age("oauth_states", "state_hash", "expires_at");
pub(super) const OPERATOR_SIGN_INS: Rows = by_age("operator_sign_ins", "state_hash", "expires_at");
pub(super) const CONSOLE_SESSIONS: Rows = by_age("console_sessions", "id", "expires_at");
pub(super) const USER_SESSIONS: Rows = by_age("user_sessions", "id", "expires_at");
pub(super) const BUDGET_MARKS: Rows = by_age("budget_marks", "subject, budget", "spent_until");
pub(super) const NOTICES: Rows = by_age("tiktok_notices", "id", "received_at");
pub(super) const DRIFT_REPORTS: Rows = by_age("drift_reports", "id", "created_at");
pub(super) const BULK_ACTS: Rows = by_age("bulk_acts", "id", "finished_at");
pub(super) const IMPORTS: Rows = by_age("media_imports", "id", "ended_at");
pub(super) const TALLIES: Rows = by_age("retention_days", "day, rule", "day");
pub(super) const EXPORT_RECORDS: Rows = by_age("data_exports", "id", "ended_at");
pub(super) const DELETION_REQUESTS: Rows = by_age("deletion_requests", "id", "ended_at");
pub(super) const MAILS: Rows = by_age("mails", "id", "ended_at");
pub(super) const BILLING_EVENTS: Rows = by_age("billing_events", "id", "received_at");
pub(super) const BILLING_RECORDS: Rows = by_age("billing_records", "id", "keep_until");
/// Another installation's, or of a plan that is not offered here.
pub(super) const STRANGE_SUBSCRIPTIONS: Rows = Rows {
    only: "t.user_id IS NULL",
    ..by_age("subscriptions", "id", "created_at")
};
/// What went back of a payment that nothing here was paid by.
pub(super) const STRANGE_PAYMENTS: Rows = Rows {
    only: "t.subscription_id IS NULL",
    ..by_age("subscription_payments", "id", "created_at")
};
pub(super) const WEBHOOK_DELIVERIES: Rows = Rows {
    only: "t.state <> 'pending'",
    ..by_age("webhook_deliveries", "id", "ended_at")
};
/// Of each tenant's events the oldest go first, so that what comes after a kept one is complete: whoever
/// follows by a cursor misses nothing unseen. They lie in the order of time, so that the search ends at
/// the first young one.
pub(super) const EVENTS: Rows = Rows {
    only: "t.seq < coalesce((SELECT y.seq FROM events y WHERE y.created_at >= $1 \
             ORDER BY y.seq LIMIT 1), 9223372036854775807) \
           AND NOT EXISTS (SELECT 1 FROM webhook_endpoints e WHERE e.user_id = t.user_id \
             AND e.enabled AND e.cursor < t.seq)",
    ..by_age("events", "seq", "created_at")
};
pub(super) const MEDIA_RECORDS: Rows = Rows {
    only: "t.state IN ('rejected', 'expired', 'deleted') \
           AND NOT EXISTS (SELECT 1 FROM posts p WHERE p.media_id = t.id) \
           AND NOT EXISTS (SELECT 1 FROM post_photos h WHERE h.media_id = t.id) \
           AND NOT EXISTS (SELECT 1 FROM attempt_photos a WHERE a.media_id = t.id) \
           AND NOT EXISTS (SELECT 1 FROM media_segments s WHERE s.media_id = t.id)",
    ..by_age("media", "id", "purged_at")
};

/// Counted here and deleted elsewhere: from the start of the chain up to the first young entry.
pub(super) const AUDIT: Rows = Rows {
    only: "t.seq < coalesce((SELECT min(y.seq) FROM audit_log y WHERE y.created_at >= $1), \
             9223372036854775807)",
    ..by_age("audit_log", "id", "created_at")
};
pub(super) const RECEIPTS: Rows = by_age("erasures", "id", "completed_at");
pub(super) const EXPORTS: Rows = Rows {
    only: "t.state = 'ready'",
    ..by_age("data_exports", "id", "expires_at")
};
pub(super) const UPLOADS: Rows = Rows {
    only: "t.state = 'uploading'",
    ..by_age("media", "id", "expires_at")
};

impl Rows {
    fn condition(&self) -> String {
        let Self { since, only, .. } = self;
        format!("t.{since} < $1 AND ({})", with_states(only))
    }

    /// How many rows would go.
    pub(super) async fn count(&self, app: &App, before: Timestamp) -> Result<Count> {
        let Self { table, since, .. } = self;
        let sql = format!(
            "SELECT count(*) AS n, min(t.{since}) AS oldest FROM {table} t WHERE {}",
            self.condition()
        );
        count(app, sql, before).await
    }

    /// Deletes at most `limit` of them. Gives how many.
    pub(super) async fn delete(&self, app: &App, before: Timestamp, limit: u64) -> Result<u64> {
        let Self { table, key, .. } = self;
        let sql = format!(
            "DELETE FROM {table} WHERE ({key}) IN \
             (SELECT {key} FROM {table} t WHERE {} ORDER BY {key} LIMIT {limit})",
            self.condition()
        );
        let statement = Statement::from_sql_and_values(app.db.backend(), sql, [millis(before)]);
        Ok(app.db.write().execute_raw(statement).await?.rows_affected())
    }
}

/// Asks for `n` and `oldest`, given the instant before which things go.
pub(super) async fn count(app: &App, sql: String, before: Timestamp) -> Result<Count> {
    let statement = Statement::from_sql_and_values(app.db.backend(), sql, [millis(before)]);
    let row = app.db.read().query_one_raw(statement).await?;
    let Some(row) = row else {
        return Ok(Count::default());
    };
    let (count, oldest): (i64, Option<i64>) = (row.try_get("", "n")?, row.try_get("", "oldest")?);
    Ok(Count {
        count: count.unsigned_abs(),
        oldest: oldest.map(Timestamp::from_millis),
    })
}

pub(super) fn millis(at: Timestamp) -> Value {
    Value::from(at.as_millis())
}

/// The condition with the states of posts that are over.
pub(super) fn with_states(condition: &str) -> String {
    let over: Vec<String> = PostState::iter()
        .filter(|state| post_state::is_final(*state))
        .map(|state| format!("'{}'", state.to_value()))
        .collect();
    condition.replace("{final}", &over.join(", "))
}
