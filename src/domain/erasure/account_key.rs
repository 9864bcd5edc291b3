//! Destroying the data keys: whatever was sealed under them, here or in a backup, can be read by nobody.

use clipqueue_entities::{AccountId, account_key, account_token, erasure};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use super::accounts;
use crate::{
    app::App,
    crash::{self, Commit},
    domain::error::Result,
};

/// Deletes the tokens and the keys that sealed them.
pub async fn destroy_keys(app: &App, erasure: &erasure::Model) -> Result<Value> {
    let ids: Vec<AccountId> = accounts(app, erasure)
        .await?
        .into_iter()
        .map(|account| account.id)
        .collect();
    let tx = app.db.begin().await?;
    let tokens = account_token::Entity::delete_many()
        .filter(account_token::Column::AccountId.is_in(ids.iter().copied()))
        .exec(&tx)
        .await?
        .rows_affected;
    let keys = account_key::Entity::delete_many()
        .filter(account_key::Column::AccountId.is_in(ids))
        .exec(&tx)
        .await?
        .rows_affected;
    crash::commit(tx, Commit::RowsErased).await?;
    Ok(json!({ "tokens": tokens, "keys": keys }))
}
