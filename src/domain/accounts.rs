//! Connected TikTok accounts: listing, losing and regaining the creator's grant.
//!
//! When TikTok ends a grant the account becomes REAUTH_REQUIRED, its posts that were not yet at
//! TikTok become HELD, and its jobs are held with it. They go on when the creator connects again;
//! nothing fails for want of a token.

use clipqueue_entities::{
    AccountId, Timestamp, UserId,
    account::{self, AccountStatus},
    account_token::{self, TokenState},
    post::{self, PostState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use serde_json::json;

use super::{
    error::{Error, Result},
    events::{self, NewEvent},
    post_change::{Change, Evidence, apply_in_tx},
    post_state::PostEvent,
};
use crate::app::App;

/// Why a post or job waits for the creator to connect again.
pub const REAUTH_REQUIRED: &str = "reauth_required";
/// Posts of one account that change state in one transaction.
const BATCH: u64 = 200;

/// The accounts of `user`, oldest first.
pub async fn list(app: &App, user: UserId) -> Result<Vec<account::Model>> {
    Ok(account::Entity::find()
        .filter(account::Column::UserId.eq(user))
        .filter(account::Column::Status.ne(AccountStatus::Disconnected))
        .order_by_asc(account::Column::Id)
        .all(app.db.read())
        .await?)
}

/// An account of `user`.
pub async fn get(db: &impl ConnectionTrait, user: UserId, id: AccountId) -> Result<account::Model> {
    account::Entity::find_by_id(id)
        .filter(account::Column::UserId.eq(user))
        .filter(account::Column::Status.ne(AccountStatus::Disconnected))
        .one(db)
        .await?
        .ok_or(Error::NotFound)
}

/// Several accounts of `user` by id; those that are not there are left out.
pub async fn get_many(app: &App, user: UserId, ids: &[AccountId]) -> Result<Vec<account::Model>> {
    Ok(account::Entity::find()
        .filter(account::Column::UserId.eq(user))
        .filter(account::Column::Id.is_in(ids.iter().copied()))
        .all(app.db.read())
        .await?)
}

/// An account for a worker, which acts for whoever owns it.
pub async fn for_worker(app: &App, id: AccountId) -> Result<account::Model> {
    account::Entity::find_by_id(id)
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// When the stored tokens end, for display.
pub async fn token_expiry(app: &App, id: AccountId) -> Result<Option<(Timestamp, Timestamp)>> {
    Ok(account_token::Entity::find_by_id(id)
        .one(app.db.read())
        .await?
        .map(|row| (row.access_expires_at, row.refresh_expires_at)))
}

/// How many posts of the account wait for the creator to connect again.
pub async fn held_posts(app: &App, id: AccountId) -> Result<u64> {
    Ok(post::Entity::find()
        .filter(post::Column::AccountId.eq(id))
        .filter(post::Column::State.eq(PostState::Held))
        .filter(post::Column::HoldReason.eq(REAUTH_REQUIRED))
        .count(app.db.read())
        .await?)
}

/// TikTok ended the grant: hold everything of the account. Safe to repeat.
pub async fn require_reauth(app: &App, id: AccountId, reason: &str) -> Result<()> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let account = account::Entity::find_by_id(id)
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    account_token::Entity::update_many()
        .col_expr(account_token::Column::State, Expr::value(TokenState::Dead))
        .filter(account_token::Column::AccountId.eq(id))
        .exec(&tx)
        .await?;
    if account.status == AccountStatus::Active {
        set_status(&tx, now, id, AccountStatus::ReauthRequired, Some(reason)).await?;
        events::append_in_tx(
            &tx,
            now,
            NewEvent {
                user_id: account.user_id,
                account_id: Some(id),
                post_id: None,
                kind: "account.reauth_required",
                data: json!({ "reason": reason }),
                evidence_id: None,
            },
        )
        .await?;
    }
    tx.commit().await?;
    app.announce(account.user_id);
    app.queue.hold_lane(&id.to_string(), REAUTH_REQUIRED).await?;
    move_posts(app, id, PostState::Scheduled, None, PostEvent::Held).await
}

/// The creator connected again: let everything go. Safe to repeat.
pub async fn release(app: &App, id: AccountId) -> Result<()> {
    move_posts(
        app,
        id,
        PostState::Held,
        Some(REAUTH_REQUIRED),
        PostEvent::Released,
    )
    .await?;
    app.queue
        .release_held(Some(&id.to_string()), Some(REAUTH_REQUIRED))
        .await?;
    app.nudge();
    Ok(())
}

/// Writes an account's status.
pub(super) async fn set_status(
    tx: &impl ConnectionTrait,
    now: Timestamp,
    id: AccountId,
    status: AccountStatus,
    reason: Option<&str>,
) -> Result<()> {
    account::Entity::update_many()
        .col_expr(account::Column::Status, Expr::value(status))
        .col_expr(
            account::Column::StatusReason,
            Expr::value(reason.map(ToOwned::to_owned)),
        )
        .col_expr(account::Column::StatusSince, Expr::value(now))
        .col_expr(account::Column::UpdatedAt, Expr::value(now))
        .filter(account::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Moves every post of the account that is in `state` (for `reason`) by `event`, batch by batch.
async fn move_posts(
    app: &App,
    id: AccountId,
    state: PostState,
    reason: Option<&str>,
    event: PostEvent,
) -> Result<()> {
    loop {
        let tx = app.db.begin().await?;
        let mut query = post::Entity::find()
            .filter(post::Column::AccountId.eq(id))
            .filter(post::Column::State.eq(state));
        if let Some(reason) = reason {
            query = query.filter(post::Column::HoldReason.eq(reason));
        }
        let batch = query
            .order_by_asc(post::Column::Id)
            .limit(BATCH)
            .all(&tx)
            .await?;
        let Some(first) = batch.first() else {
            return Ok(());
        };
        let user = first.user_id;
        for post in batch {
            let mut change = Change::new(event, Evidence::own("account.status"));
            if event == PostEvent::Held {
                change = change.hold(REAUTH_REQUIRED, None);
            }
            apply_in_tx(app, &tx, post, change).await?;
        }
        tx.commit().await?;
        app.announce(user);
    }
}
