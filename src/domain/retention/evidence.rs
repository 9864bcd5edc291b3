//! What was said word by word goes; that it was said, by whom, when, with which code and log id, stays.

use clipqueue_entities::Timestamp;
use sea_orm::{ConnectionTrait as _, Statement};

use super::{
    Count,
    rows::{self, millis, with_states},
};
use crate::{app::App, domain::error::Result};

/// Evidence with a body, of posts that are over since before then.
const DUE: &str = "t.created_at < $1 AND t.body_removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM posts p \
     WHERE p.id = t.post_id AND (p.state NOT IN ({final}) OR p.state_since >= $1))";

pub(super) async fn count(app: &App, before: Timestamp) -> Result<Count> {
    let sql = format!(
        "SELECT count(*) AS n, min(t.created_at) AS oldest FROM evidence t WHERE {}",
        with_states(DUE)
    );
    rows::count(app, sql, before).await
}

/// Empties at most `limit` bodies. Gives how many.
pub(super) async fn empty(app: &App, before: Timestamp, limit: u64) -> Result<u64> {
    let sql = format!(
        "UPDATE evidence SET body = '{{}}', body_removed_at = $2 WHERE id IN \
         (SELECT t.id FROM evidence t WHERE {} LIMIT {limit})",
        with_states(DUE)
    );
    let values = [millis(before), millis(app.clock.now())];
    let statement = Statement::from_sql_and_values(app.db.backend(), sql, values);
    Ok(app.db.write().execute_raw(statement).await?.rows_affected())
}
