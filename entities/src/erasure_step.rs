//! `erasure_steps`: the steps of an erasure that are done.

use sea_orm::entity::prelude::*;

use crate::{ErasureId, Timestamp};

/// One step that is done.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure_steps")]
pub struct Model {
    /// The erasure.
    #[sea_orm(primary_key, auto_increment = false)]
    pub erasure_id: ErasureId,
    /// Its place among the steps, from zero.
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: i32,
    /// Its word.
    pub step: String,
    /// What it did, as numbers by words.
    pub counts: Json,
    /// When it was done.
    pub done_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
