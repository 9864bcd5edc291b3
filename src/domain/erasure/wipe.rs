//! Deleting the bytes of files, and listing the storage afterwards.

use clipqueue_entities::erasure;
use serde_json::{Value, json};

use super::Watched;
use crate::{app::App, domain::error::Result, queue::Lease};

/// Files between two looks at whether the worker still holds its job.
const STRIDE: usize = 20;

/// Deletes the bytes of every file of the erasure; fails while something is left, to be tried again.
pub async fn wipe_media(app: &App, lease: &Lease, erasure: &erasure::Model) -> Result<Value> {
    let watched = Watched::of(erasure);
    let Some(user) = watched.user else {
        return Ok(json!({ "files": 0, "objects": 0, "listed_afterwards": 0 }));
    };
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
