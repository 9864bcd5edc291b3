//! Objects that no row knows: what a killed writer or an older database left. Only those that are old
//! enough count, since an object is there before its row. The walk looks at every object and remembers
//! none of them.

use std::collections::HashSet;

use clipqueue_entities::{DataExportId, MediaId, Timestamp, data_export, media_segment};
use futures::StreamExt as _;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::Count;
use crate::{app::App, domain::error::Result, media::Stored};

/// Objects whose rows are looked for together.
const CHUNK: usize = 500;

/// Walks over the store. Removes at most `remove` strays, or counts all of them.
pub(super) async fn walk(app: &App, before: Timestamp, remove: Option<u64>) -> Result<Count> {
    let storage = app.media.storage().clone();
    let mut objects = storage.walk().chunks(CHUNK);
    let mut found = Count::default();
    while let Some(chunk) = objects.next().await {
        let chunk: std::result::Result<Vec<Stored>, _> = chunk.into_iter().collect();
        for object in strays(app, chunk.map_err(anyhow::Error::from)?, before).await? {
            if remove.is_some_and(|most| found.count >= most) {
                return Ok(found);
            }
            if remove.is_some() {
                let removed = storage.discard(&object.key).await;
                removed.map_err(anyhow::Error::from)?;
            }
            found.count += 1;
            let oldest = found.oldest.map_or(object.since, |at| at.min(object.since));
            found.oldest = Some(oldest);
        }
    }
    Ok(found)
}

/// Those of the objects that nothing knows. What is not named as we name things is not ours.
async fn strays(app: &App, objects: Vec<Stored>, before: Timestamp) -> Result<Vec<Stored>> {
    let old: Vec<(Stored, Place)> = objects
        .into_iter()
        .filter(|object| object.since < before)
        .filter_map(|object| Place::of(&object.key).map(|place| (object, place)))
        .collect();
    let files: HashSet<MediaId> = old
        .iter()
        .filter_map(|(_, place)| match place {
            Place::File(id) => Some(*id),
            Place::Export(_) | Place::Check => None,
        })
        .collect();
    let exports: HashSet<DataExportId> = old
        .iter()
        .filter_map(|(_, place)| match place {
            Place::Export(id) => Some(*id),
            Place::File(_) | Place::Check => None,
        })
        .collect();
    let archives = data_export::Entity::find()
        .filter(data_export::Column::Id.is_in(exports))
        .all(app.db.read())
        .await?
        .into_iter()
        .filter_map(|row| row.object);
    let mut known: HashSet<String> = media_segment::Entity::find()
        .filter(media_segment::Column::MediaId.is_in(files))
        .all(app.db.read())
        .await?
        .into_iter()
        .map(|row| row.key)
        .collect();
    known.extend(archives);
    Ok(old
        .into_iter()
        .map(|(object, _)| object)
        .filter(|object| !known.contains(&object.key))
        .collect())
}

/// Where an object of ours lies.
enum Place {
    File(MediaId),
    Export(DataExportId),
    /// A probe of `clipqueue doctor`.
    Check,
}

impl Place {
    fn of(key: &str) -> Option<Self> {
        let mut parts = key.split('/');
        match (parts.next()?, parts.next()?) {
            ("media", id) => id.parse().ok().map(Self::File),
            ("exports", id) => id.parse().ok().map(Self::Export),
            ("check", _) => Some(Self::Check),
            _ => None,
        }
    }
}
