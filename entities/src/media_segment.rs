//! `media_segments`: the immutable objects in storage that make up a file, in order.

use sea_orm::entity::prelude::*;

use crate::MediaId;

/// One stored piece of a file.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "media_segments")]
pub struct Model {
    /// The file.
    #[sea_orm(primary_key, auto_increment = false)]
    pub media_id: MediaId,
    /// Where in the file the piece begins.
    #[sea_orm(primary_key, auto_increment = false)]
    pub start: i64,
    /// Bytes in the piece.
    pub len: i64,
    /// The object's key in storage.
    pub key: String,
}

impl ActiveModelBehavior for ActiveModel {}
