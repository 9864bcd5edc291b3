//! Operators at the console: signing in with an API key, and what the cookie is worth afterwards.
//!
//! A session is a row and a cookie `<id>.<secret>`; the row holds a keyed hash of the secret. It may
//! what its key may now: the key is looked up at each use, so that revoking it, or its end, ends the
//! session. A session also ends by itself, some time after its last use and a longer time after its
//! beginning.

use std::{net::IpAddr, time::Duration};

use clipqueue_entities::{ConsoleSessionId, Timestamp, console_session};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, sea_query::Expr,
};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use super::{
    actor::{Actor, Scope},
    api_keys::{self, KeyRefused},
    audit,
    error::Result,
};
use crate::{
    app::App,
    clock::Clock,
    queue::transport::{Acquired, Budget},
    secrets::random_bytes,
};

/// Tries to sign in that one address has in [`TRIES_WINDOW`]. A person with a key needs one.
pub const TRIES: u32 = 10;
/// The time over which tries are counted.
const TRIES_WINDOW: Duration = Duration::from_secs(60);
/// Last use is written at most this often.
const SEEN_STEP: Duration = Duration::from_secs(60);

/// A session that was just begun; the only time its cookie's text exists.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The cookie's text.
    pub cookie: SecretString,
    /// How long it can last.
    pub life: Duration,
}

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
    if let Some(wait) = too_often(app, source).await {
        return Ok(Err(SignInRefused::TooOften(wait)));
    }
    let actor = match api_keys::authenticate(app, text).await? {
        Ok(actor) => actor,
        Err(refused) => return Ok(Err(SignInRefused::Key(refused))),
    };
    if !actor.may(Scope::OpsRead) {
        return Ok(Err(SignInRefused::NotAnOperator));
    }
    let now = app.clock.now();
    let life = app.config.console.session_life;
    let secret: [u8; 32] = random_bytes();
    let row = console_session::Model {
        id: ConsoleSessionId(Uuid::new_v4()),
        key_id: actor.key_id,
        hash: app.vault.session_hash(&secret),
        created_at: now,
        seen_at: now,
        expires_at: now + life,
    };
    let cookie = SecretString::from(format!("{}.{}", row.id.0.simple(), hex::encode(secret)));
    let subject = format!("session:{}", row.id);
    let tx = app.db.begin().await?;
    console_session::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(&tx)
        .await?;
    audit::record_in_tx(app, &tx, &actor, "console.sign_in", &subject, json!({})).await?;
    tx.commit().await?;
    Ok(Ok(NewSession { cookie, life }))
}

/// How long `source` has to wait before its next try, if it has to.
async fn too_often(app: &App, source: Option<IpAddr>) -> Option<Duration> {
    let budget = Budget {
        key: format!("console-sign-in:{}", network(source)),
        limit: TRIES,
        window: TRIES_WINDOW,
    };
    // Redis counts by its own clock; a clock that a test moves counts for itself.
    let now = matches!(app.clock, Clock::Manual(_)).then(|| app.clock.now());
    match app.queue.transport().acquire(&[budget], now).await {
        Ok(Acquired::Granted(_)) => None,
        Ok(Acquired::Wait(wait)) => Some(wait),
        Err(error) => {
            // A key cannot be guessed, and operators need the console most while Redis is away.
            tracing::warn!(%error, "tries to sign in cannot be counted");
            None
        }
    }
}

/// Whom to count as one: an address, or the network that one IPv6 client has for itself.
fn network(source: Option<IpAddr>) -> String {
    match source {
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}")
            }
        },
        Some(address) => address.to_string(),
        None => "unknown".to_owned(),
    }
}

/// Who shows the cookie `text`; nobody when the session is over.
pub async fn resume(app: &App, text: &str) -> Result<Option<Session>> {
    let Some((id, secret)) = parse(text) else {
        return Ok(None);
    };
    let row = console_session::Entity::find_by_id(id)
        .one(app.db.read())
        .await?;
    let Some(row) = row.filter(|row| app.vault.session_matches(&secret, &row.hash)) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let actor = match is_over(app, &row, now) {
        true => None,
        false => api_keys::still(app, row.key_id)
            .await?
            .ok()
            .filter(|actor| actor.may(Scope::OpsRead)),
    };
    let Some(actor) = actor else {
        end(app, id).await?;
        return Ok(None);
    };
    if now.since(row.seen_at) >= SEEN_STEP {
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
    let actor = api_keys::still(app, row.key_id).await?;
    Ok(actor.is_ok_and(|actor| actor.may(Scope::OpsRead)))
}

fn is_over(app: &App, row: &console_session::Model, now: Timestamp) -> bool {
    row.expires_at <= now || row.seen_at + app.config.console.session_idle <= now
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

fn parse(text: &str) -> Option<(ConsoleSessionId, [u8; 32])> {
    let (id, secret) = text.split_once('.')?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(secret, &mut bytes).ok()?;
    let id = (id.len() == 32).then(|| Uuid::try_parse(id).ok())??;
    Some((ConsoleSessionId(id), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_counted_as_one_however_it_changes_its_address() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn what_is_no_cookie_is_nobody() {
        for text in ["", ".", "a.b", "0123", &"0".repeat(97)] {
            assert!(parse(text).is_none(), "{text}");
        }
        let whole = format!("{}.{}", "1".repeat(32), "2".repeat(64));
        assert!(parse(&whole).is_some());
    }
}
