//! `erasures`: whose data was to be deleted, how far that is, and the signed receipt. While it runs
//! the row names whom it erases; when it has ended only the receipt is left of it.

use sea_orm::entity::prelude::*;

use crate::{AccountId, ErasureId, Timestamp, UserId};

/// What is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum ErasureScope {
    /// One TikTok account and what belongs to it.
    #[sea_orm(string_value = "account")]
    Account,
    /// A user with everything.
    #[sea_orm(string_value = "user")]
    User,
}

/// Who wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum ErasureCause {
    /// The owner, through the API.
    #[sea_orm(string_value = "owner")]
    Owner,
    /// TikTok, by the webhook `authorization.removed`.
    #[sea_orm(string_value = "tiktok")]
    Tiktok,
    /// An operator, on the command line.
    #[sea_orm(string_value = "operator")]
    Operator,
    /// The owner, who could not sign in and proved who they are.
    #[sea_orm(string_value = "request")]
    Request,
    /// A tombstone: a restored backup had brought the data back.
    #[sea_orm(string_value = "replay")]
    Replay,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(12))")]
pub enum ErasureState {
    /// Steps are left.
    #[sea_orm(string_value = "running")]
    Running,
    /// Everything is gone and the receipt is signed.
    #[sea_orm(string_value = "completed")]
    Completed,
}

/// One erasure.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "erasures")]
pub struct Model {
    /// Primary key; its order is the order of requests.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ErasureId,
    /// What is erased.
    pub scope: ErasureScope,
    /// Who wanted it.
    pub cause: ErasureCause,
    /// Whose data it is; null once it has ended.
    pub user_id: Option<UserId>,
    /// Which account, when it is one alone; null once it has ended.
    pub account_id: Option<AccountId>,
    /// SHA-256 of the confirmation code, hexadecimal. The code itself is nowhere.
    #[sea_orm(unique)]
    pub code_hash: String,
    /// Where it stands.
    pub state: ErasureState,
    /// What TikTok had been handed before; null until it was listed.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub handed: Option<Json>,
    /// Files and accounts whose places are looked at again before the end; null before and after.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub watched: Option<Json>,
    /// The signed receipt as it is given out; null until the end.
    #[sea_orm(column_type = "Text", nullable)]
    pub receipt: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When everything was gone.
    pub completed_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
