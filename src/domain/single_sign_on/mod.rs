//! Operators who sign in at a provider of identities, by OpenID Connect, without a key.
//!
//! A sign-in under way is a row ([`pending`]); whoever comes back has its state, the browser that began it
//! and a code, for which the provider gives an ID token. The token's claim gives the role, at each sign-in
//! anew ([`identity`]). What follows is the same session that a key gives.

mod identity;
mod pending;

use std::{net::IpAddr, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

pub use self::identity::still;
use super::{
    connect::Browser,
    error::Error,
    session_cookie::{self, NewSession},
};
use crate::{
    app::App,
    oidc::{OidcError, plain_word},
};

/// How long somebody may take at the provider.
pub const STATE_TTL: Duration = Duration::from_secs(600);
/// Beginnings, and returns, that one address has in a minute. A person needs one of each.
pub const TRIES: u32 = 10;
/// The longest code or state that is looked at.
const MAX_PARAMETER: usize = 4096;

/// Why nobody was signed in. Each is a text that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// No provider is configured.
    #[error("no provider is configured")]
    Off,
    /// Too many tries from this address; wait this long.
    #[error("too many tries")]
    TooOften(Duration),
    /// They said no at the provider.
    #[error("it was called off at the provider")]
    Denied,
    /// The provider answers with an error.
    #[error("the provider answers with an error")]
    Failed,
    /// The address is not one that the provider makes.
    #[error("the address is incomplete")]
    Malformed,
    /// The state is unknown or was made elsewhere.
    #[error("the state is unknown")]
    UnknownState,
    /// The state was used before.
    #[error("the state was used before")]
    UsedState,
    /// They took too long.
    #[error("the state has expired")]
    ExpiredState,
    /// Another browser began it.
    #[error("another browser began it")]
    OtherBrowser,
    /// The provider could not be asked.
    #[error("the provider cannot be asked")]
    Unreachable,
    /// What the provider says is of no use, or not believed.
    #[error("the provider is not believed")]
    NotBelieved,
    /// The provider gives them no role.
    #[error("no role")]
    NoRole,
    /// Somebody ended this operator.
    #[error("the operator was revoked")]
    Revoked,
    /// They are being deleted.
    #[error("the user is being deleted")]
    Leaving,
    /// Something inside failed.
    #[error("an internal error")]
    Internal(#[source] Error),
}

impl From<Error> for NotSignedIn {
    fn from(error: Error) -> Self {
        Self::Internal(error)
    }
}

impl From<sea_orm::DbErr> for NotSignedIn {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Internal(error.into())
    }
}

impl From<OidcError> for NotSignedIn {
    fn from(error: OidcError) -> Self {
        tracing::warn!(%error, "an operator cannot be signed in by OpenID Connect");
        match error {
            OidcError::Unreachable(_) => Self::Unreachable,
            OidcError::Unusable(_) | OidcError::Refused(_) | OidcError::NotBelieved(_) => {
                Self::NotBelieved
            }
        }
    }
}

/// What a callback came to.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: NewSession,
    /// Where in the console they meant to go, behind `/ops`.
    pub next: String,
}

/// Begins a sign-in with `browser`, which goes on to `next` in the console; gives the provider's page.
pub async fn begin(
    app: &App,
    browser: &Browser,
    next: &str,
    source: Option<IpAddr>,
) -> Result<url::Url, NotSignedIn> {
    let provider = app.oidc.as_ref().ok_or(NotSignedIn::Off)?;
    counted(app, "console-oidc-start", source).await?;
    let begun = provider.begin().await?;
    pending::open(app, &begun, browser, next).await?;
    Ok(begun.url)
}

/// Takes the callback's raw query to its end, for the browser that came with it.
pub async fn arrive(
    app: &App,
    query: &str,
    browser: Option<&Browser>,
    source: Option<IpAddr>,
) -> Result<SignedIn, NotSignedIn> {
    let provider = app.oidc.as_ref().ok_or(NotSignedIn::Off)?;
    counted(app, "console-oidc-callback", source).await?;
    let answer = Answer::parse(query)?;
    // Spent before anything is made of the rest: nobody's words count who did not come from where we sent
    // them, and nothing can be sent twice.
    let pending = pending::spend(app, &answer.state, browser).await?;
    let issuer = &provider.settings().issuer;
    if answer.issuer.is_some_and(|named| named != *issuer) {
        tracing::warn!("an answer of OpenID Connect names another issuer");
        return Err(NotSignedIn::NotBelieved);
    }
    if let Some(error) = &answer.error {
        tracing::info!(
            error = plain_word(error),
            "the provider signs an operator not in"
        );
        return Err(match error.as_str() {
            "access_denied" => NotSignedIn::Denied,
            _ => NotSignedIn::Failed,
        });
    }
    let code = answer.code.ok_or(NotSignedIn::Malformed)?;
    let verifier = pending::verifier(app, &pending)?;
    let claims = provider
        .finish(&code, &verifier, &pending.nonce_hash)
        .await?;
    let session = identity::sign_in(app, provider, &claims).await?;
    Ok(SignedIn {
        session,
        next: pending.next,
    })
}

async fn counted(app: &App, what: &'static str, source: Option<IpAddr>) -> Result<(), NotSignedIn> {
    match session_cookie::too_often(app, what, TRIES, source).await {
        Some(wait) => Err(NotSignedIn::TooOften(wait)),
        None => Ok(()),
    }
}

/// The provider's answer, as the browser brings it.
#[derive(Debug, Default)]
struct Answer {
    state: SecretString,
    code: Option<SecretString>,
    error: Option<String>,
    issuer: Option<String>,
}

impl Answer {
    /// Reads a query in which each parameter stands once, as RFC 6749 wants it.
    fn parse(query: &str) -> Result<Self, NotSignedIn> {
        let mut answer = Self::default();
        let mut seen = Vec::new();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if value.len() > MAX_PARAMETER || seen.contains(&key) {
                return Err(NotSignedIn::Malformed);
            }
            match &*key {
                "state" => answer.state = value.into_owned().into(),
                "code" => answer.code = Some(value.into_owned().into()),
                "error" => answer.error = Some(value.into_owned()),
                "iss" => answer.issuer = Some(value.into_owned()),
                // What was not asked for is ignored.
                _ => continue,
            }
            seen.push(key);
        }
        let is_whole = answer.code.is_some() != answer.error.is_some()
            && !answer.state.expose_secret().is_empty();
        is_whole.then_some(answer).ok_or(NotSignedIn::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_a_code_or_an_error_with_a_state() {
        let good =
            Answer::parse("code=a%20b&state=s&session_state=x&iss=https%3A%2F%2Fid").unwrap();
        assert_eq!(good.code.unwrap().expose_secret(), "a b");
        assert_eq!(good.state.expose_secret(), "s");
        assert_eq!(good.issuer.as_deref(), Some("https://id"));
        let denied = Answer::parse("error=access_denied&state=s").unwrap();
        assert_eq!(denied.error.as_deref(), Some("access_denied"));
        for query in [
            "",
            "code=a",
            "state=s",
            "code=a&state=",
            "code=a&error=b&state=s",
            "code=a&code=b&state=s",
            "code=a&state=s&state=t",
            &format!("code={}&state=s", "a".repeat(5000)),
        ] {
            assert!(
                matches!(Answer::parse(query), Err(NotSignedIn::Malformed)),
                "{query}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_without_panic(query in ".{0,200}") {
            let _ = Answer::parse(&query);
        }
    }
}
