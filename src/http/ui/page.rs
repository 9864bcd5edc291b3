//! What every page has: the frame, the headers for browsers, and the pages for what went wrong.

use askama::Template;
use axum::{
    Extension,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
};

use super::{Console, assets, session::Visit, show::When};
use crate::domain::error::{Error, Result};

/// Files of our own and nothing else; nothing inline, nothing evaluated, no frame, no foreign form.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Adds what browsers must know about every answer of the console.
pub(in crate::http) async fn dress(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    let fixed: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    answer
}

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

/// One entry of the navigation.
pub(super) struct Link {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    pub(super) is_here: bool,
}

/// The frame of a page.
pub(super) struct Frame {
    pub(super) base: String,
    pub(super) now: When,
    here: Place,
    /// Who is signed in; nobody on the page to sign in.
    pub(super) who: Option<String>,
    pub(super) may_act: bool,
    pub(super) may_all: bool,
}

impl Frame {
    /// The frame around `here` for whoever visits.
    pub(super) fn new(visit: &Visit, here: Place) -> Self {
        Self {
            base: visit.console.base.to_string(),
            now: When::new(visit.now, visit.now),
            here,
            who: Some(visit.actor().user_name.clone()),
            may_act: visit.may_act(),
            may_all: visit.may_all(),
        }
    }

    fn outside(console: &Console) -> Self {
        let now = console.app.clock.now();
        Self {
            base: console.base.to_string(),
            now: When::new(now, now),
            here: Place::Elsewhere,
            who: None,
            may_act: false,
            may_all: false,
        }
    }

    /// The address of a file of the console.
    pub(super) fn asset(&self, name: &str) -> String {
        format!("{}/assets/{}", self.base, assets::address(name))
    }

    /// The navigation.
    pub(super) fn links(&self) -> Vec<Link> {
        [
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

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    frame: Frame,
    title: String,
    sentences: Vec<String>,
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

fn message(frame: Frame, status: StatusCode, title: &str, sentences: Vec<String>) -> Response {
    let page = MessagePage {
        frame,
        title: title.to_owned(),
        sentences,
    };
    render(status, &page)
}

/// A page, or the part of one that a script asked for.
pub(in crate::http) fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Answers with the page that was made, or says why there is none.
pub(super) fn answer<T: Template>(visit: &Visit, page: Result<T>) -> Response {
    match page {
        Ok(page) => render(StatusCode::OK, &page),
        Err(error) => failed(Frame::new(visit, Place::Elsewhere), &error),
    }
}

/// Answers an act: goes on to `path`, or says why it was not carried out.
pub(super) fn acted<T>(visit: &Visit, done: Result<T>, path: impl FnOnce(T) -> String) -> Response {
    match done {
        Ok(done) => {
            let address = format!("{}{}", visit.console.base, path(done));
            Redirect::to(&address).into_response()
        }
        Err(error) => failed(Frame::new(visit, Place::Elsewhere), &error),
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

/// A refusal as a sentence of its own.
pub(in crate::http) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let dot = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!(
        "{}{}{dot}",
        first.map(String::from_iter).unwrap_or_default(),
        letters.as_str()
    )
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
