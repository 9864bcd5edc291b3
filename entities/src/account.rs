//! `tiktok_accounts`: connected creators. Tokens and keys live in tables of their own.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Timestamp, UserId};

/// Whether we may act for the creator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
pub enum AccountStatus {
    /// Tokens are good, as far as TikTok has told us.
    #[sea_orm(string_value = "active")]
    Active,
    /// TikTok refuses the grant: the creator must connect again.
    #[sea_orm(string_value = "reauth_required")]
    ReauthRequired,
    /// The creator left; kept only as a tombstone until erasure ends.
    #[sea_orm(string_value = "disconnected")]
    Disconnected,
}

/// One connected TikTok account.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tiktok_accounts")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    /// The owner.
    pub user_id: UserId,
    /// TikTok's id of this creator for our app; opaque, dashes included.
    #[sea_orm(unique)]
    pub open_id: String,
    /// TikTok's id of this creator for our developer account.
    pub union_id: Option<String>,
    /// The handle, when the granted scopes show it.
    pub username: Option<String>,
    /// The display name.
    pub display_name: Option<String>,
    /// A signed picture address; TikTok lets it die after two hours.
    pub avatar_url: Option<String>,
    /// Granted scopes, comma separated, as TikTok spells them.
    pub scopes: String,
    /// Whether we may act.
    pub status: AccountStatus,
    /// A code that says why the status is not `active`.
    pub status_reason: Option<String>,
    /// Since when.
    pub status_since: Timestamp,
    /// When the creator last gave consent.
    pub connected_at: Timestamp,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
