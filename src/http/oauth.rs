//! The page that a creator sees after TikTok's consent screen.
//!
//! Every way in which connecting can end has a page of its own that says what to do. The query holds
//! a code and a state, so it is never logged or repeated.

use askama::Template;
use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use secrecy::ExposeSecret as _;

use super::{
    cookies::{self, SESSION},
    dashboard,
    lone::{self, Forms},
};
use crate::{
    app::{App, CALLBACK_PATH},
    domain::{
        connect::{self, Arrived, ConnectError, Connected},
        user_sessions,
    },
};

/// The route that TikTok redirects to.
pub fn router(app: App) -> Router {
    Router::new()
        .route(CALLBACK_PATH, get(callback))
        .with_state(app)
}

#[derive(Template)]
#[template(path = "outcome.html")]
struct OutcomePage<'a> {
    title: &'a str,
    text: &'a str,
}

async fn callback(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let browser = cookies::shown_browser(&app, &headers);
    let query = query.as_deref().unwrap_or_default();
    match connect::arrive(&app, query, browser.as_ref()).await {
        Ok(Arrived::Connected(connected)) => match &connected.return_to {
            Some(target) if connected.missing.is_empty() => Redirect::to(target).into_response(),
            _ => success(&connected),
        },
        Ok(Arrived::SignedIn(connected)) => signed_in(&app, &headers, &connected).await,
        Ok(Arrived::Proved(proved)) => see_other(&app, &proved.go_to),
        Err(error) => failure(&error),
    }
}

/// Begins a session in the browser that came back; the one that it had ends.
async fn signed_in(app: &App, headers: &HeaderMap, connected: &Connected) -> Response {
    let shown = SESSION.read(app, headers);
    let shown = shown.as_ref().map(|text| text.expose_secret());
    match user_sessions::begin(app, connected.account.user_id, shown).await {
        Ok(session) => {
            let mut answer = match connected.missing.is_empty() {
                true => see_other(app, dashboard::PATH),
                false => success(connected),
            };
            SESSION.set(
                app,
                &mut answer,
                session.cookie.expose_secret(),
                session.life,
            );
            answer
        }
        Err(error) => failure(&ConnectError::from(error)),
    }
}

/// To a path of ours.
fn see_other(app: &App, path: &str) -> Response {
    Redirect::to(&format!("{}{path}", app.base_path())).into_response()
}

fn success(connected: &Connected) -> Response {
    let name = connected
        .account
        .display_name
        .as_deref()
        .or(connected.account.username.as_deref())
        .unwrap_or("The TikTok account");
    if connected.missing.is_empty() {
        return page(
            StatusCode::OK,
            "Connected",
            &format!("{name} is connected. You can close this window."),
        );
    }
    page(
        StatusCode::OK,
        "Connected, with less than was asked for",
        &format!(
            "{name} is connected, but these permissions were switched off: {}. What needs them will wait. \
             To allow them, connect again and leave their switches on.",
            connected.missing.join(", ")
        ),
    )
}

fn failure(error: &ConnectError) -> Response {
    let (status, title, text) = match error {
        ConnectError::Denied => (
            StatusCode::OK,
            "Not connected",
            "You did not allow the connection, so nothing was stored. To connect after all, start again from the app that sent you.",
        ),
        ConnectError::Malformed => (
            StatusCode::BAD_REQUEST,
            "This address is incomplete",
            "It lacks a part that TikTok adds. Start again from the app that sent you.",
        ),
        ConnectError::UnknownState => (
            StatusCode::BAD_REQUEST,
            "This link is not ours",
            "It was not made here, or it was made too long ago. Start again from the app that sent you.",
        ),
        ConnectError::UsedState => (
            StatusCode::BAD_REQUEST,
            "This link was used already",
            "Each link works once. If the account is not connected, start again from the app that sent you.",
        ),
        ConnectError::ExpiredState => (
            StatusCode::BAD_REQUEST,
            "This link has expired",
            "It works for ten minutes. Start again from the app that sent you.",
        ),
        ConnectError::OtherBrowser => (
            StatusCode::BAD_REQUEST,
            "Another browser began this",
            "Nothing was stored. Begin and end it in the same browser, with cookies allowed. If you began nothing, somebody else did: do not follow their link again.",
        ),
        ConnectError::NoSignUp => (
            StatusCode::FORBIDDEN,
            "Nobody here has this TikTok account",
            "This service takes no new users by itself, so nothing was stored. Ask its operator, or sign in with an account that is connected.",
        ),
        ConnectError::NotAsked => (
            StatusCode::NOT_FOUND,
            "Nothing waits for this proof",
            "What it was for is over. Nothing was stored, and the permission that you gave was ended again.",
        ),
        ConnectError::Taken => (
            StatusCode::CONFLICT,
            "This TikTok account is connected elsewhere",
            "Another user of this service has connected it. Disconnect it there first, or connect another account.",
        ),
        ConnectError::Leaving => (
            StatusCode::CONFLICT,
            "This account is being deleted",
            "What is stored of it is deleted at this moment, and nothing was added. To start anew, wait some minutes and connect again.",
        ),
        ConnectError::Refused(error) => {
            tracing::warn!(%error, "TikTok refused to connect an account");
            (
                StatusCode::BAD_GATEWAY,
                "TikTok refused the connection",
                "Nothing was stored. Start again from the app that sent you; if it happens again, tell its operator.",
            )
        }
        ConnectError::Unavailable(error) => {
            tracing::warn!(%error, "TikTok cannot be reached to connect an account");
            (
                StatusCode::BAD_GATEWAY,
                "TikTok does not answer",
                "Nothing was stored. Wait a minute, then start again from the app that sent you.",
            )
        }
        ConnectError::Paused(wait) => {
            tracing::warn!(%wait, "an account cannot be connected now");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "TikTok does not answer",
                "Nothing was stored. Wait a minute, then load this page again; after ten minutes start again from the app that sent you.",
            )
        }
        ConnectError::Internal(error) => {
            tracing::error!(?error, "an account cannot be connected");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here",
                "Nothing was stored. Start again from the app that sent you; if it happens again, tell its operator.",
            )
        }
    };
    page(status, title, text)
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    lone::show(status, &OutcomePage { title, text }, Forms::None)
}
