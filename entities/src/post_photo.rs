//! `post_photos`: the pictures of a photo post, in the order in which they are shown.

use sea_orm::entity::prelude::*;

use crate::{MediaId, PostId};

/// One picture of one post.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "post_photos")]
pub struct Model {
    /// The post.
    #[sea_orm(primary_key, auto_increment = false)]
    pub post_id: PostId,
    /// Its place, from zero.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// The file.
    pub media_id: MediaId,
}

impl ActiveModelBehavior for ActiveModel {}
