//! `attempt_photos`: the pictures that an attempt offers to TikTok under addresses of its own, and
//! what was fetched of each. The row says so before a byte goes out.

use sea_orm::entity::prelude::*;

use crate::{AttemptId, MediaId, Timestamp};

/// One picture of one attempt.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt_photos")]
pub struct Model {
    /// The attempt.
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt_id: AttemptId,
    /// Its place, from zero.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// The file.
    pub media_id: MediaId,
    /// The type that it goes out with.
    pub content_type: String,
    /// Bytes of the file.
    pub size: i64,
    /// How often its headers alone were asked for.
    pub heads: i32,
    /// How often bytes were asked for.
    pub fetches: i32,
    /// Bytes that went out, repeated ones included.
    pub bytes_served: i64,
    /// Bytes from the start that went out without a gap.
    pub served_to: i64,
    /// When it was first asked for, in any way.
    pub first_asked_at: Option<Timestamp>,
    /// When it was last asked for.
    pub last_asked_at: Option<Timestamp>,
    /// When the last of its bytes had gone out.
    pub completed_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
