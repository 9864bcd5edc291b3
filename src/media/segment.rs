//! Writing one segment: bytes go to storage in parts while they arrive, and the object exists only
//! when it is complete and durable.

use clipqueue_entities::{MediaId, media_segment};
use object_store::{ObjectStoreExt, PutPayload, WriteMultipart, path::Path};

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
    storage: Storage,
    writer: Writer,
}

/// How the bytes go to storage.
enum Writer {
    /// Less than a part: one request will do, and a process that dies leaves nothing behind.
    Small(Vec<u8>),
    /// In parts.
    Large(WriteMultipart),
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
        let writer = if storage.is_remote() {
            Writer::Small(Vec::new())
        } else {
            // A local file is written while the bytes come, so that making it durable is short.
            Writer::Large(in_parts(storage, &key).await?)
        };
        Ok(Self {
            id,
            start,
            len: 0,
            key,
            storage: storage.clone(),
            writer,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        if let Writer::Small(buffer) = &mut self.writer {
            if buffer.len() + bytes.len() <= PART_BYTES {
                buffer.extend_from_slice(bytes);
                self.len += bytes.len() as u64;
                return Ok(());
            }
            let buffered = std::mem::take(buffer);
            let mut writer = in_parts(&self.storage, &self.key).await?;
            writer.write(&buffered);
            self.writer = Writer::Large(writer);
        }
        if let Writer::Large(writer) = &mut self.writer {
            writer.wait_for_capacity(PARTS_IN_FLIGHT).await?;
            writer.write(bytes);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes the object durable.
    pub(super) async fn close(self, hash: RunningHash) -> Result<ClosedSegment, StorageError> {
        match self.writer {
            Writer::Small(buffer) => {
                let store = self.storage.store();
                store.put(&self.key, PutPayload::from(buffer)).await?;
            }
            Writer::Large(writer) => {
                writer.finish().await?;
            }
        }
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
        if let Writer::Large(writer) = self.writer {
            // What stays behind is removed when the file is checked or purged.
            let _ = writer.abort().await;
        }
    }
}

async fn in_parts(storage: &Storage, key: &Path) -> Result<WriteMultipart, StorageError> {
    let upload = storage.store().put_multipart(key).await?;
    Ok(WriteMultipart::new_with_chunk_size(upload, PART_BYTES))
}
