//! `job_attempts`: attempts that did not succeed. A success leaves no row here.

use sea_orm::entity::prelude::*;

use crate::{JobId, Timestamp};

/// How an attempt went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(12))")]
pub enum AttemptOutcome {
    /// The handler returned an error or panicked.
    #[sea_orm(string_value = "failed")]
    Failed,
    /// The worker vanished and its lease ran out.
    #[sea_orm(string_value = "crashed")]
    Crashed,
    /// It took longer than its policy allows.
    #[sea_orm(string_value = "timed_out")]
    TimedOut,
}

/// One failed attempt.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_attempts")]
pub struct Model {
    /// The job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: JobId,
    /// The fencing token under which it ran; grows from attempt to attempt.
    #[sea_orm(primary_key, auto_increment = false)]
    pub fence: i64,
    /// Which attempt it was.
    pub attempt: i32,
    /// How it went wrong.
    pub outcome: AttemptOutcome,
    /// The error's text.
    pub error: String,
    /// The process that ran it.
    pub worker: Option<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When its end was noted.
    pub finished_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
