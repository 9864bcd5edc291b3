//! Archives that are made for somebody to fetch and deleted soon: each is one object, below `exports/`
//! and the name of what it belongs to. Nothing here knows what is in them.

use std::io;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{ObjectStoreExt as _, WriteMultipart, path::Path};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::media::{MediaStore, Reader, Storage, StorageError};

/// Where archives lie.
const PLACE: &str = "exports";
/// Bytes of a part of an upload to a bucket.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts that are on their way at the same time.
const PARTS_AHEAD: usize = 2;

/// What comes out of a writer.
#[derive(Debug)]
pub enum Part {
    /// The next bytes.
    Bytes(Bytes),
    /// There are no more; without it the writer was stopped.
    End,
}

/// An archive that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl Storage {
    /// A new name for an archive of `owner`; two writers never have the same.
    pub fn parcel_key(owner: &str) -> String {
        let name = uuid::Uuid::new_v4().simple();
        format!("{PLACE}/{owner}/{name}.zip")
    }

    /// Stores what comes, in constant memory. Without an end nothing is stored.
    pub async fn store_parcel(
        &self,
        key: &str,
        mut parts: mpsc::Receiver<Part>,
    ) -> Result<Parcel, StorageError> {
        let upload = self.store().put_multipart(&Path::from(key)).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let (mut size, mut hash) = (0, Sha256::new());
        loop {
            match parts.recv().await {
                Some(Part::Bytes(bytes)) => {
                    size += bytes.len() as u64;
                    hash.update(&bytes);
                    writer.wait_for_capacity(PARTS_AHEAD).await?;
                    writer.put(bytes);
                }
                Some(Part::End) => break,
                None => {
                    // What stays behind is removed with the next try, or by the bucket's own rule.
                    let _ = writer.abort().await;
                    return Err(io::Error::other("the writer of an archive was stopped").into());
                }
            }
        }
        writer.finish().await?;
        Ok(Parcel {
            size,
            sha256: hex::encode(hash.finalize()),
        })
    }

    /// Removes every archive of `owner`, and what a killed writer left.
    pub async fn remove_parcels(&self, owner: &str) -> Result<(), StorageError> {
        let below = Path::from_iter([PLACE, owner]);
        let keys: Vec<String> = self
            .store()
            .list(Some(&below))
            .map_ok(|object| object.location.to_string())
            .try_collect()
            .await?;
        for key in keys {
            self.discard(&key).await?;
        }
        self.clear_directory(&below, false).await
    }

    /// Whether any archive of `owner` is stored.
    pub async fn has_parcels(&self, owner: &str) -> Result<bool, StorageError> {
        let below = Path::from_iter([PLACE, owner]);
        let mut listed = self.store().list(Some(&below));
        Ok(listed.next().await.transpose()?.is_some())
    }
}

impl MediaStore {
    /// The archive of that name, to be read.
    pub fn parcel(&self, key: String, size: u64) -> Reader {
        Reader::of_object(self.inner.storage.clone(), key, size)
    }

    /// Refuses when `more` bytes would leave the disk nearly full.
    pub fn check_room(&self, more: u64) -> Result<(), crate::media::MediaError> {
        self.check_disk(more)
    }
}
