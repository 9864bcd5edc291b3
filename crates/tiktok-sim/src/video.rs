//! Videos on a creator's profile, and their counters.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::clock::HOUR;

/// Counters of a video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counters {
    /// Views.
    pub views: u64,
    /// Likes.
    pub likes: u64,
    /// Comments.
    pub comments: u64,
    /// Shares.
    pub shares: u64,
}

impl Counters {
    /// These counters after `ms` milliseconds at so many views an hour. A tenth of the viewers likes,
    /// a fiftieth comments, a hundredth shares.
    fn grown(self, ms: i64, views_per_hour: u64) -> Self {
        let ms = u128::from(u64::try_from(ms).unwrap_or(0));
        let hour = u128::from(HOUR.unsigned_abs());
        let views = u64::try_from(u128::from(views_per_hour) * ms / hour).unwrap_or(u64::MAX / 2);
        Self {
            views: self.views + views,
            likes: self.likes + views / 10,
            comments: self.comments + views / 50,
            shares: self.shares + views / 100,
        }
    }
}

/// A post on a profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Video {
    /// Post id.
    pub id: u64,
    /// Username of the creator.
    pub account: String,
    /// The publish it came from.
    pub publish_id: String,
    /// When it was posted, Unix milliseconds; unique within an account.
    pub created_ms: i64,
    /// Privacy level chosen.
    pub privacy: String,
    /// Whether everyone can see it now: public and through moderation.
    pub visible: bool,
    /// Whether the creator deleted it.
    pub deleted: bool,
    /// Caption.
    pub caption: String,
    /// Whether it is a photo post; those do not appear in `video/list`.
    pub photo: bool,
    /// Labelled as made by AI.
    pub is_aigc: bool,
    /// Counters at `counted_ms`.
    pub counters: Counters,
    /// When the counters began to grow, Unix milliseconds.
    pub counted_ms: i64,
}

impl Video {
    /// The counters at a moment.
    pub(crate) fn counters_at(&self, now: i64, views_per_hour: u64) -> Counters {
        if self.visible {
            self.counters.grown(now - self.counted_ms, views_per_hour)
        } else {
            self.counters
        }
    }
}

/// All posts, by id and by account.
#[derive(Debug, Default)]
pub(crate) struct Videos {
    by_id: BTreeMap<u64, Video>,
    by_account: HashMap<String, Vec<u64>>,
}

impl Videos {
    /// Adds a post; its time moves on by milliseconds until no other post of the account has it.
    pub(crate) fn add(&mut self, mut video: Video) {
        let ids = self.by_account.entry(video.account.clone()).or_default();
        if let Some(newest) = ids.last().and_then(|id| self.by_id.get(id)) {
            video.created_ms = video.created_ms.max(newest.created_ms + 1);
        }
        ids.push(video.id);
        self.by_id.insert(video.id, video);
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Video> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Video> {
        self.by_id.get_mut(&id)
    }

    /// An account's posts, newest first.
    pub(crate) fn of_account(&self, account: &str) -> impl Iterator<Item = &Video> {
        let ids = self.by_account.get(account).into_iter().flatten().rev();
        ids.filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Video> {
        self.by_id.values()
    }
}
