//! `webhook_endpoints`: addresses of tenants that are told what happens.

use sea_orm::entity::prelude::*;

use crate::{Sealed, Timestamp, UserId, WebhookEndpointId};

/// One address.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoints")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookEndpointId,
    /// The tenant.
    pub user_id: UserId,
    /// Where events are sent.
    #[sea_orm(column_type = "Text")]
    pub url: String,
    /// A name for people.
    pub description: Option<String>,
    /// The kinds of events that are sent, separated by spaces; empty for all.
    #[sea_orm(column_type = "Text")]
    pub kinds: String,
    /// Whether events are sent.
    pub enabled: bool,
    /// The secret that signs, sealed.
    pub secret: Sealed,
    /// Which secret it is; grows with each rotation.
    pub generation: i64,
    /// The secret before, sealed, while both sign.
    pub old_secret: Option<Sealed>,
    /// Until when the secret before signs, too.
    pub old_until: Option<Timestamp>,
    /// The newest event that became a delivery, or was passed over.
    pub cursor: i64,
    /// Since when nothing got through.
    pub failing_since: Option<Timestamp>,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Why, as a word.
    pub disabled_reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
