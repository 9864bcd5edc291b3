//! Where the bytes lie: an object store, either a local directory with fsync or an S3-compatible one.
//!
//! Objects are immutable and lie under `media/{id}/`. Nothing here knows rows or tenants.

use std::{collections::HashSet, fmt, io, path::PathBuf, sync::Arc};

use clipqueue_entities::MediaId;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, path::Path};

use super::s3::{self, S3Address};

/// Where a check looks, and where the probe of `clipqueue doctor` writes: beside all media.
const CHECK: &str = "check";

/// What the storage could not do.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The address of the storage cannot be used.
    #[error("media.url {0}")]
    Address(String),
    /// The disk is full.
    #[error("the storage's disk is full")]
    Full,
    /// A stored object is not there.
    #[error("a stored object is missing")]
    Missing,
    /// The bucket or the directory is not there.
    #[error("the storage's bucket or directory does not exist; check media.url")]
    Gone,
    /// What was written came back as something else.
    #[error("the storage gave back other bytes than were written")]
    Broken,
    /// Anything else.
    #[error("the object store failed")]
    Store(#[source] object_store::Error),
    /// The directory could not be looked at.
    #[error("the storage directory failed")]
    Directory(#[from] io::Error),
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing;
        }
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<io::Error>()
                && matches!(
                    io.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                )
            {
                return Self::Full;
            }
            source = cause.source();
        }
        Self::Store(error)
    }
}

/// A place for objects. Clones share it.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    /// The directory, when the store is one: for its free space and for what a killed writer leaves.
    root: Option<PathBuf>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("root", &self.root).finish()
    }
}

impl Storage {
    /// Opens the directory that `address` names, as `file:///path` or as a plain path. The directory is
    /// made when it is missing.
    pub fn open(address: &str) -> Result<Self, StorageError> {
        let root = if address.starts_with("file:") {
            url::Url::parse(address)
                .ok()
                .and_then(|url| url.to_file_path().ok())
                .ok_or_else(|| {
                    StorageError::Address(format!(
                        "{address:?} is no local path; write file:///absolute/path"
                    ))
                })?
        } else if address.contains("://") {
            return Err(StorageError::Address(
                "is no directory; use a path or file:///absolute/path".to_owned(),
            ));
        } else if address.is_empty() {
            return Err(StorageError::Address(
                "is empty; name a directory".to_owned(),
            ));
        } else {
            PathBuf::from(address)
        };
        std::fs::create_dir_all(&root)?;
        let root = root.canonicalize()?;
        let store = LocalFileSystem::new_with_prefix(&root)?
            // Without it an acknowledged offset would not survive a power cut.
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(Self {
            store: Arc::new(store),
            root: Some(root),
        })
    }

    /// Opens a bucket. Nobody is asked yet; [`Storage::check`] does.
    pub fn s3(address: &S3Address) -> Result<Self, StorageError> {
        Ok(Self {
            store: s3::client(address)?,
            root: None,
        })
    }

    /// Uses a store that was made elsewhere.
    pub fn from_store(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, root: None }
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Whether the bytes are behind a network, where a request costs more than a copy.
    pub(super) fn is_remote(&self) -> bool {
        self.root.is_none()
    }

    /// Whether the storage answers: one cheap look, for probes.
    pub async fn check(&self) -> Result<(), StorageError> {
        if let Some(root) = &self.root {
            return match tokio::fs::metadata(root).await {
                Ok(found) if found.is_dir() => Ok(()),
                Ok(_) => Err(StorageError::Gone),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StorageError::Gone),
                Err(error) => Err(error.into()),
            };
        }
        let mut listed = self.store.list(Some(&Path::from(CHECK)));
        match listed.next().await.transpose() {
            Ok(_) => Ok(()),
            Err(error) if names_no_bucket(&error) => Err(StorageError::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an object can be written, read by range, listed and deleted: what the rights must allow.
    pub async fn prove(&self) -> Result<(), StorageError> {
        const WORDS: &[u8] = b"clipqueue doctor";
        let key = Path::from_iter([CHECK.to_owned(), uuid::Uuid::new_v4().simple().to_string()]);
        let written = self.store.put(&key, PutPayload::from_static(WORDS)).await;
        if let Err(error) = written {
            return Err(match error {
                error if names_no_bucket(&error) => StorageError::Gone,
                error => error.into(),
            });
        }
        let range = 10..WORDS.len() as u64;
        let read = self.store.get_range(&key, range).await;
        let listed: Result<Vec<_>, _> = self
            .store
            .list(Some(&Path::from(CHECK)))
            .try_collect()
            .await;
        self.store.delete(&key).await?;
        let found = listed?.iter().any(|object| object.location == key);
        if read?.as_ref() == b"doctor" && found {
            Ok(())
        } else {
            Err(StorageError::Broken)
        }
    }

    /// How many objects a file has.
    pub(super) async fn count(&self, id: MediaId) -> Result<u64, StorageError> {
        let listed: Vec<_> = self.store.list(Some(&prefix(id))).try_collect().await?;
        Ok(listed.len() as u64)
    }

    /// Free bytes, when the storage is a disk.
    pub(super) fn free_bytes(&self) -> Result<Option<u64>, StorageError> {
        let Some(root) = &self.root else {
            return Ok(None);
        };
        let stat = rustix::fs::statvfs(root).map_err(io::Error::from)?;
        Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    /// Deletes one object that nothing refers to. A failure leaves a stray for later.
    pub(super) async fn remove(&self, key: &str) {
        if let Err(error) = self.store.delete(&Path::from(key)).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a stray stays in storage"
            );
        }
    }

    /// Deletes every object of a file whose key is not in `keep`, and what interrupted writers left.
    pub(super) async fn remove_all_but(
        &self,
        id: MediaId,
        keep: &HashSet<String>,
    ) -> Result<(), StorageError> {
        let objects: Vec<Path> = self
            .store
            .list(Some(&prefix(id)))
            .map_ok(|object| object.location)
            .try_collect()
            .await?;
        let strays: Vec<_> = objects
            .into_iter()
            .filter(|path| !keep.contains(path.as_ref()))
            .map(Ok)
            .collect();
        let mut deleted = self
            .store
            .delete_stream(futures::stream::iter(strays).boxed());
        while let Some(result) = deleted.next().await {
            match result.map_err(StorageError::from) {
                Ok(_) | Err(StorageError::Missing) => {}
                Err(error) => return Err(error),
            }
        }
        drop(deleted);
        self.clear_directory(&prefix(id), !keep.is_empty()).await
    }

    /// Removes what killed writers staged below a place and, if nothing is kept there, the directory.
    pub(super) async fn clear_directory(
        &self,
        below: &Path,
        keeps_some: bool,
    ) -> Result<(), StorageError> {
        let Some(root) = &self.root else {
            return Ok(());
        };
        let directory = root.join(below.as_ref());
        tokio::task::spawn_blocking(move || remove_staged(&directory, keeps_some))
            .await
            .map_err(io::Error::other)??;
        Ok(())
    }
}

/// Whether the store says that there is no such bucket. `object_store` keeps the store's word in the
/// text of its error alone.
fn names_no_bucket(error: &object_store::Error) -> bool {
    format!("{error:?}").contains("NoSuchBucket")
}

/// Where a file's objects lie.
fn prefix(id: MediaId) -> Path {
    Path::from_iter(["media".to_owned(), id.to_string()])
}

/// A key that no object had before: two writers of the same offset must not overwrite each other.
pub(super) fn new_key(id: MediaId, start: u64) -> Path {
    let name = format!("{start:012}-{}", uuid::Uuid::new_v4().simple());
    Path::from_iter(["media".to_owned(), id.to_string(), name])
}

/// Removes files that a killed writer staged: `object_store` names them with a `#` and never lists
/// them. Without anything to keep the directory goes too.
fn remove_staged(directory: &std::path::Path, keeps_some: bool) -> io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains('#') {
            ignore_missing(std::fs::remove_file(entry.path()))?;
        }
    }
    if !keeps_some {
        ignore_missing(std::fs::remove_dir(directory))?;
    }
    Ok(())
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
