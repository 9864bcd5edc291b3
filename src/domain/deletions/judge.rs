//! What operators see and do about requests: the recorded look that proves one, or ends it.

use clipqueue_entities::{
    AccountId, DeletionRequestId, ErasureId, account,
    deletion_request::{self as request, ProofKind, RequestState},
    erasure::ErasureScope,
    user,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::{Value, json};

use super::{
    Details,
    clock::end,
    details, email,
    prove::{accounts_named, begin, commit},
};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        audit,
        error::{Code, Error, Refusal, Result},
        mails::letters::Content,
    },
};

/// What it is called in the audit log.
const APPROVE: &str = "deletion.approve";
/// What it is called in the audit log.
const REFUSE: &str = "deletion.refuse";
/// How many requests are shown.
const SHOWN: u64 = 100;
/// The longest reason.
const MAX_REASON: usize = 500;

/// A request as operators see it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request.
    pub row: request::Model,
    /// What was written, while it is kept.
    pub details: Option<Details>,
    /// Whether its sender is told by letter.
    pub has_email: bool,
}

/// Requests, the ones that come due first; those that are over only when `all`.
pub async fn list(app: &App, all: bool) -> Result<Vec<Seen>> {
    let mut query = request::Entity::find().order_by_asc(request::Column::DueAt);
    if !all {
        query =
            query.filter(request::Column::State.is_in([RequestState::Open, RequestState::Proven]));
    }
    let rows = query.limit(SHOWN).all(app.db.read()).await?;
    rows.into_iter().map(|row| seen(app, row)).collect()
}

/// One request.
pub async fn get(app: &App, id: DeletionRequestId) -> Result<Seen> {
    let row = request::Entity::find_by_id(id).one(app.db.read()).await?;
    seen(app, row.ok_or(Error::NotFound)?)
}

fn seen(app: &App, row: request::Model) -> Result<Seen> {
    Ok(Seen {
        details: details(app, &row)?,
        has_email: email(app, &row)?.is_some(),
        row,
    })
}

/// An account that is connected here by the name of a request.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The account.
    pub account: AccountId,
    /// Its user.
    pub user_name: String,
}

/// Whom a request may be about.
pub async fn candidates(app: &App, seen: &Seen) -> Result<Vec<Candidate>> {
    let Some(details) = &seen.details else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for account in accounts_named(app, &details.username).await? {
        let user = user::Entity::find_by_id(account.user_id);
        if let Some(user) = user.one(app.db.read()).await? {
            found.push(Candidate {
                account: account.id,
                user_name: user.name,
            });
        }
    }
    Ok(found)
}

/// What an operator found to be the sender's.
#[derive(Clone, Debug)]
pub struct Found {
    /// The user.
    pub user_name: String,
    /// One account alone; the user with everything, when absent.
    pub account: Option<AccountId>,
}

/// An operator has looked and found that the sender is the owner. `by` is nobody when it is done on the
/// machine itself.
pub async fn approve(
    app: &App,
    by: Option<&Actor>,
    id: DeletionRequestId,
    found: &Found,
    reason: &str,
) -> Result<(Seen, ErasureId)> {
    let done = carry_out(app, by, id, found, reason).await;
    let erasure = recorded(app, by, (APPROVE, id), done).await?;
    Ok((get(app, id).await?, erasure))
}

async fn carry_out(
    app: &App,
    by: Option<&Actor>,
    id: DeletionRequestId,
    found: &Found,
    reason: &str,
) -> Result<ErasureId> {
    check_reason(reason)?;
    let row = get(app, id).await?.row;
    let nobody = |field: &'static str| Refusal::new(field, Code::NotFound, "names nobody here");
    let tx = app.db.begin().await?;
    let user = user::Entity::find()
        .filter(user::Column::Name.eq(&found.user_name))
        .filter(user::Column::LeavingAt.is_null())
        .one(&tx)
        .await?
        .ok_or_else(|| nobody("userName"))?;
    let mut scope = ErasureScope::User;
    if let Some(account) = found.account {
        scope = ErasureScope::Account;
        account::Entity::find_by_id(account)
            .filter(account::Column::UserId.eq(user.id))
            .one(&tx)
            .await?
            .ok_or_else(|| nobody("accountId"))?;
    }
    let whose = (user.id, found.account);
    let erasure = begin(app, &tx, &row, scope, whose, ProofKind::Operator).await?;
    // The erasure takes the user's id out of it again.
    let details = json!({ "reason": reason, "user": user.id, "account": found.account });
    record(app, &tx, by, APPROVE, id, details).await?;
    commit(app, tx, &row).await?;
    Ok(erasure)
}

/// An operator has looked and found that the sender is not the owner, or that nobody is known by that name.
pub async fn refuse(
    app: &App,
    by: Option<&Actor>,
    id: DeletionRequestId,
    reason: &str,
) -> Result<Seen> {
    let done = turn_down(app, by, id, reason).await;
    recorded(app, by, (REFUSE, id), done).await?;
    get(app, id).await
}

async fn turn_down(
    app: &App,
    by: Option<&Actor>,
    id: DeletionRequestId,
    reason: &str,
) -> Result<()> {
    check_reason(reason)?;
    let row = get(app, id).await?.row;
    let tx = app.db.begin().await?;
    record(app, &tx, by, REFUSE, id, json!({ "reason": reason })).await?;
    let again = app.deletion_form_url().into();
    let letter = Content::DeletionRefused { again };
    if end(app, tx, &row, (RequestState::Refused, "refused"), &letter).await? {
        return Ok(());
    }
    let text = "only an OPEN request can be refused";
    Err(Refusal::whole(Code::WrongState, text).into())
}

async fn record(
    app: &App,
    tx: &impl sea_orm::ConnectionTrait,
    by: Option<&Actor>,
    action: &'static str,
    id: DeletionRequestId,
    details: Value,
) -> Result<()> {
    let subject = subject(id);
    match by {
        Some(by) => audit::record_in_tx(app, tx, by, action, &subject, details).await?,
        None => audit::record_own_in_tx(app, tx, action, &subject, details).await?,
    };
    Ok(())
}

async fn recorded<T>(
    app: &App,
    by: Option<&Actor>,
    (action, id): (&'static str, DeletionRequestId),
    done: Result<T>,
) -> Result<T> {
    match by {
        Some(by) => audit::refusal(app, by, action, &subject(id), json!({}), done).await,
        None => done,
    }
}

fn subject(id: DeletionRequestId) -> String {
    format!("deletion:{id}")
}

fn check_reason(reason: &str) -> Result<()> {
    let fits = !reason.trim().is_empty() && reason.len() <= MAX_REASON;
    if fits {
        return Ok(());
    }
    let text = "is needed, in at most 500 bytes: what you looked at, without names of people";
    Err(Refusal::new("reason", Code::Required, text).into())
}
