//! `mails`: letters to people, one for each cause. Address and text are sealed, and gone when it is sent.

use sea_orm::entity::prelude::*;

use crate::{MailId, Sealed, Timestamp, UserId};

/// Where a letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub enum MailState {
    /// It is to be sent.
    #[sea_orm(string_value = "waiting")]
    Waiting,
    /// A server took it.
    #[sea_orm(string_value = "sent")]
    Sent,
    /// It was refused for good, or given up.
    #[sea_orm(string_value = "failed")]
    Failed,
}

/// One letter.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mails")]
pub struct Model {
    /// Primary key; the name of the letter at mail servers comes from it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MailId,
    /// Why it is written: one letter a cause.
    #[sea_orm(unique)]
    pub cause: String,
    /// Which letter, as a word.
    pub kind: String,
    /// Whom it is about, if that is a user.
    pub user_id: Option<UserId>,
    /// Where it goes, sealed.
    pub recipient_sealed: Option<Sealed>,
    /// What it says, sealed.
    pub content_sealed: Option<Sealed>,
    /// Where it stands.
    pub state: MailState,
    /// Why the last try failed, as a word.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent or given up.
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
