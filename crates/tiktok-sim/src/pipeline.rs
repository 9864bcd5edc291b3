//! What happens to a publish after its bytes are in, moment by moment.
//!
//! Bytes or pull, then processing; a draft goes to the inbox and waits for its creator; a direct post
//! is complete, passes moderation, and if it is public gets its id told. Each step is a dated event.
//! Nothing runs by itself: [`State::settle`] carries out what is due up to a moment, in order, so a clock
//! that jumps gives the same history as one that runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Digest;

use crate::account::{PUBLIC, SELF_ONLY};
use crate::config::PostIdMode;
use crate::ids;
use crate::publish::{Publish, Stage};
use crate::state::State;
use crate::video::{Counters, Video};

/// A step that is due at a moment.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Processed(String),
    Moderated(u64),
    PostIdTold(u64),
}

/// Steps by moment; equal moments keep their order.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    events: BTreeMap<(i64, u64), Event>,
    sequence: u64,
}

impl Timeline {
    fn at(&mut self, due: i64, event: Event) {
        self.sequence += 1;
        self.events.insert((due, self.sequence), event);
    }

    fn take_due(&mut self, now: i64) -> Option<(i64, Event)> {
        let entry = self.events.first_entry()?;
        let due = entry.key().0;
        (due <= now).then(|| (due, entry.remove()))
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.events.keys().next().map(|(due, _)| *due)
    }
}

/// Something that reached an inbox or an audience: the judge of "posted twice".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The publish it came from.
    pub publish_id: String,
    /// Username of the creator.
    pub account: String,
    /// Where it appeared: `INBOX`, or the privacy level of the post.
    pub reach: String,
    /// Whether the creator's own action in the app caused it.
    pub by_creator: bool,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// SHA-256 of the media, if bytes came or were pulled.
    pub sha256: Option<String>,
    /// Caption.
    pub caption: String,
    /// The post, unless it is still a draft.
    pub post_id: Option<u64>,
}

/// Bytes in the unit by which processing time grows.
const MEGABYTE: u64 = 1_000_000;

impl State {
    /// Carries out every step due up to `now`.
    pub(crate) fn settle(&mut self, now: i64) {
        while let Some((due, event)) = self.timeline.take_due(now) {
            match event {
                Event::Processed(id) => self.processed(&id, due),
                Event::Moderated(id) => self.moderated(id, due),
                Event::PostIdTold(id) => self.tell_post_id(id, due),
            }
        }
    }

    /// All bytes are in: processing begins.
    pub(crate) fn begin_processing(&mut self, id: &str, bytes: u64, now: i64) {
        let config = &self.config.pipeline;
        let Some(publish) = self.publishes.get_mut(id) else {
            return;
        };
        publish.stage = Stage::Processing;
        if let Some(upload) = &publish.upload {
            publish.sha256 = Some(hex::encode(upload.hasher.clone().finalize()));
        }
        if publish.script.stuck.unwrap_or(config.stuck) {
            return;
        }
        let megabytes = i64::try_from(bytes / MEGABYTE).unwrap_or(i64::MAX / 1_000_000);
        let by_size = config.processing_ms + config.processing_ms_per_mb * megabytes;
        let wait = publish.script.processing_ms.unwrap_or(by_size);
        self.timeline
            .at(now + wait, Event::Processed(id.to_owned()));
    }

    fn processed(&mut self, id: &str, now: i64) {
        let Some(publish) = self.publishes.get(id) else {
            return;
        };
        if publish.stage != Stage::Processing {
            return;
        }
        let publish = publish.clone();
        let scripted = publish.script.fail_reason.clone();
        let reason = scripted.or_else(|| self.config.pipeline.fail_reason.clone());
        let unreadable = self.config.pipeline.check_container
            && publish
                .upload
                .as_ref()
                .is_some_and(|up| !up.container_fits());
        if let Some(reason) = reason {
            self.fail(id, &reason, now);
        } else if unreadable {
            self.fail(id, "file_format_check_failed", now);
        } else if publish.flow.is_draft() {
            self.stage(id, Stage::Inbox);
            self.record(&publish, "INBOX", false, now, None);
            self.emit_publish("post.publish.inbox_delivered", &publish, json!({}), now);
        } else {
            let privacy = publish.privacy.clone();
            let privacy = privacy.unwrap_or_else(|| SELF_ONLY.to_owned());
            let caption = publish.caption.clone();
            self.post(&publish, &privacy, caption, false, now);
        }
    }

    /// Ends a publish as failed, with TikTok's reason.
    pub(crate) fn fail(&mut self, id: &str, reason: &str, now: i64) {
        let Some(publish) = self.publishes.get(id).cloned() else {
            return;
        };
        self.stage(id, Stage::Failed(reason.to_owned()));
        let extra = json!({ "reason": reason });
        self.emit_publish("post.publish.failed", &publish, extra, now);
    }

    /// A post appears on the profile; moderation decides when everyone may see it.
    pub(crate) fn post(
        &mut self,
        publish: &Publish,
        privacy: &str,
        caption: String,
        by_creator: bool,
        now: i64,
    ) -> u64 {
        let id = ids::post_id(self.next_sequence());
        self.stage(&publish.id, Stage::Complete);
        self.videos.add(Video {
            id,
            account: publish.account.clone(),
            publish_id: publish.id.clone(),
            created_ms: now,
            privacy: privacy.to_owned(),
            visible: false,
            deleted: false,
            caption: caption.clone(),
            photo: publish.flow.is_photo(),
            is_aigc: publish.is_aigc,
            counters: Counters::default(),
            counted_ms: now,
        });
        let mut shown = publish.clone();
        shown.caption = caption;
        self.record(&shown, privacy, by_creator, now, Some(id));
        self.emit_publish("post.publish.complete", publish, json!({}), now);
        if privacy == PUBLIC {
            let default = self.config.pipeline.moderation_ms;
            let wait = publish.script.moderation_ms.unwrap_or(default);
            self.timeline.at(now + wait, Event::Moderated(id));
        }
        id
    }

    fn moderated(&mut self, id: u64, now: i64) {
        let default = self.config.pipeline.post_id;
        let Some(video) = self.videos.get_mut(id) else {
            return;
        };
        if video.deleted || video.privacy != PUBLIC {
            return;
        }
        video.visible = true;
        video.counted_ms = now;
        let publish = self.publishes.get(&video.publish_id);
        let scripted = publish.and_then(|publish| publish.script.post_id);
        match scripted.unwrap_or(default) {
            PostIdMode::Never => {}
            PostIdMode::Late { ms } => self.timeline.at(now + ms, Event::PostIdTold(id)),
            PostIdMode::AfterModeration => self.tell_post_id(id, now),
            PostIdMode::Multiple { count } => {
                self.tell_post_id(id, now);
                let extra: Vec<u64> = (1..count)
                    .map(|_| ids::post_id(self.next_sequence()))
                    .collect();
                let publish_id = self.videos.get(id).map(|video| video.publish_id.clone());
                let publish = publish_id.and_then(|id| self.publishes.get_mut(&id));
                if let Some(publish) = publish {
                    publish.post_ids.extend(extra);
                }
            }
        }
    }

    fn tell_post_id(&mut self, id: u64, now: i64) {
        let Some(video) = self.videos.get(id) else {
            return;
        };
        let Some(publish) = self.publishes.get_mut(&video.publish_id) else {
            return;
        };
        if !publish.post_ids.contains(&id) {
            publish.post_ids.push(id);
        }
        let publish = publish.clone();
        let extra = json!({ "post_id": id.to_string() });
        self.emit_publish("post.publish.publicly_available", &publish, extra, now);
    }

    fn stage(&mut self, id: &str, stage: Stage) {
        if let Some(publish) = self.publishes.get_mut(id) {
            publish.stage = stage;
        }
    }

    fn record(
        &mut self,
        publish: &Publish,
        reach: &str,
        by_creator: bool,
        now: i64,
        post_id: Option<u64>,
    ) {
        self.published.push(Published {
            publish_id: publish.id.clone(),
            account: publish.account.clone(),
            reach: reach.to_owned(),
            by_creator,
            at_ms: now,
            sha256: publish.sha256.clone(),
            caption: publish.caption.clone(),
            post_id,
        });
    }
}
