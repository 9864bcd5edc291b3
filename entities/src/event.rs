//! `events`: an append-only log per tenant. Its `seq` is the cursor of subscriptions.
//!
//! Within one tenant events become visible in the order of `seq`, since appending takes a lock on
//! the tenant that is held until the transaction ends.

use sea_orm::entity::prelude::*;

use crate::{AccountId, EvidenceId, PostId, Timestamp, UserId};

/// One thing that happened.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// The cursor; grows.
    #[sea_orm(primary_key)]
    pub seq: i64,
    /// The tenant.
    pub user_id: UserId,
    /// The account, when it is about one.
    pub account_id: Option<AccountId>,
    /// The post, when it is about one.
    pub post_id: Option<PostId>,
    /// What happened, as a dotted word such as `post.state`.
    pub kind: String,
    /// The particulars; never a secret.
    pub data: Json,
    /// The proof, when there is one.
    pub evidence_id: Option<EvidenceId>,
    /// When.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
