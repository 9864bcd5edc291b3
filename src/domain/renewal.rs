//! What a refresh gave takes the place of what it was made from.
//!
//! Usually nobody notices. But a process may freeze between TikTok's answer and the commit, and another
//! one, which takes the job over, can only send the token that the first one has spent: TikTok calls
//! the grant dead, and everything of the account is held. When the first one wakes up it has the proof
//! that the grant lives.

use clipqueue_entities::{
    AccountId,
    account::{self, AccountStatus},
    account_token::{self, TokenState},
};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};
use serde_json::json;
use tiktok::oauth::TokenSet;

use super::{
    accounts,
    error::Result,
    events::{self, NewEvent},
    tokens::{self, Stored},
};
use crate::app::App;

/// Stores the pair that a refresh of `stored` gave, in place of it. Says whether the account lives
/// again by it; then call [`accounts::released`] after the commit.
pub async fn renew_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    stored: &Stored,
    set: &TokenSet,
) -> Result<bool> {
    let row = &stored.row;
    let revived = revive(app, tx, row.account_id, row.generation).await?;
    let kept = Some((&stored.refresh, row.refresh_expires_at));
    tokens::store_in_tx(app, tx, row.account_id, Some(row), set, kept).await?;
    Ok(revived)
}

/// Lets the account go on if this generation of its tokens had been called dead.
async fn revive(
    app: &App,
    tx: &impl ConnectionTrait,
    id: AccountId,
    generation: i64,
) -> Result<bool> {
    let dead = account_token::Entity::find_by_id(id)
        .filter(account_token::Column::Generation.eq(generation))
        .filter(account_token::Column::State.eq(TokenState::Dead))
        .one(tx)
        .await?;
    let account = account::Entity::find_by_id(id)
        .filter(account::Column::Status.eq(AccountStatus::ReauthRequired))
        .one(tx)
        .await?;
    let (Some(_), Some(account)) = (dead, account) else {
        return Ok(false);
    };
    let now = app.clock.now();
    accounts::set_status(tx, now, id, AccountStatus::Active, None).await?;
    let event = NewEvent {
        user_id: account.user_id,
        account_id: Some(id),
        post_id: None,
        kind: "account.revived",
        data: json!({}),
        evidence_id: None,
    };
    events::append_in_tx(tx, now, event).await?;
    accounts::release_in_tx(app, tx, id).await?;
    Ok(true)
}
