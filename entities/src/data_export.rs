//! `data_exports`: what users asked to be given of everything that is held about them.

use sea_orm::entity::prelude::*;

use crate::{DataExportId, Timestamp, UserId};

/// Where an export stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum ExportState {
    /// Nothing was written yet.
    #[sea_orm(string_value = "waiting")]
    Waiting,
    /// It is being written.
    #[sea_orm(string_value = "running")]
    Running,
    /// It can be fetched.
    #[sea_orm(string_value = "ready")]
    Ready,
    /// It was given up.
    #[sea_orm(string_value = "failed")]
    Failed,
    /// It was deleted.
    #[sea_orm(string_value = "expired")]
    Expired,
}

/// One export.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_exports")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DataExportId,
    /// The tenant.
    pub user_id: UserId,
    /// Where it stands.
    pub state: ExportState,
    /// The name of its object in the storage, while it can be fetched.
    pub object: Option<String>,
    /// Bytes of the archive.
    pub size: Option<i64>,
    /// SHA-256 of the archive, hexadecimal.
    pub sha256: Option<String>,
    /// Why it failed, as a sentence.
    #[sea_orm(column_type = "Text", nullable)]
    pub failure_message: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it could be fetched.
    pub ready_at: Option<Timestamp>,
    /// When it is deleted.
    pub expires_at: Option<Timestamp>,
    /// When it had failed or was deleted.
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
