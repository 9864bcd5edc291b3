//! Connecting a TikTok account: to the consent page and back.
//!
//! `state` is 256 random bits, stored as a hash, good once and for ten minutes. The PKCE verifier
//! waits beside it, sealed. The state is spent before the code is exchanged, so a callback that is
//! sent twice can neither store twice nor burn a code.

use std::time::Duration;

use clipqueue_entities::{
    AccountId, UserId,
    account::{self, AccountStatus},
    account_token, oauth_state,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, sea_query::Expr,
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tiktok::{
    Class, Endpoint, Scopes,
    oauth::{Authorize, Callback, CsrfToken, PkceCodeVerifier},
    user::UserFields,
};
use url::Url;

use super::{
    accounts,
    actor::Actor,
    creator, erasure,
    error::{Code, Error, Refusal, Result},
    events::{self, NewEvent},
    tokens,
};
use crate::{
    app::App,
    calls::Wait,
    secrets::{Place, sha256},
};

/// How long a creator may take on the consent page.
const STATE_TTL: Duration = Duration::from_secs(600);
/// Bytes of randomness in a state.
const STATE_BYTES: u32 = 32;

/// Where to send the creator's browser.
#[derive(Clone, Debug)]
pub struct ConsentPage {
    /// TikTok's consent page with everything in it.
    pub url: Url,
    /// Until when coming back is accepted.
    pub expires_at: clipqueue_entities::Timestamp,
}

/// A finished connection.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The account.
    pub account: account::Model,
    /// Scopes that were asked for and not granted.
    pub missing: Vec<String>,
    /// Where the browser goes next.
    pub return_to: Option<String>,
}

/// Why a callback connects nothing. Each is a page that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The creator said no.
    #[error("the creator did not agree")]
    Denied,
    /// The query is not TikTok's.
    #[error("the address is incomplete")]
    Malformed,
    /// The state is unknown or was made elsewhere.
    #[error("the state is unknown")]
    UnknownState,
    /// The state was used before.
    #[error("the state was used before")]
    UsedState,
    /// The creator took too long.
    #[error("the state has expired")]
    ExpiredState,
    /// The account belongs to another user of this installation.
    #[error("the account is connected by somebody else")]
    Taken,
    /// Whoever connects, or the account, is being erased.
    #[error("the account is being deleted")]
    Leaving,
    /// TikTok did not take the code.
    #[error("TikTok refused the code")]
    Refused(#[source] Box<tiktok::Error>),
    /// TikTok could not be reached.
    #[error("TikTok cannot be reached")]
    Unavailable(#[source] Box<tiktok::Error>),
    /// TikTok may not be asked now.
    #[error("TikTok is left alone for a while")]
    Paused(#[source] Wait),
    /// Something inside failed.
    #[error("an internal error")]
    Internal(#[source] anyhow::Error),
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<sea_orm::DbErr> for ConnectError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Internal(error.into())
    }
}

/// Starts a connection.
pub async fn begin(app: &App, actor: &Actor, return_to: Option<String>) -> Result<ConsentPage> {
    if let Some(target) = &return_to {
        check_return_to(app, target)?;
    }
    let scopes = app.config.tiktok.scopes.join(",");
    let asked: Scopes = Scopes::parse(&scopes);
    let state = CsrfToken::new_random_len(STATE_BYTES);
    let verifier = tiktok::pkce::new_verifier();
    let hash = hex::encode(sha256(state.secret().as_bytes()));
    let now = app.clock.now();
    let expires_at = now + STATE_TTL;
    oauth_state::Entity::insert(oauth_state::ActiveModel {
        verifier_sealed: Set(app
            .vault
            .application()
            .seal(place(&hash), verifier.secret().as_bytes())),
        state_hash: Set(hash),
        user_id: Set(actor.user_id),
        scopes: Set(scopes),
        return_to: Set(return_to),
        created_at: Set(now),
        expires_at: Set(expires_at),
        used_at: Set(None),
    })
    .exec_without_returning(app.db.write())
    .await?;
    let url = app.tiktok.authorize_url(&Authorize {
        redirect_uri: &app.redirect_uri(),
        scopes: &asked,
        state: &state,
        verifier: &verifier,
        // Without it a browser that is signed in reconnects its own account, whichever was meant.
        always_ask: true,
    });
    Ok(ConsentPage { url, expires_at })
}

/// Takes the callback's raw query to its end.
pub async fn finish(app: &App, query: &str) -> std::result::Result<Connected, ConnectError> {
    match Callback::parse(query) {
        Err(_) => Err(ConnectError::Malformed),
        Ok(Callback::Denied { state, .. }) => {
            if let Some(state) = state {
                spend(app, &state).await?;
            }
            Err(ConnectError::Denied)
        }
        Ok(Callback::Granted { code, state, .. }) => {
            // Asked for first, so that the creator may load the page again.
            let asked = app.calls.ask(None, &[Endpoint::Token]).await;
            let mut permit = asked.map_err(ConnectError::Paused)?;
            let pending = match spend(app, &state).await {
                Ok(pending) => pending,
                Err(error) => {
                    app.calls.unused(permit).await;
                    return Err(error);
                }
            };
            let verifier = app
                .vault
                .application()
                .open_text(place(&pending.state_hash), &pending.verifier_sealed)
                .map_err(|error| ConnectError::Internal(error.into()))?;
            let verifier = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
            let answered = app
                .tiktok
                .exchange_code(&code, &app.redirect_uri(), &verifier)
                .await;
            let calls = &app.calls;
            calls.heard(&mut permit, Endpoint::Token, &answered).await;
            let answer = answered.map_err(tiktok_error)?;
            save(app, pending, answer.value).await
        }
    }
}

/// Spends a state, exactly once.
async fn spend(
    app: &App,
    state: &CsrfToken,
) -> std::result::Result<oauth_state::Model, ConnectError> {
    let hash = hex::encode(sha256(state.secret().as_bytes()));
    let now = app.clock.now();
    let spent = oauth_state::Entity::update_many()
        .col_expr(oauth_state::Column::UsedAt, Expr::value(now))
        .filter(oauth_state::Column::StateHash.eq(&hash))
        .filter(oauth_state::Column::UsedAt.is_null())
        .exec(app.db.write())
        .await?;
    let pending = oauth_state::Entity::find_by_id(hash)
        .one(app.db.write())
        .await?
        .ok_or(ConnectError::UnknownState)?;
    if spent.rows_affected == 0 {
        return Err(ConnectError::UsedState);
    }
    if pending.expires_at <= now {
        return Err(ConnectError::ExpiredState);
    }
    Ok(pending)
}

async fn save(
    app: &App,
    pending: oauth_state::Model,
    connected: tiktok::oauth::Connected,
) -> std::result::Result<Connected, ConnectError> {
    let granted = connected
        .tokens
        .scopes
        .clone()
        .unwrap_or_else(|| Scopes::parse(&pending.scopes));
    let profile = match UserFields::covered_by(&granted) {
        None => None,
        // The grant is worth more than the picture: it is kept, and the profile comes later.
        Some(fields) => creator::profile(app, &connected.tokens.access_token, &fields).await,
    };
    let now = app.clock.now();
    let open_id = connected.open_id.to_string();
    let tx = app.db.begin().await?;
    let leaving = erasure::is_leaving(&tx, pending.user_id).await?;
    let existing = account::Entity::find()
        .filter(account::Column::OpenId.eq(&open_id))
        .one(&tx)
        .await?;
    let is_left = |account: &account::Model| account.status == AccountStatus::Disconnected;
    if leaving || existing.as_ref().is_some_and(is_left) {
        tx.rollback().await?;
        // Nobody will keep these tokens, so nobody else could end what the creator just granted.
        let ended = app.tiktok.revoke(&connected.tokens.access_token).await;
        app.calls.overheard(None, Endpoint::Revoke, &ended).await;
        return Err(ConnectError::Leaving);
    }
    if existing
        .as_ref()
        .is_some_and(|account| account.user_id != pending.user_id)
    {
        tx.rollback().await?;
        return Err(ConnectError::Taken);
    }
    let mut row = existing
        .clone()
        .unwrap_or_else(|| fresh_account(AccountId::new(), pending.user_id, open_id, now));
    if let Some(profile) = profile {
        row.union_id = profile.union_id.or(row.union_id);
        row.username = profile.username.or(row.username);
        row.display_name = profile.display_name.or(row.display_name);
        row.avatar_url = profile.avatar_url.or(row.avatar_url);
    }
    row.scopes = granted.to_string();
    row.status = AccountStatus::Active;
    row.status_reason = None;
    row.status_since = now;
    row.connected_at = now;
    row.updated_at = now;
    let model = row.clone().into_active_model().reset_all();
    if existing.is_some() {
        account::Entity::update(model).exec(&tx).await?;
    } else {
        account::Entity::insert(model)
            .exec_without_returning(&tx)
            .await?;
    }
    tokens::ensure_key_in_tx(app, &tx, row.id).await?;
    let previous = account_token::Entity::find_by_id(row.id).one(&tx).await?;
    tokens::store_in_tx(app, &tx, row.id, previous.as_ref(), &connected.tokens, None).await?;
    events::append_in_tx(
        &tx,
        now,
        NewEvent {
            user_id: row.user_id,
            account_id: Some(row.id),
            post_id: None,
            kind: "account.connected",
            data: json!({ "scopes": row.scopes }),
            evidence_id: None,
        },
    )
    .await?;
    accounts::release_in_tx(app, &tx, row.id).await?;
    tx.commit().await?;
    app.announce(row.user_id).await;
    accounts::released(app).await;
    let missing = pending
        .scopes
        .split(',')
        .filter(|scope| !row.scopes.split(',').any(|granted| granted == *scope))
        .map(ToOwned::to_owned)
        .collect();
    Ok(Connected {
        account: row,
        missing,
        return_to: pending.return_to,
    })
}

fn fresh_account(
    id: AccountId,
    user_id: UserId,
    open_id: String,
    now: clipqueue_entities::Timestamp,
) -> account::Model {
    account::Model {
        id,
        user_id,
        open_id,
        union_id: None,
        username: None,
        display_name: None,
        avatar_url: None,
        scopes: String::new(),
        status: AccountStatus::Active,
        status_reason: None,
        status_since: now,
        connected_at: now,
        created_at: now,
        updated_at: now,
    }
}

fn tiktok_error(error: tiktok::Error) -> ConnectError {
    match error.class() {
        Class::Transient | Class::RateLimited | Class::Ambiguous => {
            ConnectError::Unavailable(Box::new(error))
        }
        Class::TokenRejected
        | Class::ScopeMissing
        | Class::GrantDead
        | Class::CreatorCap
        | Class::PendingDraftsCap
        | Class::AppUserCap
        | Class::CreatorBanned
        | Class::UnauditedClient
        | Class::PrivacyMismatch
        | Class::UrlNotOwned
        | Class::CreatorAppTooOld
        | Class::NotFoundYet
        | Class::NotCancellable
        | Class::BadMedia
        | Class::BadRequest
        | Class::OurFault
        | Class::UploadDead
        | Class::UploadOutOfStep { .. }
        | Class::SourceFailed => ConnectError::Refused(Box::new(error)),
    }
}

/// An address to return to must lie below one that the operator allowed: an open redirect would lend
/// our name to anybody's page.
fn check_return_to(app: &App, target: &str) -> Result<()> {
    let allowed = Url::parse(target).is_ok_and(|target| {
        app.config.http.return_to.iter().any(|prefix| {
            Url::parse(prefix).is_ok_and(|prefix| {
                prefix.origin() == target.origin() && target.path().starts_with(prefix.path())
            })
        })
    });
    if allowed {
        Ok(())
    } else {
        Err(Refusal::new(
            "returnTo",
            Code::Invalid,
            "is not below an address in http.return_to; ask the operator to allow it",
        )
        .into())
    }
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "oauth_states",
        column: "verifier",
        row,
        version: 0,
    }
}
