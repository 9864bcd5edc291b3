//! `evidence`: the proof behind a change of state: an answer of TikTok's, a webhook, a person.

use sea_orm::entity::prelude::*;

use crate::{AttemptId, EvidenceId, PostId, Timestamp};

/// Who told us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum EvidenceSource {
    /// An answer to a call of ours.
    #[sea_orm(string_value = "tiktok_api")]
    TiktokApi,
    /// A signed webhook.
    #[sea_orm(string_value = "tiktok_webhook")]
    TiktokWebhook,
    /// The creator's own word.
    #[sea_orm(string_value = "creator")]
    Creator,
    /// An operator's recorded act.
    #[sea_orm(string_value = "operator")]
    Operator,
    /// Our own observation, such as a deadline that passed.
    #[sea_orm(string_value = "clipqueue")]
    Clipqueue,
}

/// One proof.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "evidence")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EvidenceId,
    /// The post that it is about.
    pub post_id: PostId,
    /// The attempt that it is about.
    pub attempt_id: Option<AttemptId>,
    /// Who told us.
    pub source: EvidenceSource,
    /// The call or event, such as `publish.status`.
    pub subject: String,
    /// The HTTP status of an answer.
    pub http_status: Option<i32>,
    /// TikTok's error code, or `ok`.
    pub code: Option<String>,
    /// TikTok's log id, which its support asks for.
    pub log_id: Option<String>,
    /// What was said, without secrets.
    pub body: Json,
    /// When we learnt it.
    pub created_at: Timestamp,
    /// When `body` was emptied, since it was kept long enough.
    pub body_removed_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
