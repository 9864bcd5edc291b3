//! Erasing files for good: the bytes first, then a look at the storage, which must be empty there.
//!
//! Rows of files are the caller's to delete, once nothing refers to them. Safe to repeat at any point.

use std::collections::HashSet;

use clipqueue_entities::{MediaId, UserId, media};
use sea_orm::{ActiveValue::Set, EntityTrait as _};

use crate::media::{MediaError, MediaState, MediaStore, rows};

impl MediaStore {
    /// Ends a tenant's file in whatever state it is and removes its bytes. Gives how many objects were
    /// stored; none when the file is not there.
    pub async fn erase(&self, user: UserId, id: MediaId) -> Result<u64, MediaError> {
        let row = match rows::find(self.inner.db.read(), user, id).await {
            Ok(row) => row,
            Err(MediaError::NotFound) => return self.wipe(id).await,
            Err(error) => return Err(error),
        };
        // Whoever is sending is stopped first, so that nothing is stored behind our back.
        let _guard = match row.state {
            MediaState::Uploading => {
                Some(self.inner.locks.seize(id).await.ok_or(MediaError::Busy)?)
            }
            MediaState::Ready
            | MediaState::Rejected
            | MediaState::Expired
            | MediaState::Deleted => None,
        };
        if matches!(row.state, MediaState::Uploading | MediaState::Ready) {
            let change = media::ActiveModel {
                state: Set(MediaState::Deleted),
                updated_at: Set(self.inner.clock.now()),
                expires_at: Set(None),
                ..Default::default()
            };
            let db = self.inner.db.write();
            rows::change_state(db, user, id, row.state, change).await?;
        }
        let objects = self.wipe(id).await?;
        let tx = self.inner.db.begin().await?;
        rows::mark_purged(&tx, id, self.inner.clock.now()).await?;
        tx.commit().await?;
        Ok(objects)
    }

    /// Removes whatever is stored under a file's name. Gives how many objects there were.
    pub async fn wipe(&self, id: MediaId) -> Result<u64, MediaError> {
        let storage = &self.inner.storage;
        let found = storage.count(id).await?;
        storage.remove_all_but(id, &HashSet::new()).await?;
        Ok(found)
    }

    /// How many objects are stored under a file's name.
    pub async fn stored_objects(&self, id: MediaId) -> Result<u64, MediaError> {
        Ok(self.inner.storage.count(id).await?)
    }

    /// Every file of a tenant, in whatever state.
    pub async fn all_of(&self, user: UserId) -> Result<Vec<MediaId>, MediaError> {
        use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
        Ok(media::Entity::find()
            .select_only()
            .column(media::Column::Id)
            .filter(media::Column::UserId.eq(user))
            .order_by_asc(media::Column::Id)
            .into_tuple()
            .all(self.inner.db.read())
            .await?)
    }
}
