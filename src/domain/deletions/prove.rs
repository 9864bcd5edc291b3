//! A request is proved: from that commit on the erasure runs, and what was written is gone.

use clipqueue_entities::{
    DeletionRequestId, ErasureId, UserId,
    account::{self, AccountStatus},
    api_key,
    deletion_request::{self as request, ProofKind, RequestState},
    erasure::{self, ErasureCause, ErasureScope},
    operator, verified_source, webhook_endpoint,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, QuerySelect as _,
};

use super::{cause, code, email, name_hash};
use crate::{
    app::{App, DELETION_REQUEST_PATH},
    crash::{self, Commit},
    domain::{
        actor::Scope,
        erasure::begin_in_tx,
        error::{Code, Error, Refusal, Result},
        mails::{self, To, letters::Content},
        ownership::{Proved, ProvenCreator},
    },
    job::PURGE,
};

/// Whoever signed in is not whom the request names.
pub const OTHER_NAME: &str = "other";
/// Nothing is held about whoever signed in.
pub const NOT_HELD: &str = "nothing";

/// Scopes of keys that a creator's own front end has no need of.
const TENANTS_SCOPES: [Scope; 5] = [
    Scope::KeysAdmin,
    Scope::OpsAdmin,
    Scope::OpsRead,
    Scope::OpsWrite,
    Scope::WebhooksAdmin,
];

/// The proof: whose account the request is about.
pub async fn by_account(
    app: &App,
    request: &request::Model,
    owner: &account::Model,
    how: ProofKind,
) -> Result<ErasureId> {
    let tx = app.db.begin().await?;
    let scope = scope_of(&tx, owner).await?;
    let account = match scope {
        ErasureScope::Account => Some(owner.id),
        ErasureScope::User => None,
    };
    let erasure = begin(app, &tx, request, scope, (owner.user_id, account), how).await?;
    commit(app, tx, request).await?;
    Ok(erasure)
}

/// The proof by signing in at TikTok. Gives where the browser goes on: the page of the request, which says
/// how it stands.
///
/// Whoever proves to be a creator can have this creator's data deleted and nobody else's. So a request
/// that names another is not proved, and the page says why.
pub async fn by_creator(
    app: &App,
    id: DeletionRequestId,
    creator: &ProvenCreator,
) -> Result<Proved> {
    let row = request::Entity::find_by_id(id).one(app.db.read()).await?;
    let row = row
        .filter(|row| row.state == RequestState::Open)
        .ok_or(Error::NotFound)?;
    let page = format!("{DELETION_REQUEST_PATH}/{}", code(app, id));
    if let (Some(asked), Some(signed_in)) = (&row.name_hash, &creator.username)
        && *asked != name_hash(app, signed_in)
    {
        return Ok(Proved {
            go_to: format!("{page}?proof={OTHER_NAME}"),
            is_taken: false,
        });
    }
    let owner = account::Entity::find()
        .filter(account::Column::OpenId.eq(&creator.open_id))
        .one(app.db.read())
        .await?;
    let proved = match &owner {
        Some(owner) => by_account(app, &row, owner, ProofKind::Tiktok)
            .await
            .map(|_| ()),
        None => Err(Error::NotFound),
    };
    match proved {
        Ok(()) => Ok(Proved {
            go_to: page,
            is_taken: true,
        }),
        // Nobody is here by that account, or they are gone already.
        Err(Error::NotFound) => Ok(Proved {
            go_to: format!("{page}?proof={NOT_HELD}"),
            is_taken: false,
        }),
        Err(error) => Err(error),
    }
}

/// Begins the erasure in the caller's transaction; [`commit`] ends it.
pub(super) async fn begin(
    app: &App,
    tx: &impl ConnectionTrait,
    request: &request::Model,
    scope: ErasureScope,
    (user, account): (UserId, Option<clipqueue_entities::AccountId>),
    how: ProofKind,
) -> Result<ErasureId> {
    let id = request.id;
    // Two proofs at the same moment: the second finds it proved.
    let row = request::Entity::find_by_id(id)
        .lock_exclusive()
        .one(tx)
        .await?
        .ok_or(Error::NotFound)?;
    if row.state != RequestState::Open {
        let text = "the request was proved, refused or lapsed before";
        return Err(Refusal::whole(Code::WrongState, text).into());
    }
    let erasure = begin_in_tx(app, tx, scope, ErasureCause::Request, user, account).await?;
    request::Entity::update_many()
        .set(request::ActiveModel {
            state: Set(RequestState::Proven),
            proof: Set(Some(how)),
            proven_at: Set(Some(app.clock.now())),
            erasure_id: Set(Some(erasure.id)),
            details_sealed: Set(None),
            name_hash: Set(None),
            ..Default::default()
        })
        .filter(request::Column::Id.eq(id))
        .exec(tx)
        .await?;
    if let Some(address) = email(app, &row)? {
        let content = Content::DeletionRuns {
            page: app.deletion_request_url(&code(app, id)).into(),
            due: super::day(row.due_at),
        };
        let to = To {
            address: &address,
            user: None,
        };
        mails::write_in_tx(app, tx, &cause(id, "runs"), to, &content).await?;
    }
    tracing::info!(request.id = %id, erasure.id = %erasure.id, "a request for deletion is proved");
    Ok(erasure.id)
}

/// Commits what [`begin`] wrote and wakes the workers.
pub(super) async fn commit(
    app: &App,
    tx: DatabaseTransaction,
    request: &request::Model,
) -> Result<()> {
    crash::commit(tx, Commit::ErasureAccepted).await?;
    app.nudge(PURGE);
    mails::written(app);
    tracing::debug!(request.id = %request.id, "its erasure was begun");
    Ok(())
}

/// Whom the owner of an account may have deleted by it: the user with everything, when the user is this
/// account and nobody else; otherwise the account alone, since what is others' hangs on the user as well.
async fn scope_of(tx: &impl ConnectionTrait, owner: &account::Model) -> Result<ErasureScope> {
    let others = account::Entity::find()
        .filter(account::Column::UserId.eq(owner.user_id))
        .filter(account::Column::Id.ne(owner.id))
        .filter(account::Column::Status.ne(AccountStatus::Disconnected))
        .count(tx)
        .await?;
    Ok(match others == 0 && !is_tenant(tx, owner.user_id).await? {
        true => ErasureScope::User,
        false => ErasureScope::Account,
    })
}

/// Whether the user is more than the creator whose account it has: a front end whose creators connect by
/// links, or an operator. A creator of theirs has one account deleted, never the tenant.
async fn is_tenant(tx: &impl ConnectionTrait, user: UserId) -> Result<bool> {
    let keys = api_key::Entity::find()
        .filter(api_key::Column::UserId.eq(user))
        .filter(api_key::Column::RevokedAt.is_null())
        .all(tx)
        .await?;
    let governs = |word: &str| TENANTS_SCOPES.iter().any(|scope| scope.as_str() == word);
    if keys.iter().any(|key| key.scopes.split(' ').any(governs)) {
        return Ok(true);
    }
    let endpoints = webhook_endpoint::Entity::find()
        .filter(webhook_endpoint::Column::UserId.eq(user))
        .count(tx)
        .await?;
    let sources = verified_source::Entity::find()
        .filter(verified_source::Column::UserId.eq(user))
        .count(tx)
        .await?;
    let operates = operator::Entity::find_by_id(user).one(tx).await?.is_some();
    Ok(endpoints > 0 || sources > 0 || operates)
}

/// Connected accounts of that name.
pub async fn accounts_named(app: &App, username: &str) -> Result<Vec<account::Model>> {
    // TikTok writes usernames in small letters.
    Ok(account::Entity::find()
        .filter(account::Column::Username.eq(super::input::normal(username)))
        .filter(account::Column::Status.ne(AccountStatus::Disconnected))
        .all(app.db.read())
        .await?)
}

/// Whether somebody who asked waits for the letter that this erasure is complete. Until it is sent their
/// address is kept, whoever else wanted the erasure.
pub async fn waits_for_letter(db: &impl ConnectionTrait, erasure: ErasureId) -> Result<bool> {
    let waiting = request::Entity::find()
        .filter(request::Column::ErasureId.eq(erasure))
        .filter(request::Column::EmailSealed.is_not_null())
        .count(db)
        .await?;
    Ok(waiting > 0)
}

/// Deletes the files of the letters about the requests that began an erasure. Gives how many.
pub async fn forget_letters(app: &App, erasure: ErasureId) -> Result<u64> {
    let theirs: Vec<DeletionRequestId> = request::Entity::find()
        .select_only()
        .column(request::Column::Id)
        .filter(request::Column::ErasureId.eq(erasure))
        .into_tuple()
        .all(app.db.read())
        .await?;
    let mut removed = 0;
    for id in theirs {
        removed += mails::files::forget_about(app, &cause(id, "")).await?;
    }
    Ok(removed)
}

/// An erasure has ended, in its transaction: whoever asked for it is told, and their address is gone.
pub async fn erased_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    erasure: &erasure::Model,
) -> Result<()> {
    let theirs = request::Entity::find()
        .filter(request::Column::ErasureId.eq(erasure.id))
        .filter(request::Column::State.eq(RequestState::Proven))
        .all(tx)
        .await?;
    for row in theirs {
        if let Some(address) = email(app, &row)? {
            let confirmation = app.vault.erasure_code(erasure.id);
            let content = Content::DeletionDone {
                receipt: app.erasure_url(&confirmation).into(),
                code: confirmation,
            };
            let to = To {
                address: &address,
                user: None,
            };
            mails::write_in_tx(app, tx, &cause(row.id, "done"), to, &content).await?;
        }
        request::Entity::update_many()
            .set(request::ActiveModel {
                state: Set(RequestState::Done),
                email_sealed: Set(None),
                ended_at: Set(Some(app.clock.now())),
                ..Default::default()
            })
            .filter(request::Column::Id.eq(row.id))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Deletes what open requests say of these names, whoever wrote them: their owners are erased another way.
/// The requests lapse in their time, as those for unknown names do. Gives how many.
pub async fn forget_names(app: &App, names: &[String]) -> Result<u64> {
    if names.is_empty() {
        return Ok(0);
    }
    let hashes = names.iter().map(|name| name_hash(app, name));
    let update = request::Entity::update_many()
        .set(request::ActiveModel {
            details_sealed: Set(None),
            name_hash: Set(None),
            ..Default::default()
        })
        .filter(request::Column::NameHash.is_in(hashes))
        .exec(app.db.write());
    let forgotten = crash::write(Commit::RowsErased, update).await?;
    Ok(forgotten.rows_affected)
}
