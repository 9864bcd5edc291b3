//! `subscription_payments`: payments for subscriptions, and how much of each went back.

use sea_orm::entity::prelude::*;

use crate::{SubscriptionId, Timestamp};

/// One payment.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription_payments")]
pub struct Model {
    /// A keyed hash of PayPal's id of the payment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What it was for, once that is known: what went back may be told before.
    pub subscription_id: Option<SubscriptionId>,
    /// When it was made, by PayPal's clock.
    pub paid_at: Option<Timestamp>,
    /// How much it was, in thousandths of its currency.
    pub amount: Option<i64>,
    /// How much of it went back, in thousandths.
    pub returned: i64,
    /// When it was first heard of.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
