//! What every page has: the frame, and the pages for what went wrong.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};

use super::{PATH, Site, Visit};
use crate::{
    domain::error::{Error, Result},
    http::ui::{
        assets,
        page::{render, sentence},
        show::When,
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

/// One entry of the navigation.
pub(super) struct Link {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    pub(super) is_here: bool,
}

/// The frame of a page.
pub(super) struct Frame {
    /// What stands before every path outside.
    pub(super) root: String,
    /// What stands before every path of the dashboard.
    pub(super) base: String,
    pub(super) now: When,
    here: Place,
    /// Who is signed in.
    pub(super) who: Option<String>,
}

impl Frame {
    /// The frame around `here` for whoever visits.
    pub(super) fn new(visit: &Visit, here: Place) -> Self {
        Self {
            root: visit.site.root.to_string(),
            base: visit.at(""),
            now: When::new(visit.now, visit.now),
            here,
            who: Some(visit.actor().user_name.clone()),
        }
    }

    fn outside(site: &Site) -> Self {
        let now = site.app.clock.now();
        Self {
            root: site.root.to_string(),
            base: format!("{}{PATH}", site.root),
            now: When::new(now, now),
            here: Place::Elsewhere,
            who: None,
        }
    }

    /// The address of a file.
    pub(super) fn asset(&self, name: &str) -> String {
        format!("{}/assets/{}", self.base, assets::address(name))
    }

    /// The navigation.
    pub(super) fn links(&self) -> Vec<Link> {
        [
            (Place::Home, "", "Accounts"),
            (Place::Posts, "/posts", "Posts"),
            (Place::Keys, "/keys", "API keys"),
            (Place::Data, "/data", "Your data"),
        ]
        .into_iter()
        .map(|(place, path, text)| Link {
            path,
            text,
            is_here: place == self.here,
        })
        .collect()
    }
}

#[derive(Template)]
#[template(path = "dashboard/message.html")]
struct MessagePage {
    frame: Frame,
    title: String,
    sentences: Vec<String>,
}

/// Answers with the page that was made, or says why there is none.
pub(super) fn answer<T: Template>(visit: &Visit, page: Result<T>) -> Response {
    match page {
        Ok(page) => render(StatusCode::OK, &page),
        Err(error) => failed(Frame::new(visit, Place::Elsewhere), &error),
    }
}

/// Answers an act: goes on to the address, or says why it was not carried out.
pub(super) fn acted(visit: &Visit, done: Result<String>) -> Response {
    match done {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(error) => failed(Frame::new(visit, Place::Elsewhere), &error),
    }
}

/// A page about a failure of ours, which is logged and not shown.
pub(super) fn broken(site: &Site, error: &Error) -> Response {
    failed(Frame::outside(site), error)
}

/// For a button that is on a page of somebody else.
pub(super) fn foreign(site: &Site) -> Response {
    message(
        Frame::outside(site),
        StatusCode::FORBIDDEN,
        "That did not come from a page of the dashboard",
        vec!["Nothing was done. Open the dashboard and press the button there.".to_owned()],
    )
}

/// For an address that leads to no page.
pub(super) fn nothing_here(visit: &Visit) -> Response {
    message(
        Frame::new(visit, Place::Elsewhere),
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

fn message(frame: Frame, status: StatusCode, title: &str, sentences: Vec<String>) -> Response {
    let page = MessagePage {
        frame,
        title: title.to_owned(),
        sentences,
    };
    render(status, &page)
}
