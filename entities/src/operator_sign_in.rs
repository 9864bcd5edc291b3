//! `operator_sign_ins`: operators who were sent to the provider of identities and have not come back.

use sea_orm::entity::prelude::*;

use crate::{Sealed, Timestamp};

/// One sign-in under way.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operator_sign_ins")]
pub struct Model {
    /// Hex SHA-256 of the `state` parameter; the parameter itself is not stored.
    #[sea_orm(primary_key, auto_increment = false)]
    pub state_hash: String,
    /// Hex SHA-256 of what only the browser knows that began it.
    pub browser_hash: String,
    /// Hex SHA-256 of the nonce that the ID token must hold.
    pub nonce_hash: String,
    /// The sealed PKCE verifier.
    pub verifier_sealed: Sealed,
    /// Where in the console the browser goes afterwards, behind `/ops`.
    pub next: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being accepted.
    pub expires_at: Timestamp,
    /// When it was used; a second use is refused.
    pub used_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
