//! TikTok tokens: sealed, read, rotated. Only the `RefreshToken` job calls TikTok for new ones.
//!
//! TikTok's refresh tokens rotate: a refresh ends the old pair. So there is one refresher per
//! account (the job's unique key), and a new pair is committed before anybody may use it. The life
//! of a stored pair:
//!
//! ```text
//! FRESH ──rejected by TikTok, or near its end──▶ SUSPECT ──refresh is about to be sent──▶ UNCERTAIN
//!   ▲                                              ▲                                      │  │  │
//!   └──────────── the new pair is committed ───────┼──────────────────────────────────────┘  │  │
//!                                                  └── proof that TikTok did nothing ────────┘  │
//! DEAD ◀── TikTok says that the grant is over ──────────────────────────────────────────────────┘
//! ```
//!
//! UNCERTAIN survives a crash: the next try sends the old refresh token once more, and only TikTok's
//! `invalid_grant` makes the account ask for a new consent.

use std::time::Duration;

use clipqueue_entities::{
    AccountId, Sealed, Timestamp,
    account::{self, AccountStatus},
    account_key,
    account_token::{self, TokenState},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, sea_query::Expr, sea_query::OnConflict,
};
use secrecy::ExposeSecret as _;
use tiktok::{AccessToken, RefreshToken, oauth::TokenSet};

use super::{
    error::{Error, Result},
    token_life,
};
use crate::{
    app::App,
    crash::{self, Commit},
    job::{Job, TOKENS},
    secrets::{Key, Place},
};

/// An access token that may be used now, and which generation it is.
#[derive(Clone, Debug)]
pub struct Usable {
    /// The token.
    pub token: AccessToken,
    /// To say later which one TikTok rejected.
    pub generation: i64,
}

/// Why there is no token to use.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// A refresh is under way or was just asked for: look again soon.
    #[error("the access token is being refreshed")]
    Refreshing,
    /// The creator must connect again.
    #[error("the creator must connect TikTok again")]
    Reconnect,
    /// Something inside failed.
    #[error("the token cannot be read")]
    Internal(#[source] anyhow::Error),
}

impl From<Error> for NoToken {
    fn from(error: Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<sea_orm::DbErr> for NoToken {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Internal(error.into())
    }
}

/// A pair as it is stored, opened.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The row.
    pub row: account_token::Model,
    /// The access token.
    pub access: AccessToken,
    /// The refresh token.
    pub refresh: RefreshToken,
}

/// The account's token, if it outlives `needed`; otherwise a refresh is asked for.
pub async fn usable(
    app: &App,
    account: &account::Model,
    needed: Duration,
) -> std::result::Result<Usable, NoToken> {
    if account.status != AccountStatus::Active {
        return Err(NoToken::Reconnect);
    }
    let stored = load(app, account.id).await?.ok_or(NoToken::Reconnect)?;
    let now = app.clock.now();
    match stored.row.state {
        TokenState::Dead => Err(NoToken::Reconnect),
        TokenState::Fresh if token_life::outlives(&stored.row, now, needed) => Ok(Usable {
            token: stored.access,
            generation: stored.row.generation,
        }),
        TokenState::Fresh if token_life::outlives(&stored.row, now, Duration::ZERO) => {
            // Good enough for everything else until its successor is there.
            want(app, account.id, &stored.row, token_life::end(now, needed)).await?;
            Err(NoToken::Refreshing)
        }
        TokenState::Fresh | TokenState::Suspect | TokenState::Uncertain => {
            suspect(app, account.id, stored.row.generation).await?;
            Err(NoToken::Refreshing)
        }
    }
}

/// Asks for a refresh of a pair that is good, and too short for what somebody is about to begin.
async fn want(
    app: &App,
    account: AccountId,
    row: &account_token::Model,
    until: Timestamp,
) -> Result<()> {
    let tx = app.db.begin().await?;
    account_token::Entity::update_many()
        .col_expr(account_token::Column::WantedUntil, Expr::value(until))
        .filter(account_token::Column::AccountId.eq(account))
        .filter(account_token::Column::Generation.eq(row.generation))
        .exec(&tx)
        .await?;
    let job = Job::RefreshToken {
        account_id: account,
    };
    app.enqueue_in_tx(&tx, job, None).await?;
    crash::commit(tx, Commit::TokenSuspected).await?;
    app.nudge(TOKENS);
    Ok(())
}

/// Marks `generation` as not to be used and asks for a refresh. A newer pair is left alone.
pub async fn suspect(app: &App, account: AccountId, generation: i64) -> Result<()> {
    let tx = app.db.begin().await?;
    account_token::Entity::update_many()
        .col_expr(
            account_token::Column::State,
            Expr::value(TokenState::Suspect),
        )
        .filter(account_token::Column::AccountId.eq(account))
        .filter(account_token::Column::Generation.eq(generation))
        .filter(account_token::Column::State.eq(TokenState::Fresh))
        .exec(&tx)
        .await?;
    app.enqueue_in_tx(
        &tx,
        Job::RefreshToken {
            account_id: account,
        },
        None,
    )
    .await?;
    crash::commit(tx, Commit::TokenSuspected).await?;
    app.nudge(TOKENS);
    Ok(())
}

/// Whether the account's pair was stored so recently that its rejection is no matter of age.
pub async fn is_young(app: &App, account: AccountId) -> Result<bool> {
    let row = account_token::Entity::find_by_id(account)
        .one(app.db.read())
        .await?;
    Ok(row.is_some_and(|row| token_life::is_new(&row, app.clock.now())))
}

/// Accounts whose access token ends before `before`, at most `limit`, after `cursor` by id.
pub async fn expiring(
    db: &impl ConnectionTrait,
    before: Timestamp,
    cursor: Option<AccountId>,
    limit: u64,
) -> Result<Vec<AccountId>> {
    use sea_orm::QueryOrder as _;
    let mut query = account_token::Entity::find()
        .select_only()
        .column(account_token::Column::AccountId)
        .filter(account_token::Column::AccessExpiresAt.lt(before))
        .filter(account_token::Column::State.ne(TokenState::Dead))
        .order_by_asc(account_token::Column::AccountId)
        .limit(limit);
    if let Some(cursor) = cursor {
        query = query.filter(account_token::Column::AccountId.gt(cursor));
    }
    Ok(query.into_tuple().all(db).await?)
}

/// The stored pair of an account.
pub async fn load(app: &App, account: AccountId) -> Result<Option<Stored>> {
    let found = account_token::Entity::find_by_id(account)
        .one(app.db.read())
        .await?;
    let Some(row) = found else { return Ok(None) };
    let key = data_key(app, app.db.read(), account).await?;
    let text = account.to_string();
    let open = |column, sealed: &Sealed| {
        key.open_text(place(&text, column, row.generation), sealed)
            .map_err(anyhow::Error::from)
    };
    let access = open("access", &row.access_sealed)?;
    let refresh = open("refresh", &row.refresh_sealed)?;
    Ok(Some(Stored {
        access: AccessToken::new(access.expose_secret()),
        refresh: RefreshToken::new(refresh.expose_secret()),
        row,
    }))
}

/// Notes that a refresh of `generation` is about to be sent. False when somebody was faster.
pub async fn begin_refresh(app: &App, account: AccountId, generation: i64) -> Result<bool> {
    set_state(
        app,
        account,
        generation,
        &[
            TokenState::Fresh,
            TokenState::Suspect,
            TokenState::Uncertain,
        ],
        TokenState::Uncertain,
        Commit::RefreshBegun,
    )
    .await
}

/// Takes [`begin_refresh`] back after proof that TikTok did nothing: the pair is what it was `before`.
pub async fn refresh_not_processed(
    app: &App,
    account: AccountId,
    before: &account_token::Model,
) -> Result<bool> {
    set_state(
        app,
        account,
        before.generation,
        &[TokenState::Uncertain],
        before.state,
        Commit::RefreshUndone,
    )
    .await
}

async fn set_state(
    app: &App,
    account: AccountId,
    generation: i64,
    from: &[TokenState],
    to: TokenState,
    commit: Commit,
) -> Result<bool> {
    let change = account_token::Entity::update_many()
        .col_expr(account_token::Column::State, Expr::value(to))
        .filter(account_token::Column::AccountId.eq(account))
        .filter(account_token::Column::Generation.eq(generation))
        .filter(account_token::Column::State.is_in(from.iter().copied()))
        .exec(app.db.write());
    let changed = crash::write(commit, change).await?;
    Ok(changed.rows_affected == 1)
}

/// Stores a pair that TikTok just gave, as the generation after `previous`.
///
/// TikTok may leave out the refresh token; then `kept_refresh` stays valid.
pub async fn store_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    account: AccountId,
    previous: Option<&account_token::Model>,
    set: &TokenSet,
    kept_refresh: Option<(&RefreshToken, Timestamp)>,
) -> Result<()> {
    let key = data_key(app, tx, account).await?;
    let now = app.clock.now();
    let generation = previous.map_or(1, |row| row.generation + 1);
    let row = account.to_string();
    let access_life = set
        .access_expires_in
        .unwrap_or(tiktok::limits::ACCESS_TOKEN_LIFE);
    let refresh_life = set
        .refresh_expires_in
        .unwrap_or(tiktok::limits::REFRESH_TOKEN_LIFE);
    let (refresh, refresh_expires_at) = match (&set.refresh_token, kept_refresh) {
        (Some(refresh), _) => (refresh, now + refresh_life),
        (None, Some((refresh, expires_at))) => (refresh, expires_at),
        (None, None) => {
            return Err(Error::Internal(anyhow::anyhow!(
                "TikTok's answer held no refresh token"
            )));
        }
    };
    let seal = |column, text: &str| key.seal(place(&row, column, generation), text.as_bytes());
    let model = account_token::ActiveModel {
        account_id: Set(account),
        generation: Set(generation),
        access_sealed: Set(seal("access", set.access_token.expose())),
        access_expires_at: Set(now + access_life),
        refresh_sealed: Set(seal("refresh", refresh.expose())),
        refresh_expires_at: Set(refresh_expires_at),
        state: Set(TokenState::Fresh),
        refreshed_at: Set(now),
        wanted_until: Set(None),
    };
    let Some(previous) = previous else {
        account_token::Entity::insert(model)
            .on_conflict(
                OnConflict::column(account_token::Column::AccountId)
                    .update_columns([
                        account_token::Column::Generation,
                        account_token::Column::AccessSealed,
                        account_token::Column::AccessExpiresAt,
                        account_token::Column::RefreshSealed,
                        account_token::Column::RefreshExpiresAt,
                        account_token::Column::State,
                        account_token::Column::RefreshedAt,
                        account_token::Column::WantedUntil,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
        return Ok(());
    };
    let changed = account_token::Entity::update_many()
        .set(model)
        .filter(account_token::Column::AccountId.eq(account))
        .filter(account_token::Column::Generation.eq(previous.generation))
        .exec(tx)
        .await?;
    if changed.rows_affected == 1 {
        Ok(())
    } else {
        Err(Error::Internal(anyhow::anyhow!(
            "another pair of tokens was stored in the meantime"
        )))
    }
}

/// Makes an account's data key, or gives the one that exists.
pub async fn ensure_key_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    account: AccountId,
) -> Result<()> {
    let (_, wrapped) = app.vault.new_account_key(account);
    account_key::Entity::insert(account_key::ActiveModel {
        account_id: Set(account),
        master_key_id: Set(app.vault.id().to_owned()),
        wrapped: Set(wrapped),
        created_at: Set(app.clock.now()),
    })
    .on_conflict(
        OnConflict::column(account_key::Column::AccountId)
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(tx)
    .await?;
    Ok(())
}

/// The account's data key, unwrapped.
pub async fn data_key(app: &App, db: &impl ConnectionTrait, account: AccountId) -> Result<Key> {
    let row = account_key::Entity::find_by_id(account)
        .one(db)
        .await?
        .ok_or(Error::NotFound)?;
    Ok(app
        .vault
        .account_key(account, &row.wrapped)
        .map_err(anyhow::Error::from)?)
}

fn place<'a>(row: &'a str, column: &'static str, version: i64) -> Place<'a> {
    Place {
        table: "account_tokens",
        column,
        row,
        version,
    }
}
