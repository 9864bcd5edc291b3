//! What creators do in TikTok's own app: finish or discard drafts, change who sees a video, delete it,
//! disconnect the app.

use serde_json::json;

use crate::account::{PUBLIC, SELF_ONLY};
use crate::error::SimError;
use crate::ids;
use crate::publish::Stage;
use crate::state::State;
use crate::video::{Counters, Video};

impl State {
    /// The creator posts a draft from the inbox; may be done several times with one draft.
    pub(crate) fn finish_draft(
        &mut self,
        publish_id: &str,
        privacy: &str,
        caption: &str,
        now: i64,
    ) -> Result<u64, SimError> {
        let publish = self.publishes.get(publish_id);
        let publish = publish.cloned().ok_or(SimError::NoSuchPublish)?;
        let waiting = matches!(publish.stage, Stage::Inbox | Stage::Complete);
        if !publish.flow.is_draft() || !waiting || publish.discarded {
            return Err(SimError::NotADraftInTheInbox);
        }
        Ok(self.post(&publish, privacy, caption.to_owned(), true, now))
    }

    /// The creator throws a draft away; TikTok tells nobody.
    pub(crate) fn discard_draft(&mut self, publish_id: &str) -> Result<(), SimError> {
        let publish = self.publishes.get_mut(publish_id);
        let publish = publish.ok_or(SimError::NoSuchPublish)?;
        if !publish.flow.is_draft() || publish.stage != Stage::Inbox {
            return Err(SimError::NotADraftInTheInbox);
        }
        publish.discarded = true;
        Ok(())
    }

    /// The creator posts a video without any app's help.
    pub(crate) fn add_video(&mut self, account: &str, caption: &str, now: i64) -> u64 {
        let id = ids::post_id(self.next_sequence());
        self.videos.add(Video {
            id,
            account: account.to_owned(),
            publish_id: String::new(),
            created_ms: now,
            privacy: PUBLIC.to_owned(),
            visible: true,
            deleted: false,
            caption: caption.to_owned(),
            photo: false,
            is_aigc: false,
            counters: Counters::default(),
            counted_ms: now,
        });
        id
    }

    /// The creator makes a video public or private.
    pub(crate) fn set_visible(&mut self, id: u64, public: bool, now: i64) -> Result<(), SimError> {
        let rate = self.config.pipeline.views_per_hour;
        let video = self.videos.get_mut(id).ok_or(SimError::NoSuchVideo)?;
        if video.deleted || video.visible == public {
            return Ok(());
        }
        video.counters = video.counters_at(now, rate);
        video.counted_ms = now;
        video.visible = public;
        video.privacy = if public { PUBLIC } else { SELF_ONLY }.to_owned();
        self.tell_visibility(id, public, now);
        Ok(())
    }

    /// The creator deletes a video.
    pub(crate) fn delete_video(&mut self, id: u64, now: i64) -> Result<(), SimError> {
        let video = self.videos.get_mut(id).ok_or(SimError::NoSuchVideo)?;
        let was_visible = std::mem::replace(&mut video.visible, false);
        video.deleted = true;
        if was_visible {
            self.tell_visibility(id, false, now);
        }
        Ok(())
    }

    fn tell_visibility(&mut self, id: u64, public: bool, now: i64) {
        let publish_id = self.videos.get(id).map(|video| video.publish_id.clone());
        let publish = publish_id.and_then(|publish_id| self.publishes.get_mut(&publish_id));
        let Some(publish) = publish else {
            return;
        };
        if public && !publish.post_ids.contains(&id) {
            publish.post_ids.push(id);
        }
        let publish = publish.clone();
        // The second name's spelling is TikTok's.
        let event = if public {
            "post.publish.publicly_available"
        } else {
            "post.publish.no_longer_publicaly_available"
        };
        self.emit_publish(event, &publish, json!({ "post_id": id.to_string() }), now);
    }

    /// Sets a video's counters; they grow from there.
    pub(crate) fn set_counters(
        &mut self,
        id: u64,
        counters: Counters,
        now: i64,
    ) -> Result<(), SimError> {
        let video = self.videos.get_mut(id).ok_or(SimError::NoSuchVideo)?;
        video.counters = counters;
        video.counted_ms = now;
        Ok(())
    }

    /// Ends every grant of a creator: tokens die, transfers under way fail, and the app is told.
    pub(crate) fn disconnect(&mut self, account: &str, reason: u8, now: i64) {
        if !self.tokens.revoke(account) {
            return;
        }
        let transferring: Vec<String> = self
            .publishes
            .of_account(account)
            .filter(|publish| matches!(publish.stage, Stage::AwaitingBytes | Stage::AwaitingPull))
            .map(|publish| publish.id.clone())
            .collect();
        for id in transferring {
            self.fail(&id, "auth_removed", now);
        }
        self.emit_removed(account, reason, now);
    }
}
