//! The creator's dashboard at `/dashboard`: accounts, posts, keys, what is held, and leaving.
//!
//! Pages that the server renders; they need no script. A page stands on the domain, as GraphQL does, and
//! every button is a mutation too. Whoever has no session is sent to [`sign_in`]. The look
//! and the files are the console's; nothing else is shared with operators.

mod accounts;
mod data;
mod home;
mod keys;
mod page;
mod posts;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post as on_post},
};
use clipqueue_entities::Timestamp;
use secrecy::ExposeSecret as _;

use super::{
    cookies::SESSION,
    erasure,
    same_origin::is_ours,
    sign_in,
    ui::{assets, page::dress},
};
use crate::{
    app::App,
    domain::{
        actor::Actor,
        user_sessions::{self, Session},
    },
};

/// Where it is.
pub const PATH: &str = "/dashboard";
/// No form of it sends more.
const MAX_FORM: usize = 16 * 1024;

/// What every page is given.
#[derive(Clone)]
struct Site {
    app: App,
    /// What stands before every path: that of `http.public_url`.
    root: Arc<str>,
}

/// A request of somebody who is signed in.
#[derive(Clone)]
struct Visit {
    site: Site,
    session: Session,
    now: Timestamp,
}

impl Visit {
    fn app(&self) -> &App {
        &self.site.app
    }

    fn actor(&self) -> &Actor {
        &self.session.actor
    }

    /// The address of a page of the dashboard.
    fn at(&self, path: &str) -> String {
        format!("{}{PATH}{path}", self.site.root)
    }

    /// Where anybody with the code sees how an erasure stands.
    fn erasure(&self, code: &str) -> String {
        format!("{}{}/{code}", self.site.root, erasure::PATH)
    }
}

/// The routes.
pub fn router(app: &App) -> Router {
    let root = app.config.http.public_url.path().trim_end_matches('/');
    let site = Site {
        app: app.clone(),
        root: root.into(),
    };
    Router::new()
        .route(PATH, get(home::show))
        .route("/dashboard/posts", get(posts::show))
        .route(
            "/dashboard/accounts/{id}/disconnect",
            get(accounts::ask).post(accounts::disconnect),
        )
        .route("/dashboard/keys", get(keys::show).post(keys::create))
        .route("/dashboard/keys/{id}/rotate", on_post(keys::rotate))
        .route("/dashboard/keys/{id}/revoke", on_post(keys::revoke))
        .route("/dashboard/data", get(data::show))
        .route("/dashboard/data/export", on_post(data::export))
        .route("/dashboard/sessions/{id}/end", on_post(data::end_session))
        .route("/dashboard/delete", get(data::ask).post(data::delete))
        .route("/dashboard/{*rest}", get(nothing_here))
        .route_layer(middleware::from_fn_with_state(site.clone(), require))
        .route("/dashboard/assets/{name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn(dress))
        .with_state(site)
}

/// Lets in who is signed in and, when something changes, presses a button of ours.
async fn require(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !request.method().is_safe() && !is_ours(&site.app, headers) {
        return page::foreign(&site);
    }
    let resumed = match SESSION.read(&site.app, headers) {
        Some(text) => user_sessions::resume(&site.app, text.expose_secret()).await,
        None => Ok(None),
    };
    match resumed {
        Ok(Some(session)) => {
            let now = site.app.clock.now();
            request
                .extensions_mut()
                .insert(Visit { site, session, now });
            next.run(request).await
        }
        Ok(None) => Redirect::to(&format!("{}{}", site.root, sign_in::PATH)).into_response(),
        Err(error) => page::broken(&site, &error),
    }
}

/// For an address that leads to no page.
async fn nothing_here(Extension(visit): Extension<Visit>) -> Response {
    page::nothing_here(&visit)
}
