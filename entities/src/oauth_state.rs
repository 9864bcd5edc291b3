//! `oauth_states`: consent screens that somebody was sent to and has not come back from.

use sea_orm::entity::prelude::*;

use crate::{Sealed, Timestamp, UserId};

/// One pending consent.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "oauth_states")]
pub struct Model {
    /// Hex SHA-256 of the `state` parameter; the parameter itself is not stored.
    #[sea_orm(primary_key, auto_increment = false)]
    pub state_hash: String,
    /// Who asked.
    pub user_id: UserId,
    /// The sealed PKCE verifier.
    pub verifier_sealed: Sealed,
    /// The scopes that were asked for, comma separated.
    pub scopes: String,
    /// Where the browser goes afterwards, when the caller named an allowed address.
    pub return_to: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being accepted.
    pub expires_at: Timestamp,
    /// When it was used; a second use is refused.
    pub used_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
