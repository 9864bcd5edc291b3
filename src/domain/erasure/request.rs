//! Asking for an erasure. With the acceptance comes the fence: from its commit on nothing acts for whom
//! is erased, whatever was under way before finds the fence in its own transaction.

use clipqueue_entities::{
    AccountId, ErasureId, UserId,
    account::{self, AccountStatus},
    api_key,
    erasure::{self, ErasureCause, ErasureScope, ErasureState},
    oauth_state,
    tombstone::TombstoneKind,
    user, user_session,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, sea_query::Expr,
};

use super::{
    cancel, told,
    tombstones::{self, digest},
};
use crate::{
    app::App,
    crash::{self, Commit},
    domain::{
        accounts,
        actor::Actor,
        console_sessions,
        error::{Code, Error, Refusal, Result},
        idempotency::{Request, Seen},
    },
    job::{Job, PURGE},
    secrets::sha256,
};

/// Why the status of an account is DISCONNECTED.
const REASON: &str = "erasure";

/// An erasure that was accepted, and the code by which anybody can follow it.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The erasure.
    pub erasure: erasure::Model,
    /// The confirmation code.
    pub code: String,
}

/// Revokes and deletes one account of the caller's. The same key gives the same erasure.
pub async fn disconnect(
    app: &App,
    actor: &Actor,
    account: AccountId,
    idempotency_key: &str,
) -> Result<Accepted> {
    let key = idempotency_key;
    let request = Request::new(actor.user_id, key, "disconnectTikTok", &account)?;
    accept(app, actor, &request, ErasureScope::Account, Some(account)).await
}

/// Deletes the caller with everything. `confirm` must be the caller's name, so that nobody does it by
/// mistake.
pub async fn delete_user(
    app: &App,
    actor: &Actor,
    confirm: &str,
    idempotency_key: &str,
) -> Result<Accepted> {
    if confirm != actor.user_name {
        return Err(Refusal::new(
            "confirmName",
            Code::Invalid,
            "is not the name of the user whom this key acts for; `viewer` shows it",
        )
        .into());
    }
    let request = Request::new(actor.user_id, idempotency_key, "deleteAccount", &confirm)?;
    accept(app, actor, &request, ErasureScope::User, None).await
}

async fn accept(
    app: &App,
    actor: &Actor,
    request: &Request,
    scope: ErasureScope,
    account: Option<AccountId>,
) -> Result<Accepted> {
    let user = actor.user_id;
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return accepted(app, super::get(app, ErasureId(id)).await?);
    }
    let tx = app.db.begin().await?;
    if let Some(account) = account {
        // One that is leaving already answers as what it is: gone.
        accounts::get(&tx, user, account).await?;
    }
    let erasure = begin_in_tx(app, &tx, scope, ErasureCause::Owner, user, account).await?;
    if let Seen::Before(id) = request
        .record_in_tx(&tx, app.clock.now(), erasure.id.0)
        .await?
    {
        tx.rollback().await?;
        return accepted(app, super::get(app, ErasureId(id)).await?);
    }
    crash::commit(tx, Commit::ErasureAccepted).await?;
    app.nudge(PURGE);
    app.announce(user).await;
    accepted(app, erasure)
}

/// The same for an operator, who has looked at who asks.
pub async fn by_operator(app: &App, user: UserId, account: Option<AccountId>) -> Result<Accepted> {
    let scope = match account {
        Some(_) => ErasureScope::Account,
        None => ErasureScope::User,
    };
    let tx = app.db.begin().await?;
    let erasure = begin_in_tx(app, &tx, scope, ErasureCause::Operator, user, account).await?;
    crash::commit(tx, Commit::ErasureAccepted).await?;
    app.nudge(PURGE);
    accepted(app, erasure)
}

fn accepted(app: &App, erasure: erasure::Model) -> Result<Accepted> {
    let code = app.vault.erasure_code(erasure.id);
    Ok(Accepted { erasure, code })
}

/// Accepts an erasure; gives the one that runs already, if there is one. After the commit nudge the
/// queue of clean-up.
pub async fn begin_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    scope: ErasureScope,
    cause: ErasureCause,
    user: UserId,
    account: Option<AccountId>,
) -> Result<erasure::Model> {
    begin_as_in_tx(app, tx, ErasureId::new(), scope, cause, user, account).await
}

/// The same by an id that was chosen before.
pub(super) async fn begin_as_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    id: ErasureId,
    scope: ErasureScope,
    cause: ErasureCause,
    user: UserId,
    account: Option<AccountId>,
) -> Result<erasure::Model> {
    // Whoever connects an account or asks for an erasure of this user waits here.
    lock_user(tx, user).await?.ok_or(Error::NotFound)?;
    if let Some(running) = running(tx, user, account).await? {
        return Ok(running);
    }
    let erasure = erasure::Model {
        id,
        scope,
        cause,
        user_id: Some(user),
        account_id: account,
        code_hash: code_hash(&app.vault.erasure_code(id)),
        state: ErasureState::Running,
        handed: None,
        watched: None,
        receipt: None,
        requested_at: app.clock.now(),
        completed_at: None,
    };
    insert(tx, &erasure).await?;
    fence_in_tx(app, tx, &erasure).await?;
    Ok(erasure)
}

/// What is stored of a confirmation code.
pub(super) fn code_hash(code: &str) -> String {
    hex::encode(sha256(code.as_bytes()))
}

async fn running(
    tx: &impl ConnectionTrait,
    user: UserId,
    account: Option<AccountId>,
) -> Result<Option<erasure::Model>> {
    let rows = erasure::Entity::find()
        .filter(erasure::Column::UserId.eq(user))
        .filter(erasure::Column::State.eq(ErasureState::Running))
        .all(tx)
        .await?;
    Ok(rows.into_iter().find(|row| match row.scope {
        ErasureScope::User => true,
        ErasureScope::Account => account.is_some() && row.account_id == account,
    }))
}

pub(super) async fn insert(tx: &impl ConnectionTrait, row: &erasure::Model) -> Result<()> {
    use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};
    erasure::Entity::insert(row.clone().into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The user, kept as they are until the transaction ends.
pub(super) async fn lock_user(
    tx: &impl ConnectionTrait,
    user: UserId,
) -> Result<Option<user::Model>> {
    Ok(user::Entity::find_by_id(user)
        .lock_exclusive()
        .one(tx)
        .await?)
}

/// Lays the tombstones, ends everything that acts for whom is erased, and enqueues the job.
pub(super) async fn fence_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    erasure: &erasure::Model,
) -> Result<()> {
    let now = app.clock.now();
    // Posts are locked before accounts everywhere.
    cancel::stop_posts_in_tx(tx, erasure).await?;
    let mut theirs = account::Entity::find();
    theirs = match (erasure.scope, erasure.account_id) {
        (ErasureScope::Account, Some(id)) => theirs.filter(account::Column::Id.eq(id)),
        _ => theirs.filter(account::Column::UserId.eq(erasure.user_id)),
    };
    let mut digests = Vec::new();
    for account in theirs.all(tx).await? {
        let id = account.id.to_string();
        digests.push((
            TombstoneKind::Account,
            digest(app, TombstoneKind::Account, &id),
        ));
        digests.push((
            TombstoneKind::Creator,
            digest(app, TombstoneKind::Creator, &account.open_id),
        ));
        let left = AccountStatus::Disconnected;
        accounts::set_status(tx, now, account.id, left, Some(REASON)).await?;
    }
    if let (ErasureScope::User, Some(user)) = (erasure.scope, erasure.user_id) {
        let id = user.to_string();
        digests.push((TombstoneKind::User, digest(app, TombstoneKind::User, &id)));
        end_access_in_tx(app, tx, user).await?;
    }
    tombstones::lay_in_tx(tx, now, erasure.id, digests).await?;
    told::begun_in_tx(app, tx, erasure).await?;
    let job = Job::Erase {
        erasure_id: erasure.id,
    };
    app.enqueue_in_tx(tx, job, None).await?;
    Ok(())
}

/// Ends a user's keys, sessions and pending consents.
async fn end_access_in_tx(app: &App, tx: &impl ConnectionTrait, user: UserId) -> Result<()> {
    let now = app.clock.now();
    user::Entity::update_many()
        .set(user::ActiveModel {
            leaving_at: Set(Some(now)),
            ..Default::default()
        })
        .filter(user::Column::Id.eq(user))
        .exec(tx)
        .await?;
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(now))
        .filter(api_key::Column::UserId.eq(user))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(tx)
        .await?;
    console_sessions::end_all_in_tx(tx, user).await?;
    user_session::Entity::delete_many()
        .filter(user_session::Column::UserId.eq(user))
        .exec(tx)
        .await?;
    oauth_state::Entity::delete_many()
        .filter(oauth_state::Column::UserId.eq(user))
        .exec(tx)
        .await?;
    Ok(())
}

/// Whether a consent that comes back now is for somebody who is leaving. Keeps a request to leave waiting
/// until the transaction ends.
pub async fn is_leaving(tx: &impl ConnectionTrait, user: UserId) -> Result<bool> {
    let user = lock_user(tx, user).await?;
    Ok(user.is_none_or(|user| user.leaving_at.is_some()))
}

/// Whether what TikTok tells of a creator concerns nobody any more: they were erased, or are being, and
/// have not come back.
pub async fn refuses_creator(
    app: &App,
    db: &impl ConnectionTrait,
    open_id: &str,
) -> Result<bool, DbErr> {
    let account = account::Entity::find()
        .filter(account::Column::OpenId.eq(open_id))
        .one(db)
        .await?;
    match account {
        Some(account) => Ok(account.status == AccountStatus::Disconnected),
        None => tombstones::lies(app, db, TombstoneKind::Creator, open_id).await,
    }
}
