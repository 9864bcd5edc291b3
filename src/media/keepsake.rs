//! Small documents that lie beside the files and outlive the database: each is written once and read
//! when a database was restored from an older copy. What is in them is their writer's affair.

use futures::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, PutPayload, path::Path};

use super::storage::{Storage, StorageError};

impl Storage {
    /// Writes the document `name` of a kind, in place of one of that name.
    pub async fn keep(&self, kind: &str, name: &str, text: String) -> Result<(), StorageError> {
        let payload = PutPayload::from(text.into_bytes());
        self.store().put(&place(kind, name), payload).await?;
        Ok(())
    }

    /// The document, if it is there.
    pub async fn kept(&self, kind: &str, name: &str) -> Result<Option<String>, StorageError> {
        self.read_text(&place(kind, name)).await
    }

    /// Every document of a kind.
    pub async fn all_kept(&self, kind: &str) -> Result<Vec<String>, StorageError> {
        let listed: Vec<_> = self
            .store()
            .list(Some(&Path::from(kind)))
            .map_ok(|object| object.location)
            .try_collect()
            .await?;
        let mut documents = Vec::with_capacity(listed.len());
        for path in listed {
            documents.extend(self.read_text(&path).await?);
        }
        Ok(documents)
    }

    /// Removes a document; one that is not there is no error.
    pub async fn drop_kept(&self, kind: &str, name: &str) -> Result<(), StorageError> {
        let removed = self.store().delete(&place(kind, name)).await;
        match removed.map_err(StorageError::from) {
            Ok(()) | Err(StorageError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The name of every stored object.
    pub async fn names(&self) -> Result<Vec<String>, StorageError> {
        Ok(self
            .store()
            .list(None)
            .map_ok(|object| object.location.to_string())
            .try_collect()
            .await?)
    }

    async fn read_text(&self, path: &Path) -> Result<Option<String>, StorageError> {
        let got = self.store().get(path).await.map_err(StorageError::from);
        let bytes = match got {
            Ok(object) => object.bytes().await?,
            Err(StorageError::Missing) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

fn place(kind: &str, name: &str) -> Path {
    Path::from_iter([kind.to_owned(), format!("{name}.json")])
}
