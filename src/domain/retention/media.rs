//! Files that no attempt can need any more: every post that has them is over, and has been for the time
//! that they are kept. Each is looked at again in the transaction that ends it, and its bytes go after the
//! commit.

use clipqueue_entities::{MediaId, Timestamp, UserId, media};
use sea_orm::{ConnectionTrait, EntityTrait as _, QuerySelect as _, Statement, Value};

use super::{
    Count,
    rows::{self, millis, with_states},
};
use crate::{app::App, domain::error::Result};

/// Files that are ended in one go.
pub(super) const BATCH: u64 = 100;

/// Ready files that are old enough.
const READY: &str = "t.state = 'ready' AND t.ready_at < $1";
/// No post may still need them, and no attempt is open that offers them.
const UNNEEDED: &str = "NOT EXISTS (SELECT 1 FROM posts p WHERE p.media_id = t.id \
       AND (p.state NOT IN ({final}) OR p.state_since >= $1)) \
     AND NOT EXISTS (SELECT 1 FROM post_photos h JOIN posts p ON p.id = h.post_id \
       WHERE h.media_id = t.id AND (p.state NOT IN ({final}) OR p.state_since >= $1)) \
     AND NOT EXISTS (SELECT 1 FROM attempt_photos h JOIN post_attempts a ON a.id = h.attempt_id \
       WHERE h.media_id = t.id AND a.open_key IS NOT NULL) \
     AND NOT EXISTS (SELECT 1 FROM posts p JOIN post_attempts a ON a.post_id = p.id \
       WHERE p.media_id = t.id AND a.open_key IS NOT NULL)";

pub(super) async fn count(app: &App, before: Timestamp) -> Result<Count> {
    let sql = format!(
        "SELECT count(*) AS n, min(t.ready_at) AS oldest FROM media t WHERE {READY} AND {}",
        with_states(UNNEEDED)
    );
    rows::count(app, sql, before).await
}

/// Ends at most a batch of files. Gives how many.
pub(super) async fn purge(app: &App, before: Timestamp) -> Result<u64> {
    let sql = format!(
        "SELECT t.id, t.user_id FROM media t WHERE {READY} AND {} ORDER BY t.ready_at LIMIT {BATCH}",
        with_states(UNNEEDED)
    );
    let statement = Statement::from_sql_and_values(app.db.backend(), sql, [millis(before)]);
    let mut ended = 0;
    for row in app.db.read().query_all_raw(statement).await? {
        let (id, user): (MediaId, UserId) = (row.try_get("", "id")?, row.try_get("", "user_id")?);
        if end(app, user, id, before).await? {
            ended += 1;
        }
    }
    Ok(ended)
}

/// Ends a file unless something came to need it, and removes its bytes.
pub(super) async fn end(app: &App, user: UserId, id: MediaId, before: Timestamp) -> Result<bool> {
    let tx = app.db.begin().await?;
    // A post that names the file at this moment waits for us, or we for it.
    media::Entity::find_by_id(id)
        .lock_exclusive()
        .one(&tx)
        .await?;
    let ended = is_unneeded(app, &tx, id, before).await?
        && app
            .media
            .retire_in_tx(&tx, user, id)
            .await
            .map_err(anyhow::Error::from)?;
    if !ended {
        tx.rollback().await?;
        return Ok(false);
    }
    tx.commit().await?;
    app.media.remove_retired(id).await;
    Ok(true)
}

async fn is_unneeded(
    app: &App,
    tx: &impl ConnectionTrait,
    id: MediaId,
    before: Timestamp,
) -> Result<bool> {
    let sql = format!(
        "SELECT t.id FROM media t WHERE t.id = $2 AND {}",
        with_states(UNNEEDED)
    );
    let values = [millis(before), Value::from(id.0)];
    let statement = Statement::from_sql_and_values(app.db.backend(), sql, values);
    Ok(tx.query_one_raw(statement).await?.is_some())
}
