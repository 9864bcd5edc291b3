//! Announcing a file: its size is reserved in the tenant's quota before the first byte.

use clipqueue_entities::{
    MediaId, UserId,
    media::{self, MediaState},
    user,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QuerySelect,
};

use crate::media::{Media, MediaError, MediaStore, hash::RunningHash, rows};

/// The longest name or type that is kept.
const MAX_NAME: usize = 255;
/// The longest `Upload-Metadata` that is kept.
const MAX_METADATA: usize = 4096;

/// What a client announces.
#[derive(Clone, Debug, Default)]
pub struct NewUpload {
    /// Bytes in all.
    pub size: u64,
    /// The file's name.
    pub filename: Option<String>,
    /// The file's type.
    pub content_type: Option<String>,
    /// The file's SHA-256 in hex; another one rejects the file.
    pub sha256: Option<String>,
    /// `Upload-Metadata`, to be given back as it came.
    pub metadata: Option<String>,
    /// The folder that it lies in; empty at the top.
    pub folder: String,
    /// The tenant's own reference.
    pub reference: Option<String>,
}

/// What a file with these texts is found by: the texts in small letters; none without any.
pub fn searchable(texts: &[Option<&str>]) -> Option<String> {
    let texts: Vec<String> = texts
        .iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .map(|text| text.to_lowercase())
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

impl MediaStore {
    /// Announces a file and reserves its bytes.
    pub async fn create(&self, user: UserId, new: NewUpload) -> Result<Media, MediaError> {
        let tx = self.inner.db.begin().await?;
        let media = self.create_in_tx(&tx, user, new).await?;
        tx.commit().await?;
        Ok(media)
    }

    /// Announces a file in the caller's transaction.
    pub async fn create_in_tx(
        &self,
        tx: &DatabaseTransaction,
        user: UserId,
        new: NewUpload,
    ) -> Result<Media, MediaError> {
        let settings = self.settings();
        if new.size == 0 {
            return Err(MediaError::Empty);
        }
        if new.size > settings.max_size {
            return Err(MediaError::TooLarge {
                size: new.size,
                max: settings.max_size,
            });
        }
        let declared_sha256 = new.sha256.map(sha256).transpose()?;
        let metadata = new.metadata.filter(|metadata| !metadata.is_empty());
        if metadata.as_ref().is_some_and(|m| m.len() > MAX_METADATA) {
            return Err(MediaError::Invalid {
                field: "Upload-Metadata",
                problem: "is longer than 4096 bytes; send less of it",
            });
        }
        self.check_disk(new.size)?;
        let now = self.inner.clock.now();
        let filename = shown(new.filename);
        let search = searchable(&[
            filename.as_deref(),
            new.reference.as_deref(),
            Some(&new.folder),
        ]);
        let row = media::ActiveModel {
            id: Set(MediaId::new()),
            user_id: Set(user),
            state: Set(MediaState::Uploading),
            filename: Set(filename),
            declared_type: Set(shown(new.content_type)),
            declared_sha256: Set(declared_sha256),
            metadata: Set(metadata),
            size: Set(rows::stored(new.size)),
            received: Set(0),
            hash_state: Set(Some(RunningHash::default().save())),
            sha256: Set(None),
            content_type: Set(None),
            facts: Set(None),
            verdicts: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            expires_at: Set(Some(now + settings.upload_ttl)),
            ready_at: Set(None),
            purged_at: Set(None),
            folder: Set(new.folder),
            caption: Set(None),
            reference: Set(new.reference),
            search: Set(search),
        };
        // Two announcements of one tenant must not both see the last free bytes; and whoever is leaving
        // announces nothing more, since their files are on the list already.
        user::Entity::find_by_id(user)
            .filter(user::Column::LeavingAt.is_null())
            .lock_exclusive()
            .one(tx)
            .await?
            .ok_or(MediaError::NotFound)?;
        let (bytes, files) = rows::usage(tx, user).await?;
        if files >= settings.quota_count {
            return Err(MediaError::QuotaCount {
                quota: settings.quota_count,
            });
        }
        let quota = self.quota_in(tx, user).await?;
        let free = quota.saturating_sub(bytes);
        if new.size > free {
            return Err(MediaError::QuotaBytes {
                needed: new.size,
                free,
                quota,
            });
        }
        row.insert(tx).await?.try_into()
    }

    /// The tenant's ready file with these bytes, if there is one. What it is kept for begins anew.
    pub async fn reuse_in_tx(
        &self,
        tx: &DatabaseTransaction,
        user: UserId,
        digest: &str,
        size: u64,
    ) -> Result<Option<Media>, MediaError> {
        let digest = sha256(digest.to_owned())?;
        let found = rows::same(tx, user, &digest).await?;
        let Some(row) = found.filter(|row| row.size == rows::stored(size)) else {
            return Ok(None);
        };
        let change = media::ActiveModel {
            ready_at: Set(Some(self.inner.clock.now())),
            updated_at: Set(self.inner.clock.now()),
            ..Default::default()
        };
        // One that is ended at this moment is sent anew.
        if !rows::change_state(tx, user, row.id, MediaState::Ready, change).await? {
            return Ok(None);
        }
        Ok(Some(rows::find(tx, user, row.id).await?.try_into()?))
    }

    /// The tenant's oldest ready file with the same bytes as `media`, if that is another one.
    pub async fn original(&self, media: &Media) -> Result<Option<Media>, MediaError> {
        let Some(digest) = &media.sha256 else {
            return Ok(None);
        };
        let found = rows::same(self.inner.db.read(), media.user_id, digest).await?;
        let found = found.filter(|row| row.id < media.id);
        found.map(Media::try_from).transpose()
    }

    /// Refuses when `more` bytes would leave less than the low-water mark on the disk.
    pub(super) fn check_disk(&self, more: u64) -> Result<(), MediaError> {
        match self.inner.storage.free_bytes()? {
            Some(free) if free < self.settings().low_water.saturating_add(more) => {
                Err(MediaError::StorageFull)
            }
            _ => Ok(()),
        }
    }
}

fn sha256(text: String) -> Result<String, MediaError> {
    let digest = hex::decode(&text).ok().filter(|digest| digest.len() == 32);
    digest.map(hex::encode).ok_or(MediaError::Invalid {
        field: "sha256",
        problem: "is not a SHA-256 in hex; send 64 hex digits or leave it out",
    })
}

/// A text for people: without control characters, at most 255 bytes.
fn shown(text: Option<String>) -> Option<String> {
    let mut text: String = text?.chars().filter(|c| !c.is_control()).collect();
    while text.len() > MAX_NAME {
        text.pop();
    }
    (!text.is_empty()).then_some(text)
}
