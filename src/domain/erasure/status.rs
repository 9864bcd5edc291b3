//! How an erasure stands, for anybody who has its code, and the keys by which receipts are verified.

use clipqueue_entities::{
    ErasureId, Timestamp,
    erasure::{self, ErasureScope, ErasureState},
    erasure_step, receipt_key,
};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde_json::{Value, json};

use super::{Step, receipt, request::code_hash, steps};
use crate::{
    app::App,
    domain::error::{Error, Result},
};

/// What anybody with the code may know.
#[derive(Clone, Debug)]
pub struct Status {
    /// Whether it is about a user with everything; one account otherwise.
    pub of_user: bool,
    /// Whether it is complete.
    pub is_complete: bool,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When everything was gone.
    pub completed_at: Option<Timestamp>,
    /// The steps that are done.
    pub steps: Vec<erasure_step::Model>,
    /// The signed receipt, once it is complete.
    pub receipt: Option<Value>,
    /// The code of the erasure of the user that follows, once that has begun.
    pub followed_by: Option<String>,
}

/// The erasure with this code.
pub async fn by_code(app: &App, code: &str) -> Result<Status> {
    let row = erasure::Entity::find()
        .filter(erasure::Column::CodeHash.eq(code_hash(code)))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)?;
    let receipt = row.receipt.as_deref().map(serde_json::from_str);
    let receipt: Option<Value> = receipt.transpose().map_err(anyhow::Error::from)?;
    let followed_by = receipt
        .as_ref()
        .and_then(|document| document["receipt"]["followed_by"].as_str())
        .and_then(|id| id.parse::<ErasureId>().ok())
        .map(|id| app.vault.erasure_code(id));
    Ok(Status {
        of_user: row.scope == ErasureScope::User,
        is_complete: row.state == ErasureState::Completed,
        requested_at: row.requested_at,
        completed_at: row.completed_at,
        steps: steps(app, row.id).await?,
        receipt,
        followed_by,
    })
}

impl Status {
    /// Until when a step that is the next waits, if it waits for a time.
    pub fn waits_until(&self, app: &App, step: Step) -> Option<Timestamp> {
        let is_done = |step: Step| self.steps.iter().find(|row| row.step == step.word());
        if step != Step::LookAgain || is_done(step).is_some() {
            return None;
        }
        is_done(Step::Rows).map(|row| row.done_at + app.config.erasure.look_again_after)
    }

    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        let steps: Vec<Value> = self.steps.iter().map(receipt::step).collect();
        json!({
            "scope": if self.of_user { "user" } else { "account" },
            "state": if self.is_complete { "completed" } else { "running" },
            "requested_at": receipt::instant(self.requested_at),
            "completed_at": self.completed_at.map(receipt::instant),
            "steps": steps,
            "receipt": self.receipt,
            "followed_by": self.followed_by,
        })
    }
}

/// Every erasure with its code, newest first, for operators.
pub async fn all(app: &App) -> Result<Vec<(String, String, erasure::Model)>> {
    let rows = erasure::Entity::find()
        .order_by_desc(erasure::Column::Id)
        .all(app.db.read())
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (app.vault.erasure_code(row.id), row.state.to_value(), row))
        .collect())
}

/// Erasures without their codes, newest first: at most `limit` behind `cursor`, or before it when `backward`.
pub async fn page(
    app: &App,
    cursor: Option<ErasureId>,
    backward: bool,
    limit: u64,
) -> Result<Vec<erasure::Model>> {
    let mut query = erasure::Entity::find().limit(limit);
    query = match (cursor, backward) {
        (Some(cursor), true) => query.filter(erasure::Column::Id.gt(cursor)),
        (Some(cursor), false) => query.filter(erasure::Column::Id.lt(cursor)),
        (None, _) => query,
    };
    query = if backward {
        query.order_by_asc(erasure::Column::Id)
    } else {
        query.order_by_desc(erasure::Column::Id)
    };
    let mut rows = query.all(app.db.read()).await?;
    if backward {
        rows.reverse();
    }
    Ok(rows)
}

/// The public keys of receipts, as a JSON Web Key Set: the present one, and those of older receipts.
pub async fn public_keys(app: &App) -> Result<Value> {
    let mut keys: Vec<(String, String)> = receipt_key::Entity::find()
        .order_by_asc(receipt_key::Column::CreatedAt)
        .all(app.db.read())
        .await?
        .into_iter()
        .map(|row| (row.id, row.public_key))
        .collect();
    let signer = receipt::Signer::of(app);
    if !keys.iter().any(|(id, _)| id == signer.id()) {
        keys.push((signer.id().to_owned(), signer.public_key()));
    }
    Ok(receipt::key_set(&keys))
}
