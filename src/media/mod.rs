//! Uploaded files: taken in as streams, stored as immutable segments, hashed on the way, judged when
//! whole, read back by range.
//!
//! The life of a file: [`MediaStore::create`] reserves its bytes in the tenant's quota.
//! [`MediaStore::append`] streams bytes into segments of at most 64 MiB; an offset is acknowledged only
//! after the segment is durable in storage and its row is committed together with the running hash, so
//! that whatever dies, the next append goes on from the acknowledged offset. The append that brings
//! the last byte reads the container's facts and leaves the file `ready` or `rejected`.
//! [`MediaStore::open`] reads a ready file by range in constant memory. Deleted, rejected and expired
//! files lose their bytes at once or, when the process dies in between, in the next
//! [`MediaStore::sweep`].
//!
//! Beside the files lie small documents that must outlive the database: `keepsake`.
//!
//! Every selector takes the tenant. Nothing here knows posts, HTTP or TikTok's API; it knows TikTok's
//! rules for files through `media_probe`.

mod capability;
mod create;
mod erase;
mod error;
mod finish;
mod hash;
mod ingest;
mod keepsake;
mod lock;
mod medium;
mod parcel;
mod reader;
mod retire;
mod rows;
mod s3;
mod segment;
mod storage;
mod sweep;

use std::{sync::Arc, time::Duration};

use clipqueue_entities::{MediaId, UserId};
use media_probe::rules::{self, Limits};
use sea_orm::ConnectionTrait;

pub use capability::{Capabilities, CapabilityError};
pub use clipqueue_entities::media::MediaState;
pub use create::{NewUpload, searchable};
pub use error::MediaError;
pub use hash::{Checksum, ChecksumAlgorithm};
pub use ingest::{Appended, End};
pub use medium::Media;
pub use parcel::{Parcel, Part};
pub use reader::Reader;
pub use retire::Stored;
pub use s3::S3Address;
pub use storage::{Storage, StorageError};
pub use sweep::Swept;

use crate::{clock::Clock, config::Plans, db::Db};
use lock::Locks;

/// What the operator decides about uploads.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// The largest file, in bytes.
    pub max_size: u64,
    /// Bytes that one tenant's unfinished and ready files may have together.
    pub quota_bytes: u64,
    /// Unfinished and ready files that one tenant may have.
    pub quota_count: u64,
    /// How many of the bytes the plan of a tenant allows.
    pub plans: Plans,
    /// Free bytes on the storage's disk below which nothing more is taken in.
    pub low_water: u64,
    /// How long an upload may rest before it expires.
    pub upload_ttl: Duration,
    /// How long a connection may stay silent before it counts as dead.
    pub idle_timeout: Duration,
    /// How long a connection must have been silent for another one to take over its upload.
    pub takeover_after: Duration,
    /// The largest segment, in bytes.
    pub segment_bytes: u64,
    /// The limits that a file is judged by when it is whole.
    pub limits: Limits,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            max_size: rules::MAX_SIZE,
            quota_bytes: 50_000_000_000,
            quota_count: 1_000,
            plans: Plans::default(),
            low_water: 1_000_000_000,
            upload_ttl: Duration::from_secs(24 * 3600),
            idle_timeout: Duration::from_secs(60),
            takeover_after: Duration::from_secs(5),
            segment_bytes: 64 * 1024 * 1024,
            limits: Limits::INBOX,
        }
    }
}

/// The tenants' files. Clones share everything.
#[derive(Clone, Debug)]
pub struct MediaStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    storage: Storage,
    clock: Clock,
    settings: MediaSettings,
    locks: Arc<Locks>,
}

impl MediaStore {
    /// A store over the rows in `db` and the bytes in `storage`.
    pub fn new(db: Db, storage: Storage, clock: Clock, settings: MediaSettings) -> Self {
        Self {
            inner: Arc::new(Inner {
                locks: Arc::new(Locks::new(clock.clone(), settings.takeover_after)),
                db,
                storage,
                clock,
                settings,
            }),
        }
    }

    /// What the operator decided.
    pub fn settings(&self) -> &MediaSettings {
        &self.inner.settings
    }

    /// The tenant's file of that id.
    pub async fn get(&self, user: UserId, id: MediaId) -> Result<Media, MediaError> {
        rows::find(self.inner.db.read(), user, id).await?.try_into()
    }

    /// Those of the ids that are the tenant's, in no particular order.
    pub async fn get_many(&self, user: UserId, ids: &[MediaId]) -> Result<Vec<Media>, MediaError> {
        rows::find_many(self.inner.db.read(), user, ids)
            .await?
            .into_iter()
            .map(Media::try_from)
            .collect()
    }

    /// The tenant's files, newest first: at most `limit` behind `cursor`, or before it when `backward`.
    pub async fn list(
        &self,
        user: UserId,
        cursor: Option<MediaId>,
        backward: bool,
        limit: u64,
    ) -> Result<Vec<Media>, MediaError> {
        rows::page(self.inner.db.read(), user, cursor, backward, limit)
            .await?
            .into_iter()
            .map(Media::try_from)
            .collect()
    }

    /// Bytes and files that the tenant has reserved.
    pub async fn usage(&self, user: UserId) -> Result<(u64, u64), MediaError> {
        Ok(rows::usage(self.inner.db.read(), user).await?)
    }

    /// The bytes that the tenant may store.
    pub async fn quota(&self, user: UserId) -> Result<u64, MediaError> {
        self.quota_in(self.inner.db.read(), user).await
    }

    async fn quota_in(&self, db: &impl ConnectionTrait, user: UserId) -> Result<u64, MediaError> {
        let settings = self.settings();
        let given = rows::plan(db, user).await?;
        let plan = settings.plans.in_force(given, self.inner.clock.now());
        let allowed = settings.plans.limits(plan).storage_bytes;
        Ok(allowed.map_or(settings.quota_bytes, |bytes| {
            bytes.min(settings.quota_bytes)
        }))
    }

    /// Where the bytes lie.
    pub fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    /// Stops taking in bytes and waits until what arrived is stored. For a graceful stop.
    pub async fn drain(&self) {
        self.inner.locks.drain().await;
    }
}
