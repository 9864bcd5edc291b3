//! Who is calling: the credential of a request, and what the rest of the program made of it.
//!
//! This module knows no key and no user. It hands the credential to an [`Authenticate`] and carries
//! the answer, whatever it holds, into the data of each operation.

use std::{any::Any, fmt, future::Future, pin::pin, sync::Arc, time::Duration};

use async_graphql::Data;
use clipqueue_entities::Timestamp;
use futures::future::{self, BoxFuture};
use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};

use super::Endpoint;
use super::rate::Meter;
use crate::{
    graphql::error::{ApiError, Code},
    http::rate::Charge,
};

/// What a caller presents: a bearer token, from the `Authorization` header or from `connection_init`, or
/// the cookie of a session.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The token, without the word `Bearer`, or the cookie's value.
    pub token: &'a str,
    /// Whether a browser added it by itself.
    pub is_cookie: bool,
}

/// A credential as it came, for as long as its connection lasts.
#[derive(Clone)]
pub(super) enum Shown {
    Token(SecretString),
    Cookie(SecretString),
}

impl Shown {
    fn credentials(&self) -> Credentials<'_> {
        let (text, is_cookie) = match self {
            Self::Token(text) => (text, false),
            Self::Cookie(text) => (text, true),
        };
        Credentials {
            token: text.expose_secret(),
            is_cookie,
        }
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Why a credential is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// Unknown, malformed, expired or revoked.
    #[error("the credential is unknown, expired or revoked")]
    Rejected,
    /// Known, but not allowed here; the text says why and is shown to the caller.
    #[error("the credential is not allowed here: {0}")]
    Forbidden(String),
    /// Too many attempts; come back after this.
    #[error("too many attempts")]
    RateLimited(Duration),
    /// It cannot be told now.
    #[error("credentials cannot be checked now")]
    Unavailable,
}

impl From<AuthFailure> for ApiError {
    fn from(failure: AuthFailure) -> Self {
        match failure {
            AuthFailure::Rejected => Self::new(
                Code::Unauthenticated,
                "The API key is unknown, expired or revoked. Send a valid one as `Authorization: Bearer <key>`.",
            ),
            AuthFailure::Forbidden(why) => Self::new(Code::Forbidden, why),
            AuthFailure::RateLimited(wait) => Self::new(
                Code::RateLimited,
                "Too many attempts. Wait, then try again.",
            )
            .retry_after(wait),
            AuthFailure::Unavailable => Self::new(
                Code::Unavailable,
                "API keys cannot be checked at the moment. Try again later.",
            ),
        }
    }
}

/// Turns a credential into a session.
pub trait Authenticate: Send + Sync + 'static {
    /// Checks the credential. Called once per HTTP request; for a socket or an event stream at the
    /// start.
    fn authenticate<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Session, AuthFailure>>;

    /// The same for a socket or an event stream that stays open, every
    /// [`recheck_every`](super::Settings::recheck_every). That it is open is no use of the credential.
    fn recheck<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Session, AuthFailure>> {
        self.authenticate(credentials)
    }

    /// The cookie of a session, if the request has one and comes from a page that may use it: whatever
    /// page causes a request, the browser adds the cookie.
    fn cookie(&self, _: &HeaderMap) -> Option<SecretString> {
        None
    }
}

type Attach = Arc<dyn Fn(&mut Data) + Send + Sync>;

/// An accepted caller.
#[derive(Clone, Default)]
pub struct Session {
    attach: Vec<Attach>,
    meter: Option<Meter>,
    expires_at: Option<Timestamp>,
    introspection: bool,
}

impl Session {
    /// A caller whose `actor` every resolver finds by `ctx.data::<A>()`.
    pub fn new<A: Any + Clone + Send + Sync>(actor: A) -> Self {
        Self::default().with(move |data| data.insert(actor.clone()))
    }

    /// A caller without a credential.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Adds data that is made anew for every operation, such as loaders with a cache.
    #[must_use]
    pub fn with(mut self, attach: impl Fn(&mut Data) + Send + Sync + 'static) -> Self {
        self.attach.push(Arc::new(attach));
        self
    }

    /// Counts each operation by `meter`.
    #[must_use]
    pub fn metered(
        mut self,
        meter: impl Fn() -> BoxFuture<'static, Charge> + Send + Sync + 'static,
    ) -> Self {
        self.meter = Some(Arc::new(meter));
        self
    }

    /// The session ends at `instant`: sockets and streams are closed then.
    #[must_use]
    pub fn expires_at(mut self, instant: Option<Timestamp>) -> Self {
        self.expires_at = instant;
        self
    }

    /// Whether this caller may introspect although the settings do not allow it to everybody.
    #[must_use]
    pub fn introspection(mut self, allowed: bool) -> Self {
        self.introspection = allowed;
        self
    }

    /// Counts one operation.
    pub(super) async fn charge(&self) -> Charge {
        match &self.meter {
            Some(meter) => meter().await,
            None => Charge::Unlimited,
        }
    }

    pub(super) fn may_introspect(&self) -> bool {
        self.introspection
    }

    pub(super) fn attach(&self, data: &mut Data) {
        for attach in &self.attach {
            attach(data);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("expires_at", &self.expires_at)
            .field("introspection", &self.introspection)
            .finish_non_exhaustive()
    }
}

/// The bearer token of a request, if it has one.
///
/// Another scheme is an error: the caller meant to authenticate and must not pass as anonymous.
fn bearer(headers: &HeaderMap) -> Result<Option<SecretString>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .and_then(bearer_token)
        .map(|token| Some(SecretString::from(token)))
        .ok_or_else(|| {
            ApiError::new(
                Code::Unauthenticated,
                "The Authorization header is not `Bearer <key>`.",
            )
        })
}

/// The token in `Bearer <token>`; the word counts in any case.
pub(super) fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' '))
        .then_some(token)
}

/// What callers without a key are told.
pub(super) fn key_needed() -> ApiError {
    ApiError::new(
        Code::Unauthenticated,
        "An API key is needed. Send it as `Authorization: Bearer <key>`.",
    )
}

impl Endpoint {
    /// What a request shows. A token counts before a cookie: who writes one means it.
    pub(super) fn shown(&self, headers: &HeaderMap) -> Result<Option<Shown>, ApiError> {
        Ok(match bearer(headers)? {
            Some(token) => Some(Shown::Token(token)),
            None => self.auth.cookie(headers).map(Shown::Cookie),
        })
    }

    /// The session for a credential, or for nobody where nobody may ask.
    pub(super) async fn authenticate(&self, shown: Option<&Shown>) -> Result<Session, ApiError> {
        let Some(shown) = shown else {
            return if self.settings.anonymous {
                Ok(Session::anonymous())
            } else {
                Err(key_needed())
            };
        };
        self.accept(self.auth.authenticate(shown.credentials()))
            .await
    }

    /// The session that a check of a credential gives.
    async fn accept(
        &self,
        check: BoxFuture<'_, Result<Session, AuthFailure>>,
    ) -> Result<Session, ApiError> {
        let session = tokio::time::timeout(self.settings.execution_timeout, check)
            .await
            .unwrap_or(Err(AuthFailure::Unavailable))
            .map_err(ApiError::from)?;
        match session.expires_at {
            Some(end) if end <= self.clock.now() => Err(AuthFailure::Rejected.into()),
            _ => Ok(session),
        }
    }

    /// Completes when a session that stays open is no longer good: expired, or revoked meanwhile.
    ///
    /// That the check itself is unavailable ends nothing; the next one decides.
    pub(super) async fn session_over(self: Arc<Self>, shown: Option<Shown>, mut session: Session) {
        loop {
            let expiry = session.expires_at;
            let expired = async {
                match expiry {
                    Some(end) => self.clock.sleep_until(end).await,
                    None => future::pending().await,
                }
            };
            let recheck = tokio::time::sleep(self.settings.recheck_every);
            if wins(expired, recheck).await {
                return;
            }
            // Where nobody need show anything, there is nothing to end.
            let Some(shown) = &shown else { continue };
            let checked = self.accept(self.auth.recheck(shown.credentials()));
            match checked.await {
                Ok(fresh) => session = fresh,
                Err(error) if matches!(error.code(), Code::Unavailable | Code::RateLimited) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether `first` completes before `second`.
async fn wins(first: impl Future<Output = ()>, second: impl Future<Output = ()>) -> bool {
    matches!(
        future::select(pin!(first), pin!(second)).await,
        future::Either::Left(_)
    )
}
