//! `queue_controls`: what operators decided about a queue, and which transport holds its pointers.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// One queue.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "queue_controls")]
pub struct Model {
    /// The queue's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub queue: String,
    /// Whether workers leave it alone.
    pub paused: bool,
    /// Whether it is paused in order to be emptied: pointers are taken back too.
    pub draining: bool,
    /// When it was paused.
    pub paused_at: Option<Timestamp>,
    /// The transport's epoch under which rows were last dispatched; another one means that the
    /// transport forgot them.
    pub epoch: Option<String>,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
