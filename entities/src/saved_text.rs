//! `saved_texts`: captions and sets of hashtags that tenants keep for their posts.

use sea_orm::entity::prelude::*;

use crate::{SavedTextId, Timestamp, UserId};

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, serde::Serialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
#[serde(rename_all = "snake_case")]
pub enum TextKind {
    /// A caption.
    #[sea_orm(string_value = "caption")]
    Caption,
    /// Hashtags, to be put behind a caption.
    #[sea_orm(string_value = "hashtags")]
    Hashtags,
}

/// One text.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "saved_texts")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SavedTextId,
    /// The tenant.
    pub user_id: UserId,
    /// What it is for.
    pub kind: TextKind,
    /// Its name; one of each kind.
    pub name: String,
    /// The text itself.
    #[sea_orm(column_type = "Text")]
    pub body: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
