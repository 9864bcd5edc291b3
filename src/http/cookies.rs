//! The cookies that are set, in one manner: for this host alone, unreadable for scripts, and over https
//! with the prefix that lets no other host and no plain http set them.

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    app::App,
    domain::{
        connect::{Browser, STATE_TTL},
        single_sign_on,
    },
};

/// A user's session. Lax: the redirect from TikTok's page must find it on the page that it leads to.
pub(super) const SESSION: Cookie = Cookie {
    secure: "__Host-clipqueue-session",
    plain: "clipqueue-session",
    same_site: "Lax",
};
/// What ties a consent to the browser that began it. Lax, for it comes back from TikTok.
const BROWSER: Cookie = Cookie {
    secure: "__Host-clipqueue-consent",
    plain: "clipqueue-consent",
    same_site: "Lax",
};
/// What ties an operator's sign-in at the provider to the browser that began it. Lax, for it comes back
/// from there.
const OPERATORS_BROWSER: Cookie = Cookie {
    secure: "__Host-clipqueue-ops-oidc",
    plain: "clipqueue-ops-oidc",
    same_site: "Lax",
};
/// An operator's session; no foreign page needs to lead to one.
pub(super) const CONSOLE: Cookie = Cookie {
    secure: "__Host-clipqueue-ops",
    plain: "clipqueue-ops",
    same_site: "Strict",
};

/// One cookie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookie {
    secure: &'static str,
    plain: &'static str,
    same_site: &'static str,
}

impl Cookie {
    fn name(&self, app: &App) -> &'static str {
        if is_secure(app) {
            self.secure
        } else {
            self.plain
        }
    }

    /// What a request shows.
    pub(super) fn read(&self, app: &App, headers: &HeaderMap) -> Option<SecretString> {
        let name = self.name(app);
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(of, _)| *of == name)
            .map(|(_, value)| SecretString::from(value))
    }

    /// Sets it on the whole host, as the prefix demands; a life of nothing takes it away.
    pub(super) fn set(&self, app: &App, answer: &mut Response, value: &str, life: Duration) {
        self.set_at(app, answer, "/", value, life);
    }

    /// Sets it below `plain_path` where there is no prefix.
    pub(super) fn set_at(
        &self,
        app: &App,
        answer: &mut Response,
        plain_path: &str,
        value: &str,
        life: Duration,
    ) {
        let (path, secure) = match is_secure(app) {
            true => ("/", "; Secure"),
            false => (plain_path, ""),
        };
        let (name, site, life) = (self.name(app), self.same_site, life.as_secs());
        let text = format!(
            "{name}={value}; Path={path}; Max-Age={life}; HttpOnly; SameSite={site}{secure}"
        );
        if let Ok(mut value) = HeaderValue::from_str(&text) {
            value.set_sensitive(true);
            answer.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// What ties a consent to the browser of a request: what it shows already, or something fresh. Give it back
/// with [`keep_browser`].
pub fn browser(app: &App, headers: &HeaderMap) -> Browser {
    shown_browser(app, headers).unwrap_or_default()
}

/// What ties a consent to the browser of a request, if it shows it.
pub fn shown_browser(app: &App, headers: &HeaderMap) -> Option<Browser> {
    let text = BROWSER.read(app, headers)?;
    Browser::shown(text.expose_secret())
}

/// Lets the browser keep it for as long as a consent is good.
pub fn keep_browser(app: &App, answer: &mut Response, browser: &Browser) {
    BROWSER.set(app, answer, browser.text().expose_secret(), STATE_TTL);
}

/// What ties an operator's sign-in to the browser of a request, if it shows it.
pub(super) fn operators_browser(app: &App, headers: &HeaderMap) -> Option<Browser> {
    let text = OPERATORS_BROWSER.read(app, headers)?;
    Browser::shown(text.expose_secret())
}

/// Lets an operator's browser keep it for as long as a sign-in is good.
pub(super) fn keep_operators_browser(
    app: &App,
    answer: &mut Response,
    plain_path: &str,
    browser: &Browser,
) {
    let text = browser.text().expose_secret();
    let life = single_sign_on::STATE_TTL;
    OPERATORS_BROWSER.set_at(app, answer, plain_path, text, life);
}

fn is_secure(app: &App) -> bool {
    app.config.http.public_url.scheme() == "https"
}
