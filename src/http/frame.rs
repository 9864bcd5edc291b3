//! The frame that the pages of both sites have, the operators' console and the creators' dashboard: what
//! surrounds a page (`layout.html`), the page that says one thing, and the headers for browsers.
//!
//! A [`Site`] names its parts and what differs. What went wrong, a site says in its own words.

use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse as _, Response},
};

use super::ui::{assets, show::When};

/// Files of our own and nothing else; nothing inline, nothing evaluated, no frame, no foreign form.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Adds what browsers must know about every answer of a site.
pub(super) async fn dress(request: Request, next: Next) -> Response {
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

/// What a site has of its own; `Place` names its parts.
pub(super) struct Site<Place: 'static> {
    /// What its navigation is called.
    pub(super) name: &'static str,
    /// What the way to its first page says.
    pub(super) home: &'static str,
    /// Whether pages bring scripts, and with them licences of others.
    pub(super) has_scripts: bool,
    /// Whether a button signs out; otherwise a link leads to a page that asks first.
    pub(super) signs_out_at_once: bool,
    /// Parts in the navigation: path below the site's first page, and text.
    pub(super) links: &'static [(Place, &'static str, &'static str)],
}

/// One entry of the navigation.
pub(super) struct Link {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    pub(super) is_here: bool,
}

/// The frame of one page.
pub(super) struct Frame<Place: 'static> {
    pub(super) site: &'static Site<Place>,
    /// What stands before every path of the site.
    pub(super) base: String,
    pub(super) now: When,
    pub(super) here: Place,
    /// Who is signed in; nobody on pages for anybody.
    pub(super) who: Option<String>,
    /// Where to sign out.
    pub(super) sign_out: String,
    /// Whether buttons may be pressed.
    pub(super) may_act: bool,
    /// Whether what concerns many jobs at once may be done.
    pub(super) may_all: bool,
}

impl<Place: Copy + PartialEq + 'static> Frame<Place> {
    /// The address of a file.
    pub(super) fn asset(&self, name: &str) -> String {
        format!("{}/assets/{}", self.base, assets::address(name))
    }

    /// The navigation.
    pub(super) fn links(&self) -> Vec<Link> {
        let links = self.site.links.iter();
        links
            .map(|(place, path, text)| Link {
                path,
                text,
                is_here: *place == self.here,
            })
            .collect()
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<Place: Copy + PartialEq + 'static> {
    frame: Frame<Place>,
    title: String,
    sentences: Vec<String>,
}

/// A page that says one thing.
pub(super) fn message<Place: Copy + PartialEq + 'static>(
    frame: Frame<Place>,
    status: StatusCode,
    title: &str,
    sentences: Vec<String>,
) -> Response {
    let page = MessagePage {
        frame,
        title: title.to_owned(),
        sentences,
    };
    render(status, &page)
}

/// A page, or the part of one that a script asked for.
pub(super) fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A refusal as a sentence of its own.
pub(super) fn sentence(text: &str) -> String {
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
