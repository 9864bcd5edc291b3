//! API keys and the cookies of sessions at the door: one look-up for GraphQL and for uploads.

use axum::http::{HeaderMap, StatusCode, header};
use clipqueue_entities::UserId;
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::{
    cookies::SESSION,
    graphql::{AuthFailure, Authenticate, Charge, Credentials, Rate, Session},
    same_origin::is_ours,
    uploads::{Authorize, Refusal},
};
use crate::{
    app::App,
    domain::{
        actor::{Actor, Scope},
        api_keys,
        plans::requests::{self, Charged},
        user_sessions,
    },
};

/// Knows API keys.
#[derive(Clone, Debug)]
pub struct Keys {
    app: App,
}

impl Keys {
    /// Looks keys up with `app`.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    async fn actor(&self, token: &str) -> Result<Actor, AuthFailure> {
        match api_keys::authenticate(&self.app, token).await {
            Ok(Ok(actor)) => Ok(actor),
            Ok(Err(_)) => Err(AuthFailure::Rejected),
            Err(error) => {
                tracing::error!(error = ?error, "an API key cannot be checked");
                Err(AuthFailure::Unavailable)
            }
        }
    }
}

impl Keys {
    async fn signed_in(&self, cookie: &str) -> Result<Actor, AuthFailure> {
        match user_sessions::resume(&self.app, cookie).await {
            Ok(Some(session)) => Ok(session.actor),
            Ok(None) => Err(AuthFailure::Rejected),
            Err(error) => {
                tracing::error!(error = ?error, "a session cannot be checked");
                Err(AuthFailure::Unavailable)
            }
        }
    }
}

impl Authenticate for Keys {
    fn cookie(&self, headers: &HeaderMap) -> Option<SecretString> {
        // Whatever page causes a request, the browser adds the cookie: only ours may use it.
        (self.app.config.dashboard.enabled && is_ours(&self.app, headers))
            .then(|| SESSION.read(&self.app, headers))
            .flatten()
    }

    fn authenticate<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Session, AuthFailure>> {
        Box::pin(async move {
            let actor = match credentials.is_cookie {
                true => self.signed_in(credentials.token).await?,
                false => self.actor(credentials.token).await?,
            };
            let introspection = self.app.config.graphql.introspection || actor.may(Scope::OpsRead);
            let expires_at = actor.expires_at;
            let (app, user) = (self.app.clone(), actor.user_id);
            Ok(Session::new(actor)
                .metered(move || Box::pin(charge(app.clone(), user)))
                .expires_at(expires_at)
                .introspection(introspection))
        })
    }
}

impl Authorize for Keys {
    fn authorize<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Result<UserId, Refusal>> {
        Box::pin(async move {
            let token = headers
                .get(header::AUTHORIZATION)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, token)| token.trim())
                .ok_or_else(|| refusal(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED",
                    "send an API key as `Authorization: Bearer <key>`, or use the address that createUpload gave"))?;
            let actor = self.actor(token).await.map_err(|failure| match failure {
                AuthFailure::Unavailable => refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "UNAVAILABLE",
                    "API keys cannot be checked at the moment; try again later",
                ),
                AuthFailure::Rejected | AuthFailure::Forbidden(_) | AuthFailure::RateLimited(_) => {
                    refusal(
                        StatusCode::UNAUTHORIZED,
                        "UNAUTHENTICATED",
                        "the API key is unknown, expired or revoked",
                    )
                }
            })?;
            if !actor.may(Scope::MediaWrite) {
                return Err(refusal(
                    StatusCode::FORBIDDEN,
                    "FORBIDDEN",
                    "the API key lacks the scope media:write",
                ));
            }
            Ok(actor.user_id)
        })
    }
}

/// Counts one operation of the user.
async fn charge(app: App, user: UserId) -> Charge {
    let told = |rate: requests::Rate| Rate {
        limit: rate.limit,
        window: requests::WINDOW,
        left: rate.left,
        next_in: rate.next_in,
    };
    match requests::charge(&app, user).await {
        Charged::Free => Charge::Unlimited,
        Charged::Taken(rate) => Charge::Taken(told(rate)),
        Charged::Refused {
            rate,
            wait,
            message,
        } => Charge::Refused {
            rate: told(rate),
            wait,
            message,
        },
    }
}

fn refusal(status: StatusCode, code: &'static str, message: &str) -> Refusal {
    Refusal {
        status,
        code,
        message: message.to_owned(),
    }
}
