//! `media_labels`: the labels of files.

use sea_orm::entity::prelude::*;

use crate::{MediaId, UserId};

/// One label of one file.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "media_labels")]
pub struct Model {
    /// The file.
    #[sea_orm(primary_key, auto_increment = false)]
    pub media_id: MediaId,
    /// The label.
    #[sea_orm(primary_key, auto_increment = false)]
    pub label: String,
    /// The tenant.
    pub user_id: UserId,
}

impl ActiveModelBehavior for ActiveModel {}
