//! Deleting the bytes of files, and listing the storage afterwards.

use clipqueue_entities::{
    erasure::{self, ErasureScope},
    media,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};
use serde_json::{Value, json};

use super::{Watched, handed::is_needed_elsewhere};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::error::Result,
    queue::Lease,
};

/// Files between two looks at whether the worker still holds its job.
const STRIDE: usize = 20;

/// Deletes the bytes of every file of the erasure; fails while something is left, to be tried again.
pub async fn wipe_media(app: &App, lease: &Lease, erasure: &erasure::Model) -> Result<Value> {
    let mut watched = Watched::of(erasure);
    let Some(user) = watched.user else {
        return Ok(json!({ "files": 0, "objects": 0, "listed_afterwards": 0 }));
    };
    if erasure.scope == ErasureScope::Account {
        spare(app, erasure, &mut watched).await?;
    }
    let mut objects = 0;
    for (at, id) in watched.media.iter().enumerate() {
        if at % STRIDE == 0 {
            lease.prove(&app.db).await.map_err(anyhow::Error::from)?;
        }
        objects += app
            .media
            .erase(user, *id)
            .await
            .map_err(anyhow::Error::from)?;
    }
    let mut left = 0;
    for id in &watched.media {
        left += app
            .media
            .stored_objects(*id)
            .await
            .map_err(anyhow::Error::from)?;
    }
    if left > 0 {
        return Err(anyhow::anyhow!("{left} objects came back while files were deleted").into());
    }
    Ok(json!({
        "files": watched.media.len(),
        "objects": objects,
        "listed_afterwards": left,
    }))
}

/// Takes the files out that a post of another account came to need since they were listed. The others
/// are ended, so that none can.
async fn spare(app: &App, erasure: &erasure::Model, watched: &mut Watched) -> Result<()> {
    let Some(user) = watched.user else {
        return Ok(());
    };
    let before = watched.media.len();
    let mut free = Vec::with_capacity(before);
    for id in &watched.media {
        let tx = app.db.begin().await?;
        // A post that is accepted with the file at this moment waits for us, or we for it.
        media::Entity::find_by_id(*id)
            .lock_exclusive()
            .one(&tx)
            .await?;
        if is_needed_elsewhere(app, *id, erasure.account_id).await? {
            tx.rollback().await?;
            continue;
        }
        let ended = app.media.retire_in_tx(&tx, user, *id).await;
        ended.map_err(anyhow::Error::from)?;
        crash::commit(tx, Commit::RowsErased).await?;
        free.push(*id);
    }
    watched.media = free;
    if watched.media.len() == before {
        return Ok(());
    }
    let kept = serde_json::to_value(&*watched).map_err(anyhow::Error::from)?;
    let update = erasure::Entity::update_many()
        .set(erasure::ActiveModel {
            watched: Set(Some(kept)),
            ..Default::default()
        })
        .filter(erasure::Column::Id.eq(erasure.id))
        .exec(app.db.write());
    crash::write(Commit::RowsErased, update).await?;
    Ok(())
}
