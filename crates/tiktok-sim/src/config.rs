//! Every knob of the simulator, with the documented value as default where one is documented
//! and a convention where TikTok's behaviour is unknown.
//!
//! All structs refuse unknown keys, so a misspelt knob fails instead of doing nothing.
//! The client secret here is a test value; `Debug` prints it.

use serde::{Deserialize, Serialize};

use crate::config_transfer::{PullConfig, UploadConfig, WebhookConfig};

/// The whole configuration of one simulated app (one `client_key`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimConfig {
    /// The app's key.
    pub client_key: String,
    /// The app's secret; also signs webhooks.
    pub client_secret: String,
    /// Registered redirect URIs: exact, or with `*` as the port of a loopback host.
    pub redirect_uris: Vec<String>,
    /// Base of the `upload_url`s handed out, if it differs from the listening address.
    pub public_url: Option<String>,
    /// Whether the app has passed TikTok's audit.
    pub audited: bool,
    /// Whether Direct Post is switched on for the app; if not, `video.publish` calls answer
    /// `scope_not_authorized` although the token lists the scope.
    pub direct_post_enabled: bool,
    /// Token lifetimes and rotation.
    pub tokens: TokenConfig,
    /// Daily caps.
    pub caps: CapConfig,
    /// Calls per sliding minute.
    pub limits: LimitConfig,
    /// Processing, moderation and post ids.
    pub pipeline: PipelineConfig,
    /// Upload URLs and bytes.
    pub uploads: UploadConfig,
    /// Pulls of photos and videos from URLs.
    pub pulls: PullConfig,
    /// Webhook delivery.
    pub webhooks: WebhookConfig,
    /// Spellings and statuses where documents and practice differ.
    pub quirks: QuirkConfig,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            client_key: "awsimulatedclient".into(),
            client_secret: "simulated-client-secret".into(),
            redirect_uris: vec!["http://127.0.0.1:*/oauth/tiktok/callback".into()],
            public_url: None,
            audited: true,
            direct_post_enabled: true,
            tokens: TokenConfig::default(),
            caps: CapConfig::default(),
            limits: LimitConfig::default(),
            pipeline: PipelineConfig::default(),
            uploads: UploadConfig::default(),
            pulls: PullConfig::default(),
            webhooks: WebhookConfig::default(),
            quirks: QuirkConfig::default(),
        }
    }
}

/// Lifetimes in seconds, and what becomes of a replaced refresh token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenConfig {
    /// Life of an access token; 7,200 by the newest pages, 86,400 by older ones.
    pub access_seconds: i64,
    /// Life of a refresh token; 15,552,000 by the newest pages, 31,536,000 by older ones.
    pub refresh_seconds: i64,
    /// Whether a refresh gives a new refresh token and kills the old one.
    pub rotation: bool,
    /// How long a replaced refresh token still works.
    pub refresh_grace_seconds: i64,
    /// Whether the refresh window stays anchored at the consent instead of sliding.
    pub anchored_window: bool,
    /// Life of an authorization code.
    pub code_seconds: i64,
    /// A refused access token used again later than this counts as a broken rule; calls already
    /// on their way are not the client's fault.
    pub refused_grace_ms: i64,
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self {
            access_seconds: 7_200,
            refresh_seconds: 15_552_000,
            rotation: true,
            refresh_grace_seconds: 0,
            anchored_window: false,
            code_seconds: 300,
            refused_grace_ms: 2_000,
        }
    }
}

/// Caps over 24 hours.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapConfig {
    /// Direct posts per creator.
    pub posts_per_creator: u32,
    /// Drafts a creator may have pending.
    pub pending_drafts: u32,
    /// Creators who may post through an unaudited app.
    pub unaudited_users: u32,
    /// Creators who may post through an audited app; none means no cap.
    pub audited_users: Option<u32>,
}

impl Default for CapConfig {
    fn default() -> Self {
        Self {
            posts_per_creator: 15,
            pending_drafts: 5,
            unaudited_users: 5,
            audited_users: None,
        }
    }
}

/// Calls per sliding minute; zero refuses every call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Whose calls share a bucket.
    pub per: LimitKey,
    /// `creator_info/query`.
    pub creator_info: u32,
    /// Each of the three init endpoints.
    pub init: u32,
    /// `status/fetch`.
    pub status: u32,
    /// `cancel` (undocumented).
    pub cancel: u32,
    /// `user/info`, `video/list` and `video/query`, each.
    pub display: u32,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            per: LimitKey::Token,
            creator_info: 20,
            init: 6,
            status: 30,
            cancel: 30,
            display: 600,
        }
    }
}

/// Whether a rate bucket belongs to a token or survives a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKey {
    /// One bucket per access token, as the pages say.
    Token,
    /// One bucket per creator, stricter.
    Account,
}

/// How a publish moves from bytes to an audience. Times are milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// Processing time of the smallest file.
    pub processing_ms: i64,
    /// Added for each 1,000,000 bytes.
    pub processing_ms_per_mb: i64,
    /// From posted to publicly available.
    pub moderation_ms: i64,
    /// How long `status/fetch` does not know a fresh `publish_id`.
    pub status_lag_ms: i64,
    /// When status and webhooks give the post id.
    pub post_id: PostIdMode,
    /// Every publish ends in FAILED with this reason.
    pub fail_reason: Option<String>,
    /// Every publish stays in processing for ever.
    pub stuck: bool,
    /// Whether uploaded bytes must open like MP4, MOV or WebM.
    pub check_container: bool,
    /// How long a `publish_id` stays known to `status/fetch`; none means for ever.
    pub publish_id_retention_ms: Option<i64>,
    /// The length in seconds that `video/list` shows of every video: the simulator decodes none.
    pub video_seconds: i64,
    /// Views a public video gains per hour; likes, comments and shares follow.
    pub views_per_hour: u64,
    /// A direct init without a `creator_info` query within this span is a broken rule; none
    /// switches the rule off.
    pub creator_info_freshness_ms: Option<i64>,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            processing_ms: 500,
            processing_ms_per_mb: 10,
            moderation_ms: 1_000,
            status_lag_ms: 0,
            post_id: PostIdMode::AfterModeration,
            fail_reason: None,
            stuck: false,
            check_container: true,
            publish_id_retention_ms: None,
            video_seconds: 15,
            views_per_hour: 120,
            creator_info_freshness_ms: Some(600_000),
        }
    }
}

/// When the id of a public post is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum PostIdMode {
    /// At the end of moderation.
    AfterModeration,
    /// This long after moderation; the video itself is visible before.
    Late {
        /// Milliseconds after moderation.
        ms: i64,
    },
    /// Never, although the video is visible.
    Never,
    /// Several ids for one publish.
    Multiple {
        /// How many.
        count: u32,
    },
}

/// Points where TikTok's documents and its behaviour differ.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuirkConfig {
    /// HTTP status of OAuth errors; 200 was recorded, 400 and 401 are assumed by some.
    pub oauth_error_status: u16,
    /// Posting endpoints say `invalid_param` (as documented) instead of `invalid_params` (as seen).
    pub documented_invalid_param: bool,
    /// An unknown `publish_id` is reported as `invalid_params` with message `invalid_publish_id`.
    pub publish_id_as_invalid_params: bool,
    /// A user field outside the scopes answers 400 `scope_permission_missed` instead of 401
    /// `scope_not_authorized`.
    pub scope_permission_missed: bool,
}

impl Default for QuirkConfig {
    fn default() -> Self {
        Self {
            oauth_error_status: 200,
            documented_invalid_param: false,
            publish_id_as_invalid_params: false,
            scope_permission_missed: false,
        }
    }
}
