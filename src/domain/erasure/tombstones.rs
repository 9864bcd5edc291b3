//! Tombstones: who was erased, as keyed hashes. They lie in a table, where the door for webhooks looks,
//! and as one document an erasure beside the media, where no backup of the database takes them back.

use clipqueue_entities::{
    ErasureId, Timestamp,
    erasure::{self, ErasureScope},
    tombstone::{self, TombstoneKind},
};
use sea_orm::{
    ActiveEnum as _,
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::get;
use crate::{app::App, domain::error::Result};

/// Where the documents lie in the media storage.
pub(super) const PLACE: &str = "tombstones";
/// The only layout so far.
const FORMAT: u32 = 1;

/// The tombstones of one erasure, as they are kept outside the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    format: u32,
    /// The erasure.
    pub erasure: ErasureId,
    /// Whether it is about a user; an account otherwise.
    pub of_user: bool,
    /// When it was asked for, in milliseconds.
    pub requested_at: Timestamp,
    /// The hashes, each with what it stands for.
    pub digests: Vec<(String, String)>,
}

/// The hash that stands for somebody.
pub(super) fn digest(app: &App, kind: TombstoneKind, id: &str) -> String {
    app.vault.tombstone(&kind.to_value(), id)
}

pub(super) async fn lay_in_tx(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    erasure: ErasureId,
    digests: Vec<(TombstoneKind, String)>,
) -> Result<()> {
    for (kind, digest) in digests {
        tombstone::Entity::insert(tombstone::ActiveModel {
            digest: Set(digest),
            kind: Set(kind),
            erasure_id: Set(erasure),
            created_at: Set(now),
        })
        .on_conflict(
            // Who came back and was erased again lies here for as long as the newer erasure says.
            OnConflict::column(tombstone::Column::Digest)
                .update_columns([tombstone::Column::ErasureId, tombstone::Column::CreatedAt])
                .action_and_where(Expr::cust("excluded.created_at > tombstones.created_at"))
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    }
    Ok(())
}

/// Whether somebody was erased.
pub(super) async fn lies(
    app: &App,
    db: &impl ConnectionTrait,
    kind: TombstoneKind,
    id: &str,
) -> Result<bool, DbErr> {
    let found = tombstone::Entity::find_by_id(digest(app, kind, id))
        .one(db)
        .await?;
    Ok(found.is_some())
}

async fn of(app: &App, erasure: &erasure::Model) -> Result<Tombstone> {
    let rows = tombstone::Entity::find()
        .filter(tombstone::Column::ErasureId.eq(erasure.id))
        .all(app.db.read())
        .await?;
    Ok(Tombstone {
        format: FORMAT,
        erasure: erasure.id,
        of_user: erasure.scope == ErasureScope::User,
        requested_at: erasure.requested_at,
        digests: rows
            .into_iter()
            .map(|row| (row.kind.to_value(), row.digest))
            .collect(),
    })
}

/// Puts the tombstones of an erasure where a restored database cannot undo them.
pub async fn keep_outside(app: &App, id: ErasureId) -> Result<Value> {
    let tombstone = of(app, &get(app, id).await?).await?;
    let text = serde_json::to_string(&tombstone).map_err(anyhow::Error::from)?;
    app.media
        .storage()
        .keep(PLACE, &id.to_string(), text)
        .await
        .map_err(anyhow::Error::from)?;
    Ok(json!({ "tombstones": tombstone.digests.len() }))
}

/// The tombstones of every erasure that this database knows.
pub async fn export(app: &App) -> Result<Vec<Tombstone>> {
    let mut all = Vec::new();
    for erasure in erasure::Entity::find().all(app.db.read()).await? {
        all.push(of(app, &erasure).await?);
    }
    Ok(all)
}
