//! Ending files that nothing needs any more, and looking at the storage as a whole. Whether something
//! needs a file is the caller's question; it asks in the transaction that ends the file.

use clipqueue_entities::{
    MediaId, Timestamp, UserId,
    media::{self, MediaState},
};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{ObjectStoreExt as _, path::Path};
use sea_orm::{ActiveValue::Set, ConnectionTrait};

use crate::media::{MediaError, MediaStore, Storage, StorageError, rows};

/// An object of the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub key: String,
    /// When it was written, as the storage says.
    pub since: Timestamp,
}

impl MediaStore {
    /// Ends a ready file in the caller's transaction. False, when it is not ready any more. After the
    /// commit its bytes are to be removed.
    pub async fn retire_in_tx(
        &self,
        tx: &impl ConnectionTrait,
        user: UserId,
        id: MediaId,
    ) -> Result<bool, MediaError> {
        let change = media::ActiveModel {
            state: Set(MediaState::Deleted),
            updated_at: Set(self.inner.clock.now()),
            expires_at: Set(None),
            ..Default::default()
        };
        Ok(rows::change_state(tx, user, id, MediaState::Ready, change).await?)
    }

    /// Removes the bytes of a file that was ended. What fails is left to the next sweep.
    pub async fn remove_retired(&self, id: MediaId) {
        self.purge(id).await;
    }

    /// Whether every object of a file is there.
    pub async fn has_objects(&self, id: MediaId) -> Result<bool, MediaError> {
        let store = self.inner.storage.store();
        for segment in rows::segments(self.inner.db.read(), id).await? {
            let found = store.head(&Path::from(segment.key)).await;
            match found.map_err(StorageError::from) {
                Ok(_) => {}
                Err(StorageError::Missing) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}

impl Storage {
    /// Every object, one after the other.
    pub fn walk(&self) -> BoxStream<'static, Result<Stored, StorageError>> {
        self.store()
            .list(None)
            .map_ok(|object| Stored {
                key: object.location.to_string(),
                since: Timestamp::from_millis(object.last_modified.timestamp_millis()),
            })
            .map_err(StorageError::from)
            .boxed()
    }

    /// Removes one object; one that is not there is no error.
    pub async fn discard(&self, key: &str) -> Result<(), StorageError> {
        let removed = self.store().delete(&Path::from(key)).await;
        match removed.map_err(StorageError::from) {
            Ok(()) | Err(StorageError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
