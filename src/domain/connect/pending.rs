//! Consents that are under way: what each is for, which browser began it, and that it is good once.
//!
//! `state` is 256 random bits, stored as a hash, good once and for ten minutes. The PKCE verifier waits
//! beside it, sealed. Whoever signs in or proves something must come back with the browser that began,
//! or a link that somebody else made would sign them in as that other, or prove it for them.

use std::time::Duration;

use clipqueue_entities::{
    UserId,
    oauth_state::{self, ConsentPurpose},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr,
};
use secrecy::{ExposeSecret as _, SecretString};
use tiktok::{
    Scopes,
    oauth::{Authorize, CsrfToken, PkceCodeVerifier},
};
use uuid::Uuid;

use super::{ConnectError, ConsentPage};
use crate::{
    app::App,
    domain::error::Result,
    secrets::{Place, random_bytes, sha256},
};

/// How long a creator may take on the consent page.
pub const STATE_TTL: Duration = Duration::from_secs(600);
/// Bytes of randomness in a state.
const STATE_BYTES: u32 = 32;

/// What only the browser knows that began a consent: the text of its cookie.
#[derive(Clone, Debug)]
pub struct Browser(SecretString);

impl Browser {
    /// For a browser that has no such text yet.
    pub fn new() -> Self {
        let bytes: [u8; 32] = random_bytes();
        Self(SecretString::from(hex::encode(bytes)))
    }

    /// The one that shows `text`, if that can be ours.
    pub fn shown(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(SecretString::from(text)))
    }

    /// The text for the cookie.
    pub fn text(&self) -> &SecretString {
        &self.0
    }

    /// What is stored of it.
    pub(in crate::domain) fn hash(&self) -> String {
        hex::encode(sha256(self.0.expose_secret().as_bytes()))
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

/// What a consent is for, as it begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    /// Connecting for this user; whoever has the link may come back.
    Connect(UserId),
    /// Signing in, and adding the account to whom this browser is signed in as.
    SignIn(Option<UserId>, &'a Browser),
    /// Proving ownership, for the request of that id.
    Prove(Uuid, &'a Browser),
}

/// Writes a consent down and makes the address of its page.
pub(super) async fn open(
    app: &App,
    purpose: Purpose<'_>,
    scopes: String,
    return_to: Option<String>,
) -> Result<ConsentPage> {
    let asked = Scopes::parse(&scopes);
    let state = CsrfToken::new_random_len(STATE_BYTES);
    let verifier = tiktok::pkce::new_verifier();
    let hash = hash(&state);
    let now = app.clock.now();
    let expires_at = now + STATE_TTL;
    let (word, user_id, request_id, browser) = match purpose {
        Purpose::Connect(user) => (ConsentPurpose::Connect, Some(user), None, None),
        Purpose::SignIn(user, browser) => (ConsentPurpose::SignIn, user, None, Some(browser)),
        Purpose::Prove(request, browser) => {
            (ConsentPurpose::Prove, None, Some(request), Some(browser))
        }
    };
    oauth_state::Entity::insert(oauth_state::ActiveModel {
        verifier_sealed: Set(app
            .vault
            .application()
            .seal(place(&hash), verifier.secret().as_bytes())),
        state_hash: Set(hash),
        user_id: Set(user_id),
        scopes: Set(scopes),
        return_to: Set(return_to),
        created_at: Set(now),
        expires_at: Set(expires_at),
        used_at: Set(None),
        purpose: Set(word),
        request_id: Set(request_id),
        browser_hash: Set(browser.map(Browser::hash)),
    })
    .exec_without_returning(app.db.write())
    .await?;
    let url = app.tiktok.authorize_url(&Authorize {
        redirect_uri: &app.redirect_uri(),
        scopes: &asked,
        state: &state,
        verifier: &verifier,
        // Without it a browser that is signed in at TikTok uses its own account, whichever was meant.
        // Somebody who only signs in here means that account.
        always_ask: !matches!(purpose, Purpose::SignIn(None, _)),
    });
    Ok(ConsentPage { url, expires_at })
}

/// Spends a state, exactly once, for the browser that comes back.
pub(super) async fn spend(
    app: &App,
    state: &CsrfToken,
    browser: Option<&Browser>,
) -> std::result::Result<oauth_state::Model, ConnectError> {
    let hash = hash(state);
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
    // Both are hashes of 256 random bits: how long a comparison takes tells nothing of use.
    if pending.browser_hash.is_some() && pending.browser_hash != browser.map(Browser::hash) {
        return Err(ConnectError::OtherBrowser);
    }
    Ok(pending)
}

/// The PKCE verifier of a consent.
pub(super) fn verifier(
    app: &App,
    pending: &oauth_state::Model,
) -> std::result::Result<PkceCodeVerifier, ConnectError> {
    let verifier = app
        .vault
        .application()
        .open_text(place(&pending.state_hash), &pending.verifier_sealed)
        .map_err(|error| ConnectError::Internal(error.into()))?;
    Ok(PkceCodeVerifier::new(verifier.expose_secret().to_owned()))
}

fn hash(state: &CsrfToken) -> String {
    hex::encode(sha256(state.secret().as_bytes()))
}

fn place(row: &str) -> Place<'_> {
    Place {
        table: "oauth_states",
        column: "verifier",
        row,
        version: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_its_whole_text() {
        let one = Browser::new();
        let again = Browser::shown(one.text().expose_secret()).unwrap();
        assert_eq!(one.hash(), again.hash());
        assert_ne!(one.hash(), Browser::new().hash());
        for text in ["", "00", "x", &"0".repeat(63), &"g".repeat(64)] {
            assert!(Browser::shown(text).is_none(), "{text}");
        }
    }
}
