//! `bulk_acts`: one act of an operator on many jobs, and how far it has come.

use sea_orm::entity::prelude::*;

use crate::{ApiKeyId, BulkActId, JobId, Timestamp, UserId};

/// What is done to each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum BulkAction {
    /// It is made due now.
    #[sea_orm(string_value = "retry")]
    Retry,
    /// It is called off.
    #[sea_orm(string_value = "cancel")]
    Cancel,
    /// It is let go from its hold.
    #[sea_orm(string_value = "release")]
    Release,
}

/// Where the act stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(12))")]
pub enum BulkState {
    /// Batch after batch is done, or waits for a worker.
    #[sea_orm(string_value = "running")]
    Running,
    /// Every matched job was looked at.
    #[sea_orm(string_value = "completed")]
    Completed,
    /// Somebody stopped it; what was done stays done.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
    /// Its job was given up; what was done stays done. A retry of the job goes on from there.
    #[sea_orm(string_value = "failed")]
    Failed,
}

/// One act.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bulk_acts")]
pub struct Model {
    /// Primary key; its order is the order of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BulkActId,
    /// Who asked for it.
    pub user_id: UserId,
    /// With which key; none, when they signed in without one.
    pub key_id: Option<ApiKeyId>,
    /// The job that carries it out.
    pub job_id: JobId,
    /// What is done.
    pub action: BulkAction,
    /// To which jobs.
    pub filter: Json,
    /// Where it stands.
    pub state: BulkState,
    /// When its caller looked: jobs that changed since are left alone.
    pub as_of: Timestamp,
    /// Jobs that matched when it started.
    pub matched: i64,
    /// Jobs that were changed.
    pub done: i64,
    /// Jobs that could not be changed.
    pub failed: i64,
    /// The last job that was looked at; they come in the order of their ids.
    pub cursor: Option<JobId>,
    /// Why the last of the failed ones could not be changed.
    pub last_error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
