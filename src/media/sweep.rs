//! How files end, and the work that makes sure of it: expiry, deletion, and what a killed process
//! left half done.

use std::collections::HashSet;

use clipqueue_entities::{MediaId, Timestamp, UserId, media};
use sea_orm::{ActiveValue::Set, ConnectionTrait};

use crate::media::{Media, MediaError, MediaState, MediaStore, rows};

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that got the last check they had missed.
    pub finished: u64,
    /// Uploads that expired.
    pub expired: u64,
    /// Files whose bytes were removed.
    pub purged: u64,
    /// Files that could not be worked on; the log says why, and the next sweep tries again.
    pub failed: u64,
}

impl MediaStore {
    /// The tenant's file after whoever is about to end an append has ended, and after the last check
    /// if that is due. For clients that ask where to go on.
    pub async fn status(&self, user: UserId, id: MediaId) -> Result<Media, MediaError> {
        rows::find(self.inner.db.read(), user, id).await?;
        self.inner.locks.settle(id).await;
        let row = rows::find(self.inner.db.write(), user, id).await?;
        if row.state == MediaState::Uploading
            && row.received == row.size
            && let Some(guard) = self.inner.locks.acquire(id).await
        {
            let row = rows::find(self.inner.db.write(), user, id).await?;
            if row.state == MediaState::Uploading {
                return self.finish(row, &guard).await;
            }
            return row.try_into();
        }
        row.try_into()
    }

    /// Ends an unfinished upload and removes its bytes.
    pub async fn terminate(&self, user: UserId, id: MediaId) -> Result<(), MediaError> {
        let row = rows::find(self.inner.db.read(), user, id).await?;
        match row.state {
            MediaState::Uploading => {}
            MediaState::Ready => return Err(MediaError::Complete),
            state => return Err(MediaError::Gone { state }),
        }
        let _guard = self.inner.locks.seize(id).await.ok_or(MediaError::Busy)?;
        self.end(
            self.inner.db.write(),
            &row,
            MediaState::Uploading,
            MediaState::Deleted,
        )
        .await?;
        self.purge(id).await;
        Ok(())
    }

    /// Deletes the tenant's file, ready or not. Whether something still needs it is the caller's
    /// question to ask first.
    pub async fn delete(&self, user: UserId, id: MediaId) -> Result<(), MediaError> {
        let row = rows::find(self.inner.db.read(), user, id).await?;
        match row.state {
            MediaState::Uploading => self.terminate(user, id).await,
            MediaState::Ready => {
                self.end(
                    self.inner.db.write(),
                    &row,
                    MediaState::Ready,
                    MediaState::Deleted,
                )
                .await?;
                self.purge(id).await;
                Ok(())
            }
            state => Err(MediaError::Gone { state }),
        }
    }

    /// Expires unfinished uploads whose time is over, at most `batch`.
    pub async fn expire_due(&self, now: Timestamp, batch: u64) -> Result<u64, MediaError> {
        let mut expired = 0;
        for row in rows::due(self.inner.db.read(), now, batch).await? {
            // Somebody who is sending right now moves the expiry with the next segment.
            let Some(_guard) = self.inner.locks.acquire(row.id).await else {
                continue;
            };
            let row = rows::find(self.inner.db.write(), row.user_id, row.id).await?;
            if row.expires_at.is_none_or(|at| at > now) {
                continue;
            }
            let from = MediaState::Uploading;
            if self
                .end(self.inner.db.write(), &row, from, MediaState::Expired)
                .await?
            {
                self.purge(row.id).await;
                expired += 1;
            }
        }
        Ok(expired)
    }

    /// Everything that is due, at most `batch` of each: last checks that a stopped process missed,
    /// expiry, and the bytes of files that are over. Safe to repeat and to run on several nodes.
    pub async fn sweep(&self, batch: u64) -> Result<Swept, MediaError> {
        let mut swept = Swept::default();
        // One broken file must not keep the others from their turn.
        for row in rows::unchecked(self.inner.db.read(), batch).await? {
            match self.status(row.user_id, row.id).await {
                Ok(media) if media.state == MediaState::Uploading => {}
                Ok(_) => swept.finished += 1,
                Err(error) => swept.failed += failed(row.id, &error),
            }
        }
        swept.expired = self.expire_due(self.inner.clock.now(), batch).await?;
        for row in rows::unpurged(self.inner.db.read(), batch).await? {
            match self.try_purge(row.id).await {
                Ok(()) => swept.purged += 1,
                Err(error) => swept.failed += failed(row.id, &error),
            }
        }
        Ok(swept)
    }

    async fn end(
        &self,
        db: &impl ConnectionTrait,
        row: &media::Model,
        from: MediaState,
        to: MediaState,
    ) -> Result<bool, MediaError> {
        let change = media::ActiveModel {
            state: Set(to),
            updated_at: Set(self.inner.clock.now()),
            expires_at: Set(None),
            ..Default::default()
        };
        Ok(rows::change_state(db, row.user_id, row.id, from, change).await?)
    }

    /// Removes the bytes of a file that is over. A failure is left to the next sweep: the row says
    /// that the file is over, and that its bytes are not gone yet.
    pub(super) async fn purge(&self, id: MediaId) {
        if let Err(error) = self.try_purge(id).await {
            failed(id, &error);
        }
    }

    async fn try_purge(&self, id: MediaId) -> Result<(), MediaError> {
        self.inner
            .storage
            .remove_all_but(id, &HashSet::new())
            .await?;
        let tx = self.inner.db.begin().await?;
        rows::mark_purged(&tx, id, self.inner.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes objects of a ready file that no row knows: appends that were cut down left them.
    pub(super) async fn remove_strays(&self, id: MediaId) {
        let removed = async {
            let rows = rows::segments(self.inner.db.write(), id).await?;
            let keep = rows.into_iter().map(|row| row.key).collect();
            Ok::<_, MediaError>(self.inner.storage.remove_all_but(id, &keep).await?)
        };
        if let Err(error) = removed.await {
            failed(id, &error);
        }
    }
}

/// Logs a file that is left to a later sweep; counts as one.
fn failed(id: MediaId, error: &MediaError) -> u64 {
    let error: &dyn std::error::Error = error;
    tracing::warn!(media = %id, error, "media is left to a later sweep");
    1
}
