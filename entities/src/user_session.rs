//! `user_sessions`: users who are signed in with a browser. Only a keyed hash of the cookie's secret is
//! stored.

use sea_orm::entity::prelude::*;

use crate::{Sealed, Timestamp, UserId, UserSessionId};

/// One session.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_sessions")]
pub struct Model {
    /// Primary key; also the readable part of the cookie.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserSessionId,
    /// Who is signed in.
    pub user_id: UserId,
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
