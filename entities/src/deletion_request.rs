//! `deletion_requests`: what people without access asked to have deleted. What they said of themselves is
//! sealed, and gone as soon as it has served.

use sea_orm::entity::prelude::*;

use crate::{DeletionRequestId, ErasureId, Sealed, Timestamp};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum RequestState {
    /// Nobody knows yet whether it is the owner's.
    #[sea_orm(string_value = "open")]
    Open,
    /// It is the owner's, and the erasure runs.
    #[sea_orm(string_value = "proven")]
    Proven,
    /// Everything is deleted.
    #[sea_orm(string_value = "done")]
    Done,
    /// Nobody proved it in time.
    #[sea_orm(string_value = "lapsed")]
    Lapsed,
    /// An operator found that it is not the owner's.
    #[sea_orm(string_value = "refused")]
    Refused,
}

/// How it was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum ProofKind {
    /// The creator signed in with TikTok.
    #[sea_orm(string_value = "tiktok")]
    Tiktok,
    /// The code stood in the profile's text.
    #[sea_orm(string_value = "bio")]
    Bio,
    /// An operator looked.
    #[sea_orm(string_value = "operator")]
    Operator,
}

/// One request.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deletion_requests")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeletionRequestId,
    /// SHA-256 of the request's code, hexadecimal. The code itself is nowhere.
    #[sea_orm(unique)]
    pub code_hash: String,
    /// Where it stands.
    pub state: RequestState,
    /// What its sender wrote, sealed; null once it has served.
    pub details_sealed: Option<Sealed>,
    /// Where its sender wants to be told, sealed; null once they were.
    pub email_sealed: Option<Sealed>,
    /// A keyed hash of the username; null with the details.
    pub name_hash: Option<String>,
    /// How it was proved.
    pub proof: Option<ProofKind>,
    /// The smallest number of days before its due date of which a reminder went out.
    pub reminded: Option<i32>,
    /// When the profile was last looked at.
    pub looked_at: Option<Timestamp>,
    /// The erasure that it began.
    pub erasure_id: Option<ErasureId>,
    /// When it came.
    pub requested_at: Timestamp,
    /// By when it must be over.
    pub due_at: Timestamp,
    /// When it was proved.
    pub proven_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
