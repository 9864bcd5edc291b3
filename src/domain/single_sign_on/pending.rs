//! Sign-ins that are under way: which browser began each, and that it is good once.
//!
//! `state` is 256 random bits, stored as a hash, good once and for ten minutes. Beside it wait the hash of
//! the nonce and the PKCE verifier, sealed.

use clipqueue_entities::operator_sign_in;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, sea_query::Expr,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{NotSignedIn, STATE_TTL};
use crate::{
    app::App,
    domain::{
        connect::Browser,
        error::{Error, Result},
    },
    oidc::{self, Begun},
    secrets::{Place, sha256},
};

/// Writes down a sign-in that begins.
pub(super) async fn open(app: &App, begun: &Begun, browser: &Browser, next: &str) -> Result<()> {
    let now = app.clock.now();
    let state_hash = hash(&begun.state);
    let verifier = begun.verifier.expose_secret().as_bytes();
    let row = operator_sign_in::Model {
        verifier_sealed: app.vault.application().seal(place(&state_hash), verifier),
        state_hash,
        browser_hash: browser.hash(),
        nonce_hash: oidc::nonce_hash(begun.nonce.expose_secret()),
        next: next.to_owned(),
        created_at: now,
        expires_at: now + STATE_TTL,
        used_at: None,
    };
    operator_sign_in::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(app.db.write())
        .await?;
    Ok(())
}

/// Spends a state, exactly once, for the browser that comes back.
pub(super) async fn spend(
    app: &App,
    state: &SecretString,
    browser: Option<&Browser>,
) -> std::result::Result<operator_sign_in::Model, NotSignedIn> {
    let hash = hash(state);
    let now = app.clock.now();
    let spent = operator_sign_in::Entity::update_many()
        .col_expr(operator_sign_in::Column::UsedAt, Expr::value(now))
        .filter(operator_sign_in::Column::StateHash.eq(&hash))
        .filter(operator_sign_in::Column::UsedAt.is_null())
        .exec(app.db.write())
        .await?;
    let pending = operator_sign_in::Entity::find_by_id(hash)
        .one(app.db.write())
        .await?
        .ok_or(NotSignedIn::UnknownState)?;
    if spent.rows_affected == 0 {
        return Err(NotSignedIn::UsedState);
    }
    if pending.expires_at <= now {
        return Err(NotSignedIn::ExpiredState);
    }
    // Both are hashes of 256 random bits: how long a comparison takes tells nothing of use.
    if browser.is_none_or(|browser| browser.hash() != pending.browser_hash) {
        return Err(NotSignedIn::OtherBrowser);
    }
    Ok(pending)
}

/// The PKCE verifier of a sign-in.
pub(super) fn verifier(app: &App, pending: &operator_sign_in::Model) -> Result<SecretString> {
    app.vault
        .application()
        .open_text(place(&pending.state_hash), &pending.verifier_sealed)
        .map_err(|error| Error::Internal(error.into()))
}

fn hash(state: &SecretString) -> String {
    hex::encode(sha256(state.expose_secret().as_bytes()))
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "operator_sign_ins",
        column: "verifier",
        row,
        version: 0,
    }
}
