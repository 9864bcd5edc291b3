//! `oauth_states`: consent screens that somebody was sent to and has not come back from.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

use crate::{Sealed, Timestamp, UserId};

/// What a consent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum ConsentPurpose {
    /// An account is connected for a user.
    #[sea_orm(string_value = "connect")]
    Connect,
    /// Somebody signs in by it; it is connected as well.
    #[sea_orm(string_value = "sign_in")]
    SignIn,
    /// Somebody proves that an account is theirs; nothing is kept.
    #[sea_orm(string_value = "prove")]
    Prove,
}

/// One pending consent.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "oauth_states")]
pub struct Model {
    /// Hex SHA-256 of the `state` parameter; the parameter itself is not stored.
    #[sea_orm(primary_key, auto_increment = false)]
    pub state_hash: String,
    /// Who asked, as far as that is known before the consent.
    pub user_id: Option<UserId>,
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
    /// What it is for.
    pub purpose: ConsentPurpose,
    /// The request that a proof belongs to.
    pub request_id: Option<Uuid>,
    /// Hex SHA-256 of what only the browser knows that began it; any browser may come back without.
    pub browser_hash: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
