//! `canaries`: the newest proof that each queue runs what it is given.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// The last canary of one queue that came back.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "canaries")]
pub struct Model {
    /// The queue.
    #[sea_orm(primary_key, auto_increment = false)]
    pub queue: String,
    /// When it was enqueued.
    pub enqueued_at: Timestamp,
    /// When it ran.
    pub succeeded_at: Timestamp,
    /// From its enqueuing until a worker had it.
    pub latency_ms: i64,
}

impl ActiveModelBehavior for ActiveModel {}
