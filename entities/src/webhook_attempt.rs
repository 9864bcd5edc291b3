//! `webhook_attempts`: the log of every try to deliver an event.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, WebhookDeliveryId};

/// One try.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_attempts")]
pub struct Model {
    /// The delivery.
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: WebhookDeliveryId,
    /// Which try it was; counts from one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    /// The HTTP status of the answer, when there was one.
    pub status: Option<i32>,
    /// Why it failed, as a word.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
