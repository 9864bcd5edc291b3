//! `operator_identities`: operators whom a provider of identities made, by OpenID Connect.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// Who an operator is at the provider. `(issuer, subject)` is unique.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operator_identities")]
pub struct Model {
    /// The operator.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The provider.
    pub issuer: String,
    /// The provider's name for them, which never changes.
    pub subject: String,
    /// When they came first.
    pub created_at: Timestamp,
    /// When they signed in last.
    pub seen_at: Timestamp,
    /// Since when the provider gives them no role. They come back by themselves when it gives one again,
    /// other than somebody whom the command line revoked.
    pub lapsed_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
