//! `tiktok_notices`: what TikTok's webhooks said. A notice is a hint; the row also says what became
//! of it.

use sea_orm::entity::prelude::*;

use crate::{AccountId, AttemptId, NoticeId, PostId, Timestamp};

/// What a notice tells. The words are TikTok's, spelling included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(48))")]
pub enum NoticeKind {
    /// A publish failed.
    #[sea_orm(string_value = "post.publish.failed")]
    Failed,
    /// A direct post is done, or the creator posted a draft.
    #[sea_orm(string_value = "post.publish.complete")]
    Complete,
    /// A draft is in the creator's inbox.
    #[sea_orm(string_value = "post.publish.inbox_delivered")]
    InboxDelivered,
    /// A post became public.
    #[sea_orm(string_value = "post.publish.publicly_available")]
    PubliclyAvailable,
    /// A post is no longer public.
    #[sea_orm(string_value = "post.publish.no_longer_publicaly_available")]
    NoLongerPublic,
    /// The creator, or TikTok, ended the grant.
    #[sea_orm(string_value = "authorization.removed")]
    AuthorizationRemoved,
}

/// One notice.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tiktok_notices")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NoticeId,
    /// The same for every repetition of one notice.
    #[sea_orm(unique)]
    pub digest: String,
    /// What it tells.
    pub kind: NoticeKind,
    /// Whom it is about, as TikTok names them.
    pub open_id: Option<String>,
    /// The account of that creator, when it is known.
    pub account_id: Option<AccountId>,
    /// The publish that it is about.
    pub publish_id: Option<String>,
    /// The particulars.
    pub facts: Json,
    /// When it happened, as TikTok says.
    pub occurred_at: Option<Timestamp>,
    /// When it came in.
    pub received_at: Timestamp,
    /// The post that it is about, once found.
    pub post_id: Option<PostId>,
    /// The attempt that it is about, once found.
    pub attempt_id: Option<AttemptId>,
    /// When the post was found.
    pub matched_at: Option<Timestamp>,
    /// When TikTok first answered a question about the publish after that.
    pub answered_at: Option<Timestamp>,
    /// When nothing was left to do about it.
    pub settled_at: Option<Timestamp>,
    /// What became of it, as a word.
    pub outcome: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
