//! `jobs`: every unit of work, waiting, running or over. The table is outbox and ledger in one.

use sea_orm::entity::prelude::*;

use crate::{JobId, Timestamp};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(12))")]
pub enum JobState {
    /// Waits for its time.
    #[sea_orm(string_value = "scheduled")]
    Scheduled,
    /// Due; waits for a worker.
    #[sea_orm(string_value = "available")]
    Available,
    /// A worker holds the newest fence.
    #[sea_orm(string_value = "running")]
    Running,
    /// Done.
    #[sea_orm(string_value = "completed")]
    Completed,
    /// Failed or crashed, and waits for its next attempt.
    #[sea_orm(string_value = "retryable")]
    Retryable,
    /// Given up: attempts spent, poison, or a failure that no retry mends.
    #[sea_orm(string_value = "discarded")]
    Discarded,
    /// Called off.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
    /// Waits for somebody to act; `hold_reason` says for what.
    #[sea_orm(string_value = "held")]
    Held,
}

impl JobState {
    /// Whether the job can never run again unless somebody retries it.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Discarded | Self::Cancelled => true,
            Self::Scheduled | Self::Available | Self::Running | Self::Retryable | Self::Held => {
                false
            }
        }
    }

    /// The word in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Retryable => "retryable",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
            Self::Held => "held",
        }
    }
}

/// One job.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    /// Primary key; its order is the order of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// The queue that runs it.
    pub queue: String,
    /// What kind of work it is.
    pub kind: String,
    /// The arguments of the kind.
    pub args: Json,
    /// Whose turn it uses: a creator's account id, or empty.
    pub lane: String,
    /// Lower runs first within a lane.
    pub priority: i32,
    /// Where it stands.
    pub state: JobState,
    /// What a held job waits for, as a word.
    pub hold_reason: Option<String>,
    /// When it is due.
    pub run_at: Timestamp,
    /// The attempt that runs or ran last; counts from one.
    pub attempt: i32,
    /// Attempts that it may use.
    pub max_attempts: i32,
    /// Attempts in a row whose worker vanished.
    pub crashes: i32,
    /// How often it put itself off.
    pub snoozes: i32,
    /// Grows with every dispatch and every claim; the holder of the newest value may write.
    pub fence: i64,
    /// When its pointer was last handed to the transport.
    pub dispatched_at: Option<Timestamp>,
    /// The process that runs it.
    pub lease_owner: Option<String>,
    /// Until when that process is believed.
    pub lease_until: Option<Timestamp>,
    /// At most one live job has this key; null once the job is final.
    pub unique_key: Option<String>,
    /// Somebody asked a running job to stop.
    pub cancel_requested: bool,
    /// What the handler last said about its progress.
    pub progress: Option<Json>,
    /// Why the last attempt did not succeed.
    pub last_error: Option<String>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When the last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it became final.
    pub finished_at: Option<Timestamp>,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
