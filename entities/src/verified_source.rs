//! `verified_sources`: hosts, or parts of hosts, that tenants say are theirs, and the proof of it.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId, VerifiedSourceId};

/// Where a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum SourceState {
    /// The proof was not found yet.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// The proof was found, and not missed for long.
    #[sea_orm(string_value = "verified")]
    Verified,
    /// The proof was there once and is not any more, or never came.
    #[sea_orm(string_value = "lapsed")]
    Lapsed,
}

/// One source.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "verified_sources")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: VerifiedSourceId,
    /// The tenant.
    pub user_id: UserId,
    /// What stands before the path of its URLs, such as `https://media.example.com`.
    pub origin: String,
    /// The beginning of their paths; begins and ends with a slash.
    #[sea_orm(column_type = "Text")]
    pub prefix: String,
    /// What the proof must hold; not a secret.
    pub token: String,
    /// Where it stands.
    pub state: SourceState,
    /// How the proof was found, as a word: `dns` or `file`.
    pub method: Option<String>,
    /// Why the last look found none, as a word.
    pub failure: Option<String>,
    /// When the proof was first found.
    pub verified_at: Option<Timestamp>,
    /// When it was last looked for.
    pub checked_at: Option<Timestamp>,
    /// Since when it is missing, or was never there.
    pub missing_since: Option<Timestamp>,
    /// When it is looked for next; never, once it has lapsed.
    pub next_check_at: Option<Timestamp>,
    /// When it was named.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
