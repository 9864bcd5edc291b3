//! Operators at the console: signing in with an API key, and what the cookie is worth afterwards.
//!
//! A session is a row and a cookie `<id>.<secret>`; the row holds a keyed hash of the secret. It may
//! what its key may now: the key is looked up at each use, so that revoking it, or its end, ends the
//! session. Whoever signed in at the provider of identities ([`single_sign_on`]) has no key; then it is
//! the operator that is looked up. A session also ends by itself, some time after its last use and a
//! longer time after its beginning.

use std::{net::IpAddr, time::Duration};

use clipqueue_entities::{ConsoleSessionId, Timestamp, UserId, api_key, console_session};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QuerySelect as _, QueryTrait as _, sea_query::Expr,
};
use serde_json::{Value, json};

use super::{
    actor::{Actor, Scope},
    api_keys::{self, KeyRefused},
    audit,
    error::Result,
    session_cookie::{self, NewSession},
    single_sign_on,
};
use crate::app::App;

/// Tries to sign in that one address has in a minute. A person with a key needs one.
pub const TRIES: u32 = 10;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Which session.
    pub id: ConsoleSessionId,
    /// Who.
    pub actor: Actor,
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInRefused {
    /// The key is unknown or has ended.
    Key(KeyRefused),
    /// The key lacks the scope `ops:read`.
    NotAnOperator,
    /// Too many tries from this address; wait this long.
    TooOften(Duration),
}

/// Signs the bearer of the key `text` in, who comes from `source`.
pub async fn sign_in(
    app: &App,
    text: &str,
    source: Option<IpAddr>,
) -> Result<std::result::Result<NewSession, SignInRefused>> {
    if let Some(wait) = session_cookie::too_often(app, "console-sign-in", TRIES, source).await {
        return Ok(Err(SignInRefused::TooOften(wait)));
    }
    let actor = match api_keys::authenticate(app, text).await? {
        Ok(actor) => actor,
        Err(refused) => return Ok(Err(SignInRefused::Key(refused))),
    };
    if !actor.may(Scope::OpsRead) {
        return Ok(Err(SignInRefused::NotAnOperator));
    }
    let tx = app.db.begin().await?;
    let session = begin_in_tx(app, &tx, &actor, json!({})).await?;
    tx.commit().await?;
    Ok(Ok(session))
}

/// Begins a session of `actor`, who signed in with a key or without one; `how` goes on record.
pub(super) async fn begin_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    actor: &Actor,
    how: Value,
) -> Result<NewSession> {
    let now = app.clock.now();
    let life = app.config.console.session_life;
    let (id, hash, cookie) = session_cookie::draw(app);
    let row = console_session::Model {
        id: ConsoleSessionId(id),
        key_id: actor.key_id,
        user_id: match actor.key_id {
            Some(_) => None,
            None => Some(actor.user_id),
        },
        hash,
        created_at: now,
        seen_at: now,
        expires_at: now + life,
    };
    let subject = format!("session:{}", row.id);
    console_session::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(tx)
        .await?;
    audit::record_in_tx(app, tx, actor, "console.sign_in", &subject, how).await?;
    Ok(NewSession { cookie, life })
}

/// Who shows the cookie `text`; nobody when the session is over.
pub async fn resume(app: &App, text: &str) -> Result<Option<Session>> {
    let Some((id, secret)) = session_cookie::parse(text) else {
        return Ok(None);
    };
    let id = ConsoleSessionId(id);
    let row = console_session::Entity::find_by_id(id)
        .one(app.db.read())
        .await?;
    let Some(row) = row.filter(|row| app.vault.session_matches(&secret, &row.hash)) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let actor = match is_over(app, &row, now) {
        true => None,
        false => whose(app, &row).await?,
    };
    let Some(actor) = actor else {
        end(app, id).await?;
        return Ok(None);
    };
    if now.since(row.seen_at) >= session_cookie::SEEN_STEP {
        console_session::Entity::update_many()
            .col_expr(console_session::Column::SeenAt, Expr::value(now))
            .filter(console_session::Column::Id.eq(id))
            .exec(app.db.write())
            .await?;
    }
    Ok(Some(Session { id, actor }))
}

/// Whether somebody who was signed in still is, without counting it as a use.
pub async fn lasts(app: &App, id: ConsoleSessionId) -> Result<bool> {
    let row = console_session::Entity::find_by_id(id)
        .one(app.db.read())
        .await?;
    let Some(row) = row.filter(|row| !is_over(app, row, app.clock.now())) else {
        return Ok(false);
    };
    Ok(whose(app, &row).await?.is_some())
}

/// Who has the session, if they may still be here.
async fn whose(app: &App, row: &console_session::Model) -> Result<Option<Actor>> {
    let actor = match (row.key_id, row.user_id) {
        (Some(key), _) => api_keys::still(app, key).await?.ok(),
        (None, Some(user)) => single_sign_on::still(app, user).await?,
        (None, None) => None,
    };
    Ok(actor.filter(|actor| actor.may(Scope::OpsRead)))
}

fn is_over(app: &App, row: &console_session::Model, now: Timestamp) -> bool {
    session_cookie::is_over(
        row.seen_at,
        row.expires_at,
        app.config.console.session_idle,
        now,
    )
}

/// Ends the session of somebody who asks for it.
pub async fn sign_out(app: &App, session: &Session) -> Result<()> {
    let subject = format!("session:{}", session.id);
    let tx = app.db.begin().await?;
    console_session::Entity::delete_by_id(session.id)
        .exec(&tx)
        .await?;
    audit::record_in_tx(
        app,
        &tx,
        &session.actor,
        "console.sign_out",
        &subject,
        json!({}),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Forgets a session that is over.
async fn end(app: &App, id: ConsoleSessionId) -> Result<()> {
    console_session::Entity::delete_by_id(id)
        .exec(app.db.write())
        .await?;
    Ok(())
}

/// Ends every session of a user, whichever way they signed in.
pub(super) async fn end_all_in_tx(tx: &impl ConnectionTrait, user: UserId) -> Result<()> {
    let keys = api_key::Entity::find()
        .select_only()
        .column(api_key::Column::Id)
        .filter(api_key::Column::UserId.eq(user))
        .into_query();
    console_session::Entity::delete_many()
        .filter(
            Condition::any()
                .add(console_session::Column::UserId.eq(user))
                .add(console_session::Column::KeyId.in_subquery(keys)),
        )
        .exec(tx)
        .await?;
    Ok(())
}
