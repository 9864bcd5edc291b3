//! Files that no attempt can need any more: every post that has them is over, and has been for the time
//! that the plan of their user keeps them ([`life`], which also tells the date in advance). Each is looked
//! at again in the transaction that ends it, and its bytes go after the commit.

use clipqueue_entities::{MediaId, media};
use sea_orm::{ConnectionTrait, EntityTrait as _, QuerySelect as _, Statement, Value};
use uuid::Uuid;

use super::{
    Count,
    rows::{millis, with_states},
};
use crate::{
    app::App,
    domain::{
        error::Result,
        library::life::{self, Over},
    },
};

/// Files that one run ends.
const MOST: u64 = 5_000;

/// No post may still need the file since `$1`, and no attempt is open that offers it.
const UNNEEDED: &str = "t.state = 'ready' AND t.ready_at <= $1 \
     AND NOT EXISTS (SELECT 1 FROM posts p WHERE p.media_id = t.id \
       AND (p.state NOT IN ({final}) OR p.state_since > $1)) \
     AND NOT EXISTS (SELECT 1 FROM post_photos h JOIN posts p ON p.id = h.post_id \
       WHERE h.media_id = t.id AND (p.state NOT IN ({final}) OR p.state_since > $1)) \
     AND NOT EXISTS (SELECT 1 FROM attempt_photos h JOIN post_attempts a ON a.id = h.attempt_id \
       WHERE h.media_id = t.id AND a.open_key IS NOT NULL) \
     AND NOT EXISTS (SELECT 1 FROM posts p JOIN post_attempts a ON a.post_id = p.id \
       WHERE p.media_id = t.id AND a.open_key IS NOT NULL)";

pub(super) async fn count(app: &App) -> Result<Count> {
    let (mut found, mut after) = (Count::default(), MediaId(Uuid::nil()));
    while let Some((last, over)) = life::over(app, after).await? {
        after = last;
        for file in over {
            if is_unneeded(app, app.db.read(), &file).await? {
                found.count += 1;
                let oldest = found
                    .oldest
                    .map_or(file.ready_at, |at| at.min(file.ready_at));
                found.oldest = Some(oldest);
            }
        }
    }
    Ok(found)
}

/// Ends the files whose time is over. Gives how many.
pub(super) async fn purge(app: &App) -> Result<u64> {
    let (mut ended, mut after) = (0, MediaId(Uuid::nil()));
    while ended < MOST
        && let Some((last, over)) = life::over(app, after).await?
    {
        after = last;
        for file in over {
            ended += u64::from(end(app, &file).await?);
        }
    }
    Ok(ended)
}

/// Ends a file unless something came to need it, and removes its bytes.
pub(super) async fn end(app: &App, file: &Over) -> Result<bool> {
    let tx = app.db.begin().await?;
    // A post that names the file at this moment waits for us, or we for it.
    media::Entity::find_by_id(file.id)
        .lock_exclusive()
        .one(&tx)
        .await?;
    let ended = is_unneeded(app, &tx, file).await?
        && app
            .media
            .retire_in_tx(&tx, file.user_id, file.id)
            .await
            .map_err(anyhow::Error::from)?;
    if !ended {
        tx.rollback().await?;
        return Ok(false);
    }
    tx.commit().await?;
    app.media.remove_retired(file.id).await;
    Ok(true)
}

async fn is_unneeded(app: &App, tx: &impl ConnectionTrait, file: &Over) -> Result<bool> {
    let sql = format!(
        "SELECT t.id FROM media t WHERE t.id = $2 AND {}",
        with_states(UNNEEDED)
    );
    let values = [millis(file.since), Value::from(file.id.0)];
    let statement = Statement::from_sql_and_values(app.db.backend(), sql, values);
    Ok(tx.query_one_raw(statement).await?.is_some())
}
