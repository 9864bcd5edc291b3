//! `media_imports`: files that are fetched from tenants' own addresses.

use sea_orm::entity::prelude::*;

use crate::{MediaId, MediaImportId, Sealed, Timestamp, UserId, VerifiedSourceId};

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum ImportState {
    /// Nothing was asked yet.
    #[sea_orm(string_value = "waiting")]
    Waiting,
    /// Bytes come in.
    #[sea_orm(string_value = "fetching")]
    Fetching,
    /// The file is there.
    #[sea_orm(string_value = "ready")]
    Ready,
    /// It was given up.
    #[sea_orm(string_value = "failed")]
    Failed,
}

/// One import.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "media_imports")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MediaImportId,
    /// The tenant.
    pub user_id: UserId,
    /// The source that the address lies below.
    pub source_id: VerifiedSourceId,
    /// The address, sealed: its query may be as good as a password. Gone when the import is over.
    pub url: Option<Sealed>,
    /// The address without its query.
    #[sea_orm(column_type = "Text")]
    pub shown_url: String,
    /// The file's name.
    pub filename: Option<String>,
    /// The file, once its size is known.
    pub media_id: Option<MediaId>,
    /// Where it stands.
    pub state: ImportState,
    /// The server's mark of the content whose bytes are stored.
    pub mark: Option<String>,
    /// How often it began anew because the file changed.
    pub restarts: i32,
    /// Why it failed, as a word.
    pub failure_code: Option<String>,
    /// Why it failed, as a sentence.
    #[sea_orm(column_type = "Text", nullable)]
    pub failure_message: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
