//! `billing_events`: which of PayPal's events were taken, so that each counts once. Nothing of what they said.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// One event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_events")]
pub struct Model {
    /// A keyed hash of PayPal's id of the event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// When it came.
    pub received_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
