//! The dashboard's pages: their frame, and the pages for what went wrong.

use askama::Template;
use axum::{
    Extension,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};

use super::{PATH, Visit};
use crate::{
    app::App,
    domain::error::{Error, Result},
    http::{
        frame::{self, Site, message, render, sentence},
        sign_in,
        ui::show::When,
    },
};

/// The parts of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Home,
    Posts,
    Keys,
    Data,
    Elsewhere,
}

static SITE: Site<Place> = Site {
    name: "Dashboard",
    home: "Go to your accounts",
    has_scripts: false,
    signs_out_at_once: false,
    links: &[
        (Place::Home, "", "Accounts"),
        (Place::Posts, "/posts", "Posts"),
        (Place::Keys, "/keys", "API keys"),
        (Place::Data, "/data", "Your data"),
    ],
};

/// The frame of a page.
pub(super) type Frame = frame::Frame<Place>;

impl Frame {
    /// The frame around `here` for whoever visits.
    pub(super) fn new(visit: &Visit, here: Place) -> Self {
        Self {
            now: When::new(visit.now, visit.now),
            here,
            who: Some(visit.actor().user_name.clone()),
            // All that a creator sees here is the creator's own.
            may_act: true,
            ..Self::outside(&visit.app)
        }
    }

    fn outside(app: &App) -> Self {
        let (root, now) = (app.base_path(), app.clock.now());
        Self {
            site: &SITE,
            base: format!("{root}{PATH}"),
            now: When::new(now, now),
            here: Place::Elsewhere,
            who: None,
            sign_out: format!("{root}{}", sign_in::OUT_PATH),
            may_act: false,
            may_all: false,
        }
    }
}

/// Answers with the page that was made, or says why there is none.
pub(super) fn answer<T: Template>(visit: &Visit, page: Result<T>) -> Response {
    match page {
        Ok(page) => render(StatusCode::OK, &page),
        Err(error) => refused(visit, &error),
    }
}

/// Answers an act: goes on to the address, or says why it was not carried out.
pub(super) fn acted(visit: &Visit, done: Result<String>) -> Response {
    match done {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(error) => refused(visit, &error),
    }
}

/// A page about what was refused to whoever visits.
pub(super) fn refused(visit: &Visit, error: &Error) -> Response {
    failed(Frame::new(visit, Place::Elsewhere), error)
}

/// A page about a failure of ours, which is logged and not shown.
pub(super) fn broken(app: &App, error: &Error) -> Response {
    failed(Frame::outside(app), error)
}

/// For a button that is on a page of somebody else.
pub(super) fn foreign(app: &App) -> Response {
    message(
        Frame::outside(app),
        StatusCode::FORBIDDEN,
        "That did not come from a page of the dashboard",
        vec!["Nothing was done. Open the dashboard and press the button there.".to_owned()],
    )
}

/// For an address that leads to no page.
pub(super) async fn nothing_here(Extension(visit): Extension<Visit>) -> Response {
    message(
        Frame::new(&visit, Place::Elsewhere),
        StatusCode::NOT_FOUND,
        "No such page",
        vec!["The address leads to no page of the dashboard.".to_owned()],
    )
}

fn failed(frame: Frame, error: &Error) -> Response {
    let (status, title, sentences) = match error {
        Error::NotFound => (
            StatusCode::NOT_FOUND,
            "It is not here",
            vec!["There is none of that id among yours, or it was deleted.".to_owned()],
        ),
        Error::Forbidden(scope) => (
            StatusCode::FORBIDDEN,
            "You may not do that",
            vec![format!("It needs the scope {scope}.")],
        ),
        Error::Refused(refusals) => (
            StatusCode::CONFLICT,
            "Nothing was done",
            refusals
                .iter()
                .map(|refusal| match refusal.field.last() {
                    Some(field) => sentence(&format!("{field} {}", refusal.message)),
                    None => sentence(&refusal.message),
                })
                .collect(),
        ),
        Error::Internal(error) => {
            tracing::error!(?error, "a page of the dashboard failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here",
                vec!["It was not your doing. Try again in a minute.".to_owned()],
            )
        }
    };
    message(frame, status, title, sentences)
}
