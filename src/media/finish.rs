//! The last check: when every byte is stored, the file's facts decide whether it is ready.

use clipqueue_entities::media;
use media_probe::{Error as ProbeError, Found, Kind, look, photo_rules, rules};
use sea_orm::ActiveValue::Set;

use crate::media::{
    Media, MediaError, MediaState, MediaStore, hash::RunningHash, lock::Guard, reader, rows,
};

impl MediaStore {
    /// Judges a whole file and writes what it is. Repeatable: the state changes once.
    pub(super) async fn finish(
        &self,
        row: media::Model,
        _held: &Guard,
    ) -> Result<Media, MediaError> {
        let (user, id) = (row.user_id, row.id);
        let size = row.size.unsigned_abs();
        let stored = reader::stored(self, id, size).await?;
        let sha256 = match row.hash_state.as_deref().and_then(RunningHash::restore) {
            Some(hash) => hash.hex(),
            None => self.running_hash(&row).await?.hex(),
        };
        let limits = self.settings().limits;
        let (content_type, facts, verdicts) = match look(&stored).await {
            Ok(Found::Video(facts)) => (
                Some(facts.container.content_type()),
                Some(serde_json::to_value(&facts)?),
                rules::verdicts(&facts, size, limits),
            ),
            Ok(Found::Photo(facts)) => (
                Some(facts.format.content_type()),
                Some(serde_json::to_value(&facts)?),
                photo_rules::verdicts(&facts, size),
            ),
            Err((_, ProbeError::Read(error))) => return Err(MediaError::Storage(error.into())),
            Err((Kind::Video, error)) => (None, None, rules::unreadable(&error, size, limits)),
            Err((Kind::Photo, error)) => (None, None, photo_rules::unreadable(&error, size)),
        };
        let as_announced = row.declared_sha256.as_ref().is_none_or(|it| *it == sha256);
        let ready = as_announced && !rules::refused(&verdicts);
        let now = self.inner.clock.now();
        let change = media::ActiveModel {
            state: Set(if ready {
                MediaState::Ready
            } else {
                MediaState::Rejected
            }),
            sha256: Set(Some(sha256)),
            hash_state: Set(None),
            content_type: Set(content_type.map(str::to_owned)),
            facts: Set(facts),
            verdicts: Set(Some(serde_json::to_value(&verdicts)?)),
            updated_at: Set(now),
            expires_at: Set(None),
            ready_at: Set(ready.then_some(now)),
            ..Default::default()
        };
        rows::change_state(
            self.inner.db.write(),
            user,
            id,
            MediaState::Uploading,
            change,
        )
        .await?;
        let row = rows::find(self.inner.db.write(), user, id).await?;
        match row.state {
            MediaState::Ready => self.remove_strays(id).await,
            _ => self.purge(id).await,
        }
        row.try_into()
    }
}
