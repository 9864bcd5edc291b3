//! `billing_records`: what must be kept of subscriptions for accounting after their user was erased.

use sea_orm::entity::prelude::*;

use crate::{Sealed, Timestamp};

/// One record.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_records")]
pub struct Model {
    /// A keyed hash of PayPal's id; it leads to nobody.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The subscription's id, status, and the ends of period, grace and access, sealed.
    pub record_sealed: Sealed,
    /// When it is deleted.
    pub keep_until: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
