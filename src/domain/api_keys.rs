//! API keys: `cq_<id: 32 hex>_<secret: 64 hex>_<crc32: 8 hex>`.
//!
//! The checksum lets a typo or a scanner's find be told apart without the database. The secret has
//! 256 random bits, so a keyed hash is all that is stored; it is shown once, when it is made.

use clipqueue_entities::{AccountId, ApiKeyId, Timestamp, UserId, api_key, user};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, sea_query::OnConflict,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;
use uuid::Uuid;

use super::{
    actor::{Actor, Scope},
    error::{Code, Error, Refusal, Result},
    idempotency::{Request, Seen},
    key_accounts, roles,
};
use crate::{app::App, secrets::random_bytes};

/// First part of every key, by which scanners know it.
const PREFIX: &str = "cq";
/// Last use is written at most this often.
const LAST_USED_STEP: Duration = Duration::from_secs(60);
/// Longest name of a key or user.
const MAX_NAME: usize = 100;

/// A key that was just made; the only time its text exists.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What is stored of it.
    pub key: api_key::Model,
    /// The text to give to the caller.
    pub text: SecretString,
}

/// Why a key does not let its bearer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// It is not a key of this installation.
    #[error("the API key is not valid; make one with `clipqueue key create`")]
    Invalid,
    /// It was revoked or has expired.
    #[error("the API key was revoked or has expired; make a new one")]
    Ended,
}

/// Takes a key's text apart, checking its form only.
fn parse(text: &str) -> Option<(ApiKeyId, [u8; 32])> {
    let (body, checksum) = text.rsplit_once('_')?;
    if checksum != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
        return None;
    }
    let mut parts = body.split('_');
    let (prefix, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
    if prefix != PREFIX || id.len() != 32 || parts.next().is_some() {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(secret, &mut bytes).ok()?;
    Some((ApiKeyId(Uuid::try_parse(id).ok()?), bytes))
}

fn render(id: ApiKeyId, secret: &[u8; 32]) -> String {
    let body = format!("{PREFIX}_{}_{}", id.0.simple(), hex::encode(secret));
    format!("{body}_{:08x}", crc32fast::hash(body.as_bytes()))
}

/// Who bears the key `text`.
pub async fn authenticate(app: &App, text: &str) -> Result<std::result::Result<Actor, KeyRefused>> {
    let Some((id, secret)) = parse(text) else {
        return Ok(Err(KeyRefused::Invalid));
    };
    let Some(key) = api_key::Entity::find_by_id(id).one(app.db.read()).await? else {
        return Ok(Err(KeyRefused::Invalid));
    };
    if !app.vault.api_key_matches(&secret, &key.hash) {
        return Ok(Err(KeyRefused::Invalid));
    }
    admit(app, key).await
}

/// Who bears the key of that id, for a caller that has shown its text before.
pub async fn still(app: &App, id: ApiKeyId) -> Result<std::result::Result<Actor, KeyRefused>> {
    match api_key::Entity::find_by_id(id).one(app.db.read()).await? {
        Some(key) => admit(app, key).await,
        None => Ok(Err(KeyRefused::Invalid)),
    }
}

/// The bearer of a key whose text was checked, unless the key has ended.
async fn admit(app: &App, key: api_key::Model) -> Result<std::result::Result<Actor, KeyRefused>> {
    let now = app.clock.now();
    if key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now) {
        return Ok(Err(KeyRefused::Ended));
    }
    let owner = user::Entity::find_by_id(key.user_id)
        .one(app.db.read())
        .await?
        .filter(|owner| owner.leaving_at.is_none());
    let Some(owner) = owner else {
        return Ok(Err(KeyRefused::Ended));
    };
    if key
        .last_used_at
        .is_none_or(|at| now.since(at) >= LAST_USED_STEP)
    {
        api_key::Entity::update_many()
            .col_expr(
                api_key::Column::LastUsedAt,
                sea_orm::sea_query::Expr::value(now),
            )
            .filter(api_key::Column::Id.eq(key.id))
            .exec(app.db.write())
            .await?;
    }
    let scopes = key.scopes.split(' ').filter_map(|word| word.parse().ok());
    let scopes = roles::bound(app.db.read(), owner.id, scopes.collect()).await?;
    Ok(Ok(Actor {
        user_id: owner.id,
        user_name: owner.name,
        key_id: Some(key.id),
        session_id: None,
        scopes,
        expires_at: key.expires_at,
        accounts: key_accounts::of(&key),
    }))
}

/// The user of that name, made when missing.
pub async fn ensure_user(app: &App, name: &str) -> Result<user::Model> {
    check_name("name", name)?;
    let tx = app.db.begin().await?;
    user::Entity::insert(user::ActiveModel {
        id: Set(UserId::new()),
        name: Set(name.to_owned()),
        created_at: Set(app.clock.now()),
        leaving_at: Set(None),
    })
    .on_conflict(
        OnConflict::column(user::Column::Name)
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(&tx)
    .await?;
    let found = user::Entity::find()
        .filter(user::Column::Name.eq(name))
        .one(&tx)
        .await?;
    tx.commit().await?;
    found.ok_or(Error::NotFound)
}

/// The user of that name.
pub async fn find_user(app: &App, name: &str) -> Result<Option<user::Model>> {
    Ok(user::Entity::find()
        .filter(user::Column::Name.eq(name))
        .one(app.db.read())
        .await?)
}

/// Makes a key for `user`.
pub async fn create(
    app: &App,
    user: UserId,
    name: &str,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
) -> Result<NewKey> {
    let new = draw(app, user, name, scopes, expires_at, None)?;
    insert(app.db.write(), new.key.clone()).await?;
    Ok(new)
}

/// Makes a key on behalf of `actor`, who cannot give it more than they may do themselves. The same
/// idempotency key with the same request gives the same key, without its text: that is shown once.
pub async fn create_by(
    app: &App,
    actor: &Actor,
    name: &str,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
    accounts: Option<&[AccountId]>,
    idempotency_key: &str,
) -> Result<(api_key::Model, Option<SecretString>)> {
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let key = idempotency_key;
    // A request without a list keeps the hash that it had before there were any.
    let request = match accounts {
        None => {
            let body = (name, words, expires_at);
            Request::new(actor.user_id, key, "createApiKey", &body)?
        }
        Some(accounts) => {
            let body = (name, words, expires_at, accounts);
            Request::new(actor.user_id, key, "createApiKey", &body)?
        }
    };
    if let Seen::Before(id) = request.look_up(app.db.read()).await? {
        return Ok((get(app, actor.user_id, ApiKeyId(id)).await?, None));
    }
    if let Some(scope) = scopes.iter().find(|scope| !actor.may(**scope)) {
        return Err(Refusal::new(
            "scopes",
            Code::ScopeNotHeld,
            format!("your own key lacks {scope}, so it cannot grant it; leave it out"),
        )
        .into());
    }
    if let Some(accounts) = accounts {
        key_accounts::check(app, actor.user_id, accounts, scopes).await?;
    }
    let new = draw(app, actor.user_id, name, scopes, expires_at, accounts)?;
    let tx = app.db.begin().await?;
    if let Seen::Before(id) = request
        .record_in_tx(&tx, app.clock.now(), new.key.id.0)
        .await?
    {
        tx.rollback().await?;
        return Ok((get(app, actor.user_id, ApiKeyId(id)).await?, None));
    }
    insert(&tx, new.key.clone()).await?;
    tx.commit().await?;
    Ok((new.key, Some(new.text)))
}

/// A key with a fresh secret, not stored yet.
pub(super) fn draw(
    app: &App,
    user: UserId,
    name: &str,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
    accounts: Option<&[AccountId]>,
) -> Result<NewKey> {
    check_name("name", name)?;
    let now = app.clock.now();
    if scopes.is_empty() {
        return Err(Refusal::new("scopes", Code::Required, "name at least one scope").into());
    }
    if expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::new("expiresAt", Code::Invalid, "must lie in the future").into());
    }
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let secret: [u8; 32] = random_bytes();
    let key = api_key::Model {
        id: ApiKeyId::new(),
        user_id: user,
        name: name.to_owned(),
        hash: app.vault.api_key_hash(&secret),
        scopes: words.join(" "),
        expires_at,
        revoked_at: None,
        last_used_at: None,
        created_at: now,
        accounts: accounts.map(key_accounts::render),
        replaced_by: None,
    };
    Ok(NewKey {
        text: SecretString::from(render(key.id, &secret)),
        key,
    })
}

pub(super) async fn insert(db: &impl ConnectionTrait, key: api_key::Model) -> Result<()> {
    use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};
    api_key::Entity::insert(key.into_active_model().reset_all())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// A key of `user`.
pub async fn get(app: &App, user: UserId, id: ApiKeyId) -> Result<api_key::Model> {
    api_key::Entity::find_by_id(id)
        .filter(api_key::Column::UserId.eq(user))
        .one(app.db.read())
        .await?
        .ok_or(Error::NotFound)
}

/// The keys of `user`, newest first.
pub async fn list(app: &App, user: UserId) -> Result<Vec<api_key::Model>> {
    Ok(api_key::Entity::find()
        .filter(api_key::Column::UserId.eq(user))
        .order_by_desc(api_key::Column::Id)
        .all(app.db.read())
        .await?)
}

/// Ends a key of `user`. Ending it again changes nothing.
pub async fn revoke(app: &App, user: UserId, id: ApiKeyId) -> Result<api_key::Model> {
    let tx = app.db.begin().await?;
    api_key::Entity::update_many()
        .col_expr(
            api_key::Column::RevokedAt,
            sea_orm::sea_query::Expr::value(app.clock.now()),
        )
        .filter(api_key::Column::Id.eq(id))
        .filter(api_key::Column::UserId.eq(user))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(&tx)
        .await?;
    let found = api_key::Entity::find_by_id(id)
        .filter(api_key::Column::UserId.eq(user))
        .one(&tx)
        .await?;
    tx.commit().await?;
    found.ok_or(Error::NotFound)
}

fn check_name(field: &'static str, name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME {
        return Err(Refusal::new(field, Code::Invalid, "must have 1 to 100 characters").into());
    }
    Ok(())
}

/// Shows a key's text once, to the terminal.
pub fn expose(key: &NewKey) -> &str {
    key.text.expose_secret()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(
            text in ".{0,160}",
            id in "[0-9a-fA-F{}-]{30,40}",
            secret in "[0-9a-fA-Fx]{60,68}",
        ) {
            prop_assert_eq!(parse(&text), None);
            // What has the right sum and is nearly right elsewhere.
            let body = format!("{PREFIX}_{id}_{secret}");
            if let Some((id, secret)) = parse(&format!("{body}_{:08x}", crc32fast::hash(body.as_bytes()))) {
                prop_assert_eq!(render(id, &secret).len(), 3 + 32 + 1 + 64 + 9);
            }
        }

        #[test]
        fn a_rendered_key_parses_and_a_changed_one_does_not(
            id in any::<u128>(),
            secret in any::<[u8; 32]>(),
            at in 0_usize..109,
        ) {
            let id = ApiKeyId(Uuid::from_u128(id));
            let text = render(id, &secret);
            prop_assert_eq!(parse(&text), Some((id, secret)));
            let mut broken = text.into_bytes();
            broken[at] = if broken[at] == b'0' { b'1' } else { b'0' };
            prop_assert_eq!(parse(&String::from_utf8(broken).unwrap()), None);
        }

        #[test]
        fn any_text_is_taken_apart_without_panic(text in ".{0,200}") {
            let _ = parse(&text);
        }
    }
}
