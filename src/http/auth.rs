//! API keys and the cookies of sessions at the door: one look-up for GraphQL and for uploads.

use axum::http::{Extensions, HeaderMap, StatusCode, header};
use clipqueue_entities::UserId;
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::{
    cookies::SESSION,
    graphql::{AuthFailure, Authenticate, Credentials, Session},
    rate::{self, Charge, Rate},
    same_origin::is_ours,
    uploads::{Authorize, Refusal},
};
use crate::{
    app::App,
    domain::{
        actor::{Actor, Scope},
        api_keys, error,
        plans::requests::{self, Charged},
        uploads as domain_uploads, user_sessions,
    },
    media::MediaError,
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
    fn session(&self, actor: Actor) -> Session {
        let introspection = self.app.config.graphql.introspection || actor.may(Scope::OpsRead);
        let expires_at = actor.expires_at;
        let (app, user) = (self.app.clone(), actor.user_id);
        Session::new(actor)
            .metered(move || Box::pin(charge(app.clone(), user)))
            .expires_at(expires_at)
            .introspection(introspection)
    }
}

/// Whoever a cookie was found to be of.
fn signed_in(found: error::Result<Option<user_sessions::Session>>) -> Result<Actor, AuthFailure> {
    match found {
        Ok(Some(session)) => Ok(session.actor),
        Ok(None) => Err(AuthFailure::Rejected),
        Err(error) => {
            tracing::error!(error = ?error, "a session cannot be checked");
            Err(AuthFailure::Unavailable)
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
                true => signed_in(user_sessions::resume(&self.app, credentials.token).await)?,
                false => self.actor(credentials.token).await?,
            };
            Ok(self.session(actor))
        })
    }

    fn recheck<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Session, AuthFailure>> {
        if !credentials.is_cookie {
            return self.authenticate(credentials);
        }
        Box::pin(async move {
            let found = user_sessions::lasts(&self.app, credentials.token).await;
            Ok(self.session(signed_in(found)?))
        })
    }
}

impl Authorize for Keys {
    fn authorize<'a>(
        &'a self,
        headers: &'a HeaderMap,
        counted: Option<&'a Extensions>,
    ) -> BoxFuture<'a, Result<UserId, Refusal>> {
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
                AuthFailure::RateLimited(wait) => Refusal {
                    retry_after: Some(wait),
                    ..refusal(
                        StatusCode::TOO_MANY_REQUESTS,
                        "RATE_LIMITED",
                        "too many attempts; wait, then try again",
                    )
                },
                AuthFailure::Rejected | AuthFailure::Forbidden(_) => refusal(
                    StatusCode::UNAUTHORIZED,
                    "UNAUTHENTICATED",
                    "the API key is unknown, expired or revoked",
                ),
            })?;
            if !actor.may(Scope::MediaWrite) {
                return Err(refusal(
                    StatusCode::FORBIDDEN,
                    "FORBIDDEN",
                    "the API key lacks the scope media:write",
                ));
            }
            if let Some(extensions) = counted {
                let charge = charge(self.app.clone(), actor.user_id).await;
                rate::note(extensions, &charge);
                if let Charge::Refused { wait, message, .. } = charge {
                    return Err(Refusal {
                        retry_after: Some(wait),
                        ..refusal(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", &message)
                    });
                }
            }
            Ok(actor.user_id)
        })
    }

    fn refused<'a>(&'a self, user: UserId, why: &'a MediaError) -> BoxFuture<'a, ()> {
        Box::pin(domain_uploads::no_room(&self.app, user, why))
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
        retry_after: None,
    }
}
