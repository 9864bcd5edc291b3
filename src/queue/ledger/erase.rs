//! Deleting the jobs of one lane as if they had never been.

use clipqueue_entities::JobId;
use sea_orm::{ConnectionTrait, DbErr, Value};

use crate::queue::batch;

/// A job that was deleted, for its pointer to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The job.
    pub job: JobId,
    /// Its queue.
    pub queue: String,
    /// Its newest fence, which a waiting pointer carries.
    pub fence: i64,
}

/// Deletes up to `limit` jobs of a lane, finished or not, with their attempts. Those that run are
/// left; their handlers must be asked to stop first. After the commit call
/// [`Queue::forget`](crate::queue::Queue::forget).
pub async fn delete_lane(
    connection: &impl ConnectionTrait,
    lane: &str,
    limit: u64,
) -> Result<Vec<Erased>, DbErr> {
    let sql = "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE lane = $1 AND lane <> '' \
               AND state <> 'running' ORDER BY id LIMIT $2) AND state <> 'running' \
               RETURNING id, queue, fence";
    let values = vec![
        Value::from(lane),
        Value::from(i64::try_from(limit).unwrap_or(i64::MAX)),
    ];
    batch::all(connection, sql.to_owned(), values)
        .await?
        .iter()
        .map(|row| {
            Ok(Erased {
                job: row.try_get("", "id")?,
                queue: row.try_get("", "queue")?,
                fence: row.try_get("", "fence")?,
            })
        })
        .collect()
}

/// How many jobs of a lane run.
pub async fn running_in_lane(connection: &impl ConnectionTrait, lane: &str) -> Result<u64, DbErr> {
    let sql = "SELECT count(*) AS n FROM jobs WHERE lane = $1 AND lane <> '' AND state = 'running'";
    let rows = batch::all(connection, sql.to_owned(), vec![Value::from(lane)]).await?;
    let count: i64 = match rows.first() {
        Some(row) => row.try_get("", "n")?,
        None => 0,
    };
    Ok(count.unsigned_abs())
}
