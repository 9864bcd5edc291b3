//! `cron_slots`: the slots of periodic jobs that fired. The primary key is why none fires twice.

use sea_orm::entity::prelude::*;

use crate::{JobId, Timestamp};

/// One slot.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cron_slots")]
pub struct Model {
    /// The cron's name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The instant it stands for.
    #[sea_orm(primary_key, auto_increment = false)]
    pub fire_at: Timestamp,
    /// The job that it made; null for the mark that says since when the cron is known.
    pub job_id: Option<JobId>,
    /// When the row was made.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
