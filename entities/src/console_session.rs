//! `console_sessions`: operators who are signed in to the console. Only a keyed hash of the cookie's
//! secret is stored.

use sea_orm::entity::prelude::*;

use crate::{ApiKeyId, ConsoleSessionId, Sealed, Timestamp, UserId};

/// One session.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "console_sessions")]
pub struct Model {
    /// Primary key; also the readable part of the cookie.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConsoleSessionId,
    /// The key that signed in. The session may what the key may, as long as the key may it.
    pub key_id: Option<ApiKeyId>,
    /// The operator who signed in without a key. The session may what the role allows.
    pub user_id: Option<UserId>,
    /// HMAC-SHA-256 of the secret.
    pub hash: Sealed,
    /// When it began.
    pub created_at: Timestamp,
    /// Last use, written at most once a minute.
    pub seen_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
