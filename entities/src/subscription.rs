//! `subscriptions`: what PayPal told of subscriptions, and nothing that it told beside this.

use sea_orm::entity::prelude::*;

use crate::{SubscriptionId, Timestamp, UserId};

/// What PayPal calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(12))")]
pub enum SubscriptionStatus {
    /// Nothing but payments is known of it yet.
    #[sea_orm(string_value = "unknown")]
    Unknown,
    /// It was made, and nobody has agreed to it.
    #[sea_orm(string_value = "created")]
    Created,
    /// It is being paid.
    #[sea_orm(string_value = "active")]
    Active,
    /// It is not being paid, and can go on.
    #[sea_orm(string_value = "suspended")]
    Suspended,
    /// It was ended by somebody.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
    /// It came to its end.
    #[sea_orm(string_value = "expired")]
    Expired,
}

/// One subscription.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscriptions")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SubscriptionId,
    /// Whose it is, once PayPal has told the code that we gave.
    pub user_id: Option<UserId>,
    /// PayPal's id.
    #[sea_orm(unique)]
    pub paypal_id: String,
    /// What PayPal calls it.
    pub status: SubscriptionStatus,
    /// The end of the paid period: what follows from the rest and from the payments.
    pub paid_until: Option<Timestamp>,
    /// The end of the grace after it.
    pub grace_until: Option<Timestamp>,
    /// When access ends.
    pub cutoff_at: Option<Timestamp>,
    /// Since when the status holds, by PayPal's clock: what is older changes nothing.
    pub status_at: Option<Timestamp>,
    /// What is subscribed to, by PayPal's id of the plan.
    pub plan_id: Option<String>,
    /// Since when that is known, by PayPal's clock.
    pub plan_at: Option<Timestamp>,
    /// When the next payment is due, as PayPal told it when the last was made.
    pub told_until: Option<Timestamp>,
    /// The last payment, by PayPal's clock.
    pub paid_at: Option<Timestamp>,
    /// The last payment that failed, by PayPal's clock.
    pub failed_at: Option<Timestamp>,
    /// When it was first heard of.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
