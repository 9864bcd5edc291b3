//! `api_keys`: who may call the API. Only a keyed hash of the secret is stored.

use sea_orm::entity::prelude::*;

use crate::{ApiKeyId, Sealed, Timestamp, UserId};

/// One API key.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    /// Primary key; also the readable id part of the key's text.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    /// The tenant that the key acts for.
    pub user_id: UserId,
    /// A name for people.
    pub name: String,
    /// HMAC-SHA-256 of the secret.
    pub hash: Sealed,
    /// Scopes, space separated.
    pub scopes: String,
    /// When it stops working; never, when absent.
    pub expires_at: Option<Timestamp>,
    /// When somebody revoked it.
    pub revoked_at: Option<Timestamp>,
    /// Last use, written at most once a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The accounts that it is restricted to, space separated; all, when absent.
    #[sea_orm(column_type = "Text", nullable)]
    pub accounts: Option<String>,
    /// The key that takes its place.
    pub replaced_by: Option<ApiKeyId>,
}

impl ActiveModelBehavior for ActiveModel {}
