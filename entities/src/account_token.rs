//! `account_tokens`: the newest pair of tokens of each account, sealed under the account's key.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Sealed, Timestamp};

/// How sure we are of the stored pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum TokenState {
    /// The pair is the newest that TikTok gave.
    #[sea_orm(string_value = "fresh")]
    Fresh,
    /// TikTok rejected the access token: refresh before the next use.
    #[sea_orm(string_value = "suspect")]
    Suspect,
    /// A refresh was sent and its answer may have been lost: the refresh token may be spent.
    #[sea_orm(string_value = "uncertain")]
    Uncertain,
    /// TikTok says that the grant is over.
    #[sea_orm(string_value = "dead")]
    Dead,
}

/// One sealed pair.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_tokens")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Grows by one with each stored pair; part of what the sealing binds.
    pub generation: i64,
    /// The sealed access token.
    pub access_sealed: Sealed,
    /// When the access token ends.
    pub access_expires_at: Timestamp,
    /// The sealed refresh token.
    pub refresh_sealed: Sealed,
    /// When the refresh token ends.
    pub refresh_expires_at: Timestamp,
    /// How sure we are of the pair.
    pub state: TokenState,
    /// When the pair was stored.
    pub refreshed_at: Timestamp,
    /// Somebody needs a token that lives until then, so a refresh is due earlier than usual.
    pub wanted_until: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
