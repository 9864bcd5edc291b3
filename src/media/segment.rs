//! Writing one segment: bytes go to storage in parts while they arrive, and the object exists only
//! when it is complete and durable.

use clipqueue_entities::{MediaId, media_segment};
use object_store::{ObjectStoreExt, WriteMultipart, path::Path};

use crate::media::{
    StorageError,
    hash::RunningHash,
    rows,
    storage::{Storage, new_key},
};

/// Parts go out in this size; S3 takes no smaller ones.
const PART_BYTES: usize = 5 * 1024 * 1024;
/// Parts that may be on their way while the next one fills.
const PARTS_IN_FLIGHT: usize = 2;

/// A segment that still grows.
pub(super) struct OpenSegment {
    id: MediaId,
    start: u64,
    len: u64,
    key: Path,
    writer: WriteMultipart,
}

/// A durable segment, and where the file's hash stands behind it.
pub(super) struct ClosedSegment {
    pub(super) row: media_segment::Model,
    pub(super) hash_state: Vec<u8>,
}

impl OpenSegment {
    pub(super) async fn new(
        storage: &Storage,
        id: MediaId,
        start: u64,
    ) -> Result<Self, StorageError> {
        let key = new_key(id, start);
        let upload = storage.store().put_multipart(&key).await?;
        Ok(Self {
            id,
            start,
            len: 0,
            key,
            writer: WriteMultipart::new_with_chunk_size(upload, PART_BYTES),
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.writer.wait_for_capacity(PARTS_IN_FLIGHT).await?;
        self.writer.write(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes the object durable.
    pub(super) async fn close(self, hash: RunningHash) -> Result<ClosedSegment, StorageError> {
        self.writer.finish().await?;
        Ok(ClosedSegment {
            row: media_segment::Model {
                media_id: self.id,
                start: rows::stored(self.start),
                len: rows::stored(self.len),
                key: self.key.to_string(),
            },
            hash_state: hash.save(),
        })
    }

    /// Throws the bytes away.
    pub(super) async fn discard(self) {
        // What stays behind is removed when the file is checked or purged.
        let _ = self.writer.abort().await;
    }
}
