//! `posts`: what somebody asked to be posted, and how it stands.

use sea_orm::entity::prelude::*;

use crate::{AccountId, MediaId, PostId, Timestamp, UserId};

/// How the post reaches TikTok.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum PostMode {
    /// Into the creator's TikTok inbox, to be finished there.
    #[sea_orm(string_value = "inbox")]
    Inbox,
    /// Straight onto the profile.
    #[sea_orm(string_value = "direct")]
    Direct,
}

/// What is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum PostKind {
    /// One video, whose bytes are sent to TikTok.
    #[sea_orm(string_value = "video")]
    Video,
    /// One to 35 photos, which TikTok fetches.
    #[sea_orm(string_value = "photo")]
    Photo,
}

/// What becomes of a post that could not be sent at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, serde::Serialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
#[serde(rename_all = "snake_case")]
pub enum LatePolicy {
    /// It is sent as soon as it can be, however late.
    #[sea_orm(string_value = "post_now")]
    PostNow,
    /// It is sent within some time, and missed afterwards.
    #[sea_orm(string_value = "within")]
    Within,
    /// It is held until its owner decides.
    #[sea_orm(string_value = "hold")]
    Hold,
}

/// Where the post stands. The rules between the states are `domain::post_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum PostState {
    /// Being written; nothing is queued.
    #[sea_orm(string_value = "draft")]
    Draft,
    /// Waiting for its time.
    #[sea_orm(string_value = "scheduled")]
    Scheduled,
    /// Waiting for a person, or for a cap to free.
    #[sea_orm(string_value = "held")]
    Held,
    /// Being checked against the creator's account, caps and media.
    #[sea_orm(string_value = "preflight")]
    Preflight,
    /// The init call may have been sent.
    #[sea_orm(string_value = "init_sent")]
    InitSent,
    /// Bytes are going to TikTok.
    #[sea_orm(string_value = "uploading")]
    Uploading,
    /// TikTok has every byte and works on it.
    #[sea_orm(string_value = "processing")]
    Processing,
    /// In the creator's TikTok inbox: the creator must finish it.
    #[sea_orm(string_value = "in_inbox")]
    InInbox,
    /// TikTok says that it is posted.
    #[sea_orm(string_value = "published")]
    Published,
    /// It may or may not exist at TikTok; never sent again blindly.
    #[sea_orm(string_value = "unconfirmed")]
    Unconfirmed,
    /// Over, and nothing was posted.
    #[sea_orm(string_value = "failed")]
    Failed,
    /// Stopped by somebody before TikTok had it.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
    /// Its time passed while it could not be sent.
    #[sea_orm(string_value = "missed")]
    Missed,
    /// The creator never finished the inbox draft.
    #[sea_orm(string_value = "lapsed")]
    Lapsed,
}

/// One post.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "posts")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PostId,
    /// The tenant.
    pub user_id: UserId,
    /// The creator's account.
    pub account_id: AccountId,
    /// The video, or the first photo.
    pub media_id: MediaId,
    /// What is posted.
    pub kind: PostKind,
    /// How it reaches TikTok.
    pub mode: PostMode,
    /// The caption, which TikTok calls the description of photos; for inbox videos it is handed to the
    /// creator by us.
    pub caption: String,
    /// The title of photos.
    pub title: Option<String>,
    /// Which of the photos is the cover, from zero.
    pub cover_index: Option<i32>,
    /// Whether TikTok adds music to photos.
    pub auto_add_music: Option<bool>,
    /// The explicit choices for a direct post.
    pub settings: Json,
    /// A label that joins posts of one experiment.
    pub experiment_label: Option<String>,
    /// The caller's own reference for the upload.
    pub upload_reference: Option<String>,
    /// When it should go; at once, when absent.
    pub publish_at: Option<Timestamp>,
    /// Where it stands.
    pub state: PostState,
    /// Since when.
    pub state_since: Timestamp,
    /// When this state counts as overdue; final states have none.
    pub deadline_at: Option<Timestamp>,
    /// Why it is held.
    pub hold_reason: Option<String>,
    /// When a held post is tried again by itself.
    pub hold_until: Option<Timestamp>,
    /// Why it waits although it is due: a budget, TikTok's trouble, a cap.
    pub wait_reason: Option<String>,
    /// When it is tried again.
    pub wait_until: Option<Timestamp>,
    /// When it was due, which is its place among those of its account that wait.
    pub wait_due: Option<Timestamp>,
    /// The class of the failure.
    pub failure_class: Option<String>,
    /// TikTok's or our code of the failure.
    pub failure_code: Option<String>,
    /// A sentence for the reader.
    pub failure_message: Option<String>,
    /// Whether `retryPost` may start another attempt.
    pub failure_retryable: bool,
    /// Whether somebody asked for it to be stopped after TikTok had part of it.
    pub cancel_requested: bool,
    /// Public TikTok post ids, as strings.
    pub tiktok_post_ids: Json,
    /// The address of the post at TikTok, when known.
    pub share_url: Option<String>,
    /// Bytes that TikTok has taken in the current attempt.
    pub bytes_sent: i64,
    /// All bytes of the video or the photos.
    pub bytes_total: i64,
    /// When the creator copied the caption of an inbox post.
    pub caption_copied_at: Option<Timestamp>,
    /// Which consent text the creator agreed to.
    pub consent_version: Option<String>,
    /// When the creator agreed.
    pub consent_at: Option<Timestamp>,
    /// Grows with each edit; `expectedVersion` is compared with it.
    pub version: i32,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
    /// The local time and zone that `publish_at` was made of.
    pub local_time: Option<Json>,
    /// What becomes of it when it is late; the installation's rule, when absent.
    pub late_policy: Option<LatePolicy>,
    /// For `Within`: how many seconds after its time it may still be sent.
    pub late_within_s: Option<i64>,
    /// The request that made it together with others.
    pub batch_id: Option<Uuid>,
    /// Its place in that request.
    pub batch_row: Option<i32>,
    /// Which variant of its experiment it is.
    pub experiment_variant: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
