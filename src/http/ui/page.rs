//! The console's pages: their frame, the page to sign in, and the pages for what went wrong.

use askama::Template;
use axum::{
    Extension,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};

use super::{Console, session::Visit, show::When};
use crate::{
    domain::error::{Error, Result},
    http::frame::{self, Site, message, render},
};

pub(super) use crate::http::frame::sentence;

/// The parts of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Jobs,
    Discarded,
    Held,
    Posts,
    Crons,
    Bulk,
    Erasures,
    Retention,
    Audit,
    Elsewhere,
}

static SITE: Site<Place> = Site {
    name: "Console",
    home: "Go to the overview",
    has_scripts: true,
    signs_out_at_once: true,
    links: &[
        (Place::Overview, "", "Overview"),
        (Place::Jobs, "/jobs", "Jobs"),
        (Place::Discarded, "/jobs?state=discarded", "Discarded"),
        (Place::Held, "/jobs?state=held", "Held"),
        (Place::Posts, "/posts", "Posts"),
        (Place::Crons, "/crons", "Crons"),
        (Place::Bulk, "/bulk", "Bulk"),
        (Place::Erasures, "/erasures", "Erasures"),
        (Place::Retention, "/retention", "Retention"),
        (Place::Audit, "/audit", "Audit"),
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
            may_act: visit.may_act(),
            may_all: visit.may_all(),
            ..Self::outside(&visit.console)
        }
    }

    fn outside(console: &Console) -> Self {
        let now = console.app.clock.now();
        Self {
            site: &SITE,
            base: console.base.to_string(),
            now: When::new(now, now),
            here: Place::Elsewhere,
            who: None,
            sign_out: format!("{}/sign-out", console.base),
            may_act: false,
            may_all: false,
        }
    }
}

/// What the page to sign in says.
#[derive(Debug, Default)]
pub(super) struct SignIn {
    pub(super) next: String,
    pub(super) problem: Option<String>,
    pub(super) signed_out: bool,
    pub(super) from_elsewhere: bool,
}

/// The way to sign in without a key.
struct Provider {
    label: String,
    address: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    form: SignIn,
    provider: Option<Provider>,
}

#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedInPage {
    frame: Frame,
    next: String,
}

/// The page to sign in.
pub(super) fn sign_in(console: &Console, status: StatusCode, form: SignIn) -> Response {
    let provider = console.app.oidc.as_ref().map(|provider| Provider {
        label: provider.settings().label.clone(),
        address: super::session::with_next(&format!("{}/oidc/start", console.base), &form.next),
    });
    let page = SignInPage {
        frame: Frame::outside(console),
        form,
        provider,
    };
    render(status, &page)
}

/// The page that leads on into the console, to a page behind `/ops`.
pub(super) fn signed_in(console: &Console, next: &str) -> Response {
    let page = SignedInPage {
        frame: Frame::outside(console),
        next: next.to_owned(),
    };
    render(StatusCode::OK, &page)
}

/// A page that says one thing to whomever.
pub(super) fn plain(console: &Console, status: StatusCode, title: &str, text: &str) -> Response {
    message(
        Frame::outside(console),
        status,
        title,
        vec![text.to_owned()],
    )
}

/// A page about what was refused to whoever visits.
pub(super) fn refused(visit: &Visit, error: &Error) -> Response {
    failed(Frame::new(visit, Place::Elsewhere), error)
}

/// A page about a failure of ours, which is logged and not shown.
pub(super) fn broken(console: &Console, error: &Error) -> Response {
    failed(Frame::outside(console), error)
}

/// Answers with the page that was made, or says why there is none.
pub(super) fn answer<T: Template>(visit: &Visit, page: Result<T>) -> Response {
    match page {
        Ok(page) => render(StatusCode::OK, &page),
        Err(error) => refused(visit, &error),
    }
}

/// Answers an act: goes on to `path`, or says why it was not carried out.
pub(super) fn acted<T>(visit: &Visit, done: Result<T>, path: impl FnOnce(T) -> String) -> Response {
    match done {
        Ok(done) => {
            let address = format!("{}{}", visit.console.base, path(done));
            Redirect::to(&address).into_response()
        }
        Err(error) => refused(visit, &error),
    }
}

fn failed(frame: Frame, error: &Error) -> Response {
    let (status, title, sentences) = match error {
        Error::NotFound => (
            StatusCode::NOT_FOUND,
            "It is not here",
            vec!["There is none of that id, or it was deleted: finished jobs are kept for some days.".to_owned()],
        ),
        Error::Forbidden(scope) => (
            StatusCode::FORBIDDEN,
            "Your role does not allow that",
            vec![format!("It needs the scope {scope}; nothing was done. An admin can give you another role.")],
        ),
        Error::Refused(refusals) => (
            StatusCode::CONFLICT,
            "Nothing was done",
            refusals.iter().map(|refusal| sentence(&refusal.message)).collect(),
        ),
        Error::Internal(error) => {
            tracing::error!(?error, "a page of the console failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here",
                vec!["The log says what. Try again; look at /readyz if it stays.".to_owned()],
            )
        }
    };
    message(frame, status, title, sentences)
}

/// For an address that leads to no page.
pub(super) async fn nothing_here(Extension(visit): Extension<Visit>) -> Response {
    let frame = Frame::new(&visit, Place::Elsewhere);
    let text = "The address leads to no page of the console.";
    message(
        frame,
        StatusCode::NOT_FOUND,
        "No such page",
        vec![text.to_owned()],
    )
}
