//! To TikTok's consent page and back: connecting an account, signing in, proving ownership.
//!
//! A consent carries what it is for ([`pending`]); [`arrive`] takes the callback to its end. The state is
//! spent before the code is exchanged, so a callback that is sent twice can neither store twice nor burn
//! a code.

mod account;
mod error;
mod pending;
mod proof;

use clipqueue_entities::{
    Timestamp, UserId, account::Model as Account, oauth_state::ConsentPurpose,
};
use tiktok::{Endpoint, oauth::Callback};
use url::Url;
use uuid::Uuid;

pub use error::ConnectError;
pub use pending::{Browser, STATE_TTL};

use self::pending::Purpose;
use super::{
    actor::Actor,
    error::{Code, Refusal, Result},
    ownership::Proved,
};
use crate::app::App;

/// Where to send the creator's browser.
#[derive(Clone, Debug)]
pub struct ConsentPage {
    /// TikTok's consent page with everything in it.
    pub url: Url,
    /// Until when coming back is accepted.
    pub expires_at: Timestamp,
}

/// A finished connection.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The account.
    pub account: Account,
    /// Scopes that were asked for and not granted.
    pub missing: Vec<String>,
    /// Where the browser goes next.
    pub return_to: Option<String>,
}

/// What a callback came to.
#[derive(Clone, Debug)]
pub enum Arrived {
    /// An account is connected.
    Connected(Connected),
    /// An account is connected, and the browser that came back is its user's.
    SignedIn(Connected),
    /// Somebody proved to be somebody; nothing is kept.
    Proved(Proved),
}

/// Starts a connection.
pub async fn begin(app: &App, actor: &Actor, return_to: Option<String>) -> Result<ConsentPage> {
    if let Some(target) = &return_to {
        check_return_to(app, target)?;
    }
    let scopes = app.config.tiktok.scopes.join(",");
    pending::open(app, Purpose::Connect(actor.user_id), scopes, return_to).await
}

/// Starts signing in with `browser`. Whoever is signed in already as `user` gets the account added.
pub async fn begin_sign_in(
    app: &App,
    user: Option<UserId>,
    browser: &Browser,
) -> Result<ConsentPage> {
    let scopes = app.config.tiktok.scopes.join(",");
    pending::open(app, Purpose::SignIn(user, browser), scopes, None).await
}

/// Starts a proof of ownership with `browser`. When it comes back,
/// [`ownership::proved`](super::ownership::proved) is called with the id of the request.
pub async fn begin_proof(app: &App, request: Uuid, browser: &Browser) -> Result<ConsentPage> {
    pending::open(
        app,
        Purpose::Prove(request, browser),
        proof::scopes(app),
        None,
    )
    .await
}

/// Takes the callback's raw query to its end, for the browser that came with it.
pub async fn arrive(
    app: &App,
    query: &str,
    browser: Option<&Browser>,
) -> std::result::Result<Arrived, ConnectError> {
    let (code, state) = match Callback::parse(query) {
        Err(_) => return Err(ConnectError::Malformed),
        Ok(Callback::Denied { state, .. }) => {
            if let Some(state) = state {
                pending::spend(app, &state, browser).await?;
            }
            return Err(ConnectError::Denied);
        }
        Ok(Callback::Granted { code, state, .. }) => (code, state),
    };
    // Asked for first, so that the creator may load the page again.
    let asked = app.calls.ask(None, &[Endpoint::Token]).await;
    let mut permit = asked.map_err(ConnectError::Paused)?;
    let pending = match pending::spend(app, &state, browser).await {
        Ok(pending) => pending,
        Err(error) => {
            app.calls.unused(permit).await;
            return Err(error);
        }
    };
    let verifier = pending::verifier(app, &pending)?;
    let answered = app
        .tiktok
        .exchange_code(&code, &app.redirect_uri(), &verifier)
        .await;
    let calls = &app.calls;
    calls.heard(&mut permit, Endpoint::Token, &answered).await;
    let connected = answered?.value;
    Ok(match pending.purpose {
        ConsentPurpose::Connect => {
            Arrived::Connected(account::save(app, pending, connected).await?)
        }
        ConsentPurpose::SignIn => Arrived::SignedIn(account::save(app, pending, connected).await?),
        ConsentPurpose::Prove => Arrived::Proved(proof::take(app, &pending, connected).await?),
    })
}

/// [`arrive`] for a caller without a browser, who can have begun nothing but a connection.
pub async fn finish(app: &App, query: &str) -> std::result::Result<Connected, ConnectError> {
    match arrive(app, query, None).await? {
        Arrived::Connected(connected) => Ok(connected),
        Arrived::SignedIn(_) | Arrived::Proved(_) => Err(ConnectError::OtherBrowser),
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
