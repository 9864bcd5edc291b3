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
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, SimpleExpr},
};
use serde_json::json;

use super::{
    counters::plans,
    error::{Error, Result},
    events::{self, NewEvent},
    post_change::{Change, Evidence, apply_in_tx},
    post_state::PostEvent,
    posts,
};
use crate::{
    app::App,
    crash::{self, Commit},
    job::{STATUS, UPLOADS},
    queue::ledger,
};

/// Why a post or job waits for the creator to connect again.
pub const REAUTH_REQUIRED: &str = "reauth_required";
/// Why a post or job waits for the creator to grant a scope.
pub const SCOPE_MISSING: &str = "scope_missing";
/// Jobs that need the creator's token.
const HELD_KINDS: &[&str] = &["upload_post", "poll_post"];

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

/// TikTok ended the grant that `generation` of the tokens belongs to: hold everything of the account.
/// A newer pair, stored by a consent in the meantime, is left alone. Safe to repeat.
pub async fn require_reauth(app: &App, id: AccountId, generation: i64, reason: &str) -> Result<()> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let ended = account_token::Entity::update_many()
        .col_expr(account_token::Column::State, Expr::value(TokenState::Dead))
        .filter(account_token::Column::AccountId.eq(id))
        .filter(account_token::Column::Generation.eq(generation))
        .exec(&tx)
        .await?;
    if ended.rows_affected == 0 {
        tx.rollback().await?;
        return Ok(());
    }
    let account = account::Entity::find_by_id(id)
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    ledger::hold_lane(&tx, now, &id.to_string(), HELD_KINDS, REAUTH_REQUIRED).await?;
    let posts = lock_posts(
        &tx,
        id,
        post::Column::State.is_in([PostState::Scheduled, PostState::Preflight]),
    )
    .await?;
    for post in posts {
        let change = Change::new(PostEvent::Held, Evidence::own("account.status"))
            .hold(REAUTH_REQUIRED, None);
        apply_in_tx(app, &tx, post, change).await?;
    }
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
    crash::commit(tx, Commit::GrantEnded).await?;
    app.announce(account.user_id).await;
    Ok(())
}

/// Lets go what waited for the creator to connect again. After the commit call [`released`].
pub async fn release_in_tx(app: &App, tx: &impl ConnectionTrait, id: AccountId) -> Result<()> {
    let now = app.clock.now();
    let lane = id.to_string();
    for reason in [REAUTH_REQUIRED, SCOPE_MISSING] {
        ledger::release_held(tx, now, Some(&lane), Some(reason)).await?;
    }
    let waiting = post::Column::State
        .eq(PostState::Held)
        .and(post::Column::HoldReason.is_in([REAUTH_REQUIRED, SCOPE_MISSING]));
    plans::resume_in_tx(app, tx, id).await?;
    for post in lock_posts(tx, id, waiting).await? {
        let change = Change::new(PostEvent::Released, Evidence::own("account.status"));
        let post = apply_in_tx(app, tx, post, change).await?;
        // Usually the job was held beside the post; one that ended meanwhile is replaced.
        app.enqueue_in_tx(tx, posts::upload_job(&post), post.publish_at)
            .await?;
    }
    Ok(())
}

/// Wakes the workers after [`release_in_tx`] was committed.
pub async fn released(app: &App) {
    app.nudge(UPLOADS);
    app.nudge(STATUS);
}

/// The account's posts in question, locked before the first of them writes an event: a worker locks
/// its post and then the tenant's log, and so must we.
async fn lock_posts(
    tx: &impl ConnectionTrait,
    id: AccountId,
    which: SimpleExpr,
) -> Result<Vec<post::Model>> {
    Ok(post::Entity::find()
        .filter(post::Column::AccountId.eq(id))
        .filter(which)
        .order_by_asc(post::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await?)
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
