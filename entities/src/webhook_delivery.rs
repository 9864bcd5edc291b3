//! `webhook_deliveries`: one event on its way to one address.

use sea_orm::entity::prelude::*;

use crate::{AccountId, Timestamp, UserId, WebhookDeliveryId, WebhookEndpointId};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum DeliveryState {
    /// It has not got through yet.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// The address took it.
    #[sea_orm(string_value = "delivered")]
    Delivered,
    /// It was given up.
    #[sea_orm(string_value = "failed")]
    Failed,
}

/// One delivery.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    /// Primary key; the same in every try, so that the receiver knows a repetition.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookDeliveryId,
    /// The address.
    pub endpoint_id: WebhookEndpointId,
    /// The tenant.
    pub user_id: UserId,
    /// The account that it tells of, if it tells of one.
    pub account_id: Option<AccountId>,
    /// The event; none for a test.
    pub seq: Option<i64>,
    /// The kind of event.
    pub kind: String,
    /// What is sent, to the byte.
    #[sea_orm(column_type = "Text")]
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries since it was made or asked for again.
    pub attempts: i32,
    /// Tries in all.
    pub tries: i32,
    /// When it is tried next, while it is pending.
    pub next_at: Option<Timestamp>,
    /// The HTTP status of the last answer.
    pub last_status: Option<i32>,
    /// Why the last try failed, as a word.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it got through or was given up.
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
