//! The creator's dashboard at `/dashboard`: accounts, posts, keys, what is held, and leaving.
//!
//! Pages that the server renders; they need no script. A page stands on the domain, as GraphQL does, and
//! every button is a mutation too. Whoever has no session is sent to [`sign_in`]. The frame
//! of pages, their look and the files are shared with the console; nothing else is.

mod accounts;
mod data;
mod home;
mod keys;
mod page;
mod posts;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post as on_post},
};
use clipqueue_entities::Timestamp;

use super::{frame::dress, same_origin::is_ours, sign_in, ui::assets};
use crate::{
    app::App,
    domain::{actor::Actor, user_sessions::Session},
};

/// Where it is.
pub const PATH: &str = "/dashboard";
/// No form of it sends more.
const MAX_FORM: usize = 16 * 1024;

/// A request of somebody who is signed in.
#[derive(Clone)]
struct Visit {
    app: App,
    session: Session,
    now: Timestamp,
}

impl Visit {
    fn actor(&self) -> &Actor {
        &self.session.actor
    }

    /// The address of a page of the dashboard.
    fn at(&self, path: &str) -> String {
        format!("{}{PATH}{path}", self.app.base_path())
    }

    /// Where anybody with the code sees how an erasure stands.
    fn erasure(&self, code: &str) -> String {
        self.app.erasure_url(code).path().to_owned()
    }
}

/// The routes.
pub fn router(app: &App) -> Router {
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
        .route("/dashboard/{*rest}", get(page::nothing_here))
        .route_layer(middleware::from_fn_with_state(app.clone(), require))
        .route("/dashboard/assets/{name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn(dress))
        .with_state(app.clone())
}

/// Lets in who is signed in and, when something changes, presses a button of ours.
async fn require(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !request.method().is_safe() && !is_ours(&app, headers) {
        return page::foreign(&app);
    }
    match sign_in::session(&app, headers).await {
        Ok(Some(session)) => {
            let now = app.clock.now();
            request.extensions_mut().insert(Visit { app, session, now });
            next.run(request).await
        }
        Ok(None) => sign_in::to_page(&app),
        Err(error) => page::broken(&app, &error),
    }
}
