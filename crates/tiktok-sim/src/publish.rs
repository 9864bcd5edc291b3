//! Publishes: what an init opened, what bytes arrived for it, and how far it is.
//!
//! It stores and counts; the moves between stages are the pipeline's.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::account::Script;
use crate::chunks::Plan;
use crate::clock::DAY;

/// How many opening bytes of a file are kept, to tell its container.
pub(crate) const HEAD_BYTES: usize = 64;

/// What kind of publish an init opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    DirectVideo,
    DraftVideo,
    DirectPhoto,
    DraftPhoto,
}

impl Flow {
    pub(crate) fn is_draft(self) -> bool {
        matches!(self, Self::DraftVideo | Self::DraftPhoto)
    }

    pub(crate) fn is_photo(self) -> bool {
        matches!(self, Self::DirectPhoto | Self::DraftPhoto)
    }

    /// The webhook's name for the flow.
    pub(crate) fn publish_type(self) -> &'static str {
        if self.is_draft() {
            "INBOX_SHARE"
        } else {
            "DIRECT_PUBLISH"
        }
    }

    /// The prefix of the publish id.
    pub(crate) fn prefix(self, pull: bool) -> &'static str {
        match (self, pull) {
            (Self::DirectVideo, false) => "v_pub_file~v2-1",
            (Self::DirectVideo, true) => "v_pub_url~v2-1",
            (Self::DraftVideo, false) => "v_inbox_file~v2",
            (Self::DraftVideo, true) => "v_inbox_url~v2",
            (Self::DirectPhoto, _) => "p_pub_url~v2",
            (Self::DraftPhoto, _) => "p_inbox_url~v2",
        }
    }
}

/// How far a publish is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    AwaitingBytes,
    AwaitingPull,
    Processing,
    Inbox,
    Complete,
    Failed(String),
}

impl Stage {
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Inbox | Self::Complete | Self::Failed(_))
    }
}

/// The byte side of a file upload.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) token: String,
    pub(crate) plan: Plan,
    pub(crate) expires_ms: i64,
    pub(crate) received: u64,
    pub(crate) hasher: Sha256,
    pub(crate) head: Vec<u8>,
    pub(crate) content_type: Option<String>,
}

impl Upload {
    pub(crate) fn new(token: String, plan: Plan, expires_ms: i64) -> Self {
        Self {
            token,
            plan,
            expires_ms,
            received: 0,
            hasher: Sha256::new(),
            head: Vec::new(),
            content_type: None,
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.received == self.plan.size
    }

    /// Whether the bytes open like the container they claim to be.
    pub(crate) fn container_fits(&self) -> bool {
        let webm = self.head.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]);
        let mark = self.head.get(4..8);
        let mp4 = mark == Some(b"ftyp");
        let mov = [b"ftyp", b"moov", b"wide", b"mdat", b"free"];
        match self.content_type.as_deref() {
            Some("video/webm") => webm,
            Some("video/quicktime") => mov.iter().any(|known| mark == Some(&known[..])),
            _ => mp4,
        }
    }
}

/// One publish.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) id: String,
    pub(crate) flow: Flow,
    pub(crate) pull: bool,
    pub(crate) account: String,
    pub(crate) created_ms: i64,
    pub(crate) stage: Stage,
    pub(crate) script: Script,
    pub(crate) caption: String,
    pub(crate) privacy: Option<String>,
    pub(crate) is_aigc: bool,
    pub(crate) upload: Option<Upload>,
    pub(crate) urls: Vec<String>,
    pub(crate) downloaded: u64,
    pub(crate) sha256: Option<String>,
    pub(crate) post_ids: Vec<u64>,
    pub(crate) discarded: bool,
}

impl Publish {
    /// Whether it still counts toward a cap at `now`: failed publishes do not, nor do uploads whose
    /// URL ran out before the bytes came.
    fn counts(&self, now: i64) -> bool {
        let abandoned = self.stage == Stage::AwaitingBytes
            && self.upload.as_ref().is_some_and(|up| up.expires_ms <= now);
        self.created_ms > now - DAY && !matches!(self.stage, Stage::Failed(_)) && !abandoned
    }
}

/// All publishes, by id and by account.
#[derive(Debug, Default)]
pub(crate) struct Publishes {
    by_id: HashMap<String, Publish>,
    order: Vec<String>,
    by_account: HashMap<String, Vec<String>>,
    by_upload: HashMap<String, String>,
    last_direct: HashMap<String, i64>,
}

impl Publishes {
    /// Adds a publish; `upload_id` is what its upload URL names.
    pub(crate) fn add(&mut self, publish: Publish, upload_id: Option<String>) {
        if let Some(upload_id) = upload_id {
            self.by_upload.insert(upload_id, publish.id.clone());
        }
        if !publish.flow.is_draft() {
            self.last_direct
                .insert(publish.account.clone(), publish.created_ms);
        }
        self.by_account
            .entry(publish.account.clone())
            .or_default()
            .push(publish.id.clone());
        self.order.push(publish.id.clone());
        self.by_id.insert(publish.id.clone(), publish);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Publish> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Publish> {
        self.by_id.get_mut(id)
    }

    /// In the order of their inits.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Publish> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn of_account(&self, account: &str) -> impl Iterator<Item = &Publish> {
        let ids = self.by_account.get(account).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id))
    }

    /// The publish behind an upload URL, if its token is right.
    pub(crate) fn by_upload(&mut self, upload_id: &str, token: &str) -> Option<&mut Publish> {
        let publish = self.by_id.get_mut(self.by_upload.get(upload_id)?)?;
        let fits = publish.upload.as_ref().is_some_and(|up| up.token == token);
        fits.then_some(publish)
    }

    /// Direct posts of the last 24 hours.
    pub(crate) fn direct_today(&self, account: &str, now: i64) -> usize {
        self.of_account(account)
            .filter(|publish| !publish.flow.is_draft() && publish.counts(now))
            .count()
    }

    /// Drafts of the last 24 hours that the creator has neither finished nor discarded.
    pub(crate) fn drafts_pending(&self, account: &str, now: i64) -> usize {
        self.of_account(account)
            .filter(|publish| publish.flow.is_draft() && publish.counts(now))
            .filter(|publish| publish.stage != Stage::Complete && !publish.discarded)
            .count()
    }

    /// Whether one more creator would be over `cap` creators posting within 24 hours.
    pub(crate) fn over_user_cap(&self, account: &str, now: i64, cap: u32) -> bool {
        let recent = |at: &i64| *at > now - DAY;
        if self.last_direct.get(account).is_some_and(recent) {
            return false;
        }
        self.last_direct.values().filter(|at| recent(at)).count() >= cap as usize
    }
}
