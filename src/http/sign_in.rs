//! Users sign in with TikTok: the page, the way to TikTok's consent, and signing out.
//!
//! Beginning is a button on a page of ours, so that no foreign page begins it, and it ties the consent to
//! the browser, so that nobody comes back signed in as somebody else. The callback, which
//! begins the session, is [`oauth`](super::oauth)'s.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use secrecy::ExposeSecret as _;

use super::{
    caller,
    cookies::{SESSION, browser, keep_browser},
    dashboard,
    lone::{self, Forms},
    same_origin::is_ours,
    ui::assets,
};
use crate::{
    app::App,
    domain::{
        connect,
        error::{Error, Result},
        user_sessions::{self, Session},
    },
};

/// Where the page is.
pub(super) const PATH: &str = "/sign-in";
/// The title of the screen before the end of a session.
const SIGN_OUT: &str = "Sign out";
/// Where a session ends.
pub(super) const OUT_PATH: &str = "/sign-out";

/// The routes.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .route(PATH, get(show).post(begin))
        .route(OUT_PATH, get(ask_out).post(sign_out))
        .with_state(app)
}

#[derive(Template)]
#[template(path = "user_sign_in.html")]
struct Page {
    title: &'static str,
    text: String,
    /// What stands before every path.
    base: String,
    /// Who is signed in.
    who: Option<String>,
    may_sign_up: bool,
    /// Where the dashboard is.
    home: &'static str,
    icon: String,
    /// Whether somebody means to sign out.
    leaves: bool,
}

async fn show(State(app): State<App>, headers: HeaderMap) -> Response {
    match session(&app, &headers).await {
        Ok(session) => {
            let text = match &session {
                Some(_) => "You can add another TikTok account, or sign out.",
                None => "You are sent to TikTok, which asks you; your password stays there.",
            };
            let who = session.map(|session| session.actor.user_name);
            page(&app, StatusCode::OK, "Sign in", text.to_owned(), who)
        }
        Err(error) => broken(&app, &error),
    }
}

async fn begin(State(app): State<App>, headers: HeaderMap, extensions: Extensions) -> Response {
    if !is_ours(&app, &headers) {
        return foreign(&app);
    }
    let source = caller::source(&headers, &extensions, app.config.http.proxies);
    if let Some(wait) = user_sessions::too_often(&app, source).await {
        let seconds = wait.as_secs() + 1;
        let text = format!("Too many tries from your address. Wait {seconds} s, then try again.");
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut answer = page(&app, status, "Not now", text, None);
        let headers = answer.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return answer;
    }
    let session = match session(&app, &headers).await {
        Ok(session) => session,
        Err(error) => return broken(&app, &error),
    };
    let browser = browser(&app, &headers);
    let user = session.map(|session| session.actor.user_id);
    match connect::begin_sign_in(&app, user, &browser).await {
        Ok(consent) => {
            let mut answer = Redirect::to(consent.url.as_str()).into_response();
            keep_browser(&app, &mut answer, &browser);
            answer
        }
        Err(error) => broken(&app, &error),
    }
}

/// The screen before the end: sign out, or leave for good.
async fn ask_out(State(app): State<App>, headers: HeaderMap) -> Response {
    match session(&app, &headers).await {
        Ok(Some(session)) => {
            let text = "Signing out ends this session and deletes nothing. Disconnect & revoke ends every permission at TikTok and deletes everything that is held here.";
            let who = Some(session.actor.user_name);
            page(&app, StatusCode::OK, SIGN_OUT, text.to_owned(), who)
        }
        Ok(None) => to_page(&app),
        Err(error) => broken(&app, &error),
    }
}

/// Leads to the page to sign in.
pub(super) fn to_page(app: &App) -> Response {
    Redirect::to(&format!("{}{PATH}", app.base_path())).into_response()
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if !is_ours(&app, &headers) {
        return foreign(&app);
    }
    let session = match session(&app, &headers).await {
        Ok(session) => session,
        Err(error) => return broken(&app, &error),
    };
    if let Some(session) = session {
        let ended = user_sessions::end(&app, session.actor.user_id, session.id).await;
        // One that ended meanwhile is as good.
        if let Err(error) = ended
            && !matches!(error, Error::NotFound)
        {
            return broken(&app, &error);
        }
    }
    let mut answer = to_page(&app);
    SESSION.set(&app, &mut answer, "", std::time::Duration::ZERO);
    answer
}

/// The session whose cookie a request shows, if it goes on.
pub(super) async fn session(app: &App, headers: &HeaderMap) -> Result<Option<Session>> {
    match SESSION.read(app, headers) {
        Some(text) => user_sessions::resume(app, text.expose_secret()).await,
        None => Ok(None),
    }
}

fn foreign(app: &App) -> Response {
    let text = "Nothing was done. Open this page yourself and press the button here.".to_owned();
    let title = "That did not come from this page";
    page(app, StatusCode::FORBIDDEN, title, text, None)
}

fn broken(app: &App, error: &Error) -> Response {
    tracing::error!(?error, "a user cannot sign in or out");
    let text = "It was not your doing. Try again in a minute.".to_owned();
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    page(app, status, "Something went wrong here", text, None)
}

fn page(
    app: &App,
    status: StatusCode,
    title: &'static str,
    text: String,
    who: Option<String>,
) -> Response {
    let base = app.base_path();
    let page = Page {
        title,
        text,
        base: base.to_owned(),
        who,
        may_sign_up: app.config.dashboard.sign_up,
        home: dashboard::PATH,
        icon: format!(
            "{base}{}/assets/{}",
            dashboard::PATH,
            assets::address("mark.svg")
        ),
        leaves: title == SIGN_OUT,
    };
    lone::show(status, &page, Forms::ToTikTok(app))
}
