//! Signing in at the provider of identities: the way there and back.
//!
//! The address that the provider leads back to holds a code, so no page is ever shown at it: whatever it
//! comes to is a redirect. The cookie of a session is strict, and a browser that comes from the provider's
//! page would not show it; the page after the callback is ours, and what it leads on to does.

use axum::{
    extract::{Query, RawQuery, State},
    http::{Extensions, HeaderMap},
    response::{IntoResponse, Redirect, Response},
};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::{
    Console, page,
    session::{inside, is_from_elsewhere, too_often, with_next},
};
use crate::{
    domain::single_sign_on::{self, NotSignedIn},
    http::{
        caller,
        cookies::{CONSOLE, keep_operators_browser, operators_browser},
    },
};

/// Where somebody means to go.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
}

/// Leads the browser to the provider.
pub(super) async fn start(
    State(console): State<Console>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let next = inside(&asked.next);
    // The button is on a page of ours.
    if is_from_elsewhere(&headers) {
        let address = with_next(&format!("{}/sign-in", console.base), next);
        return Redirect::to(&address).into_response();
    }
    let app = &console.app;
    let source = caller::source(&headers, &extensions, app.config.http.proxies);
    let browser = operators_browser(app, &headers).unwrap_or_default();
    match single_sign_on::begin(app, &browser, next, source).await {
        Ok(address) => {
            let mut answer = Redirect::to(address.as_str()).into_response();
            keep_operators_browser(app, &mut answer, &console.base, &browser);
            answer
        }
        Err(NotSignedIn::TooOften(wait)) => too_often(&console, next.to_owned(), wait),
        Err(error) => refused(&console, &error),
    }
}

/// Takes the browser back from the provider.
pub(super) async fn callback(
    State(console): State<Console>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let app = &console.app;
    let source = caller::source(&headers, &extensions, app.config.http.proxies);
    let browser = operators_browser(app, &headers);
    let query = query.as_deref().unwrap_or_default();
    match single_sign_on::arrive(app, query, browser.as_ref(), source).await {
        Ok(arrived) => {
            let address = with_next(&format!("{}/oidc/done", console.base), &arrived.next);
            let mut answer = Redirect::to(&address).into_response();
            let (text, life) = (&arrived.session.cookie, arrived.session.life);
            CONSOLE.set_at(app, &mut answer, &console.base, text.expose_secret(), life);
            answer
        }
        Err(error) => refused(&console, &error),
    }
}

/// Leads on into the console.
pub(super) async fn done(State(console): State<Console>, Query(asked): Query<Asked>) -> Response {
    page::signed_in(&console, inside(&asked.next))
}

/// To the page to sign in, which says why by a word in its address.
fn refused(console: &Console, error: &NotSignedIn) -> Response {
    if let NotSignedIn::Internal(error) = error {
        tracing::error!(?error, "an operator cannot be signed in");
    }
    let word = word(error);
    Redirect::to(&format!("{}/sign-in?refused={word}", console.base)).into_response()
}

fn word(error: &NotSignedIn) -> &'static str {
    match error {
        NotSignedIn::Off => "off",
        NotSignedIn::TooOften(_) => "too_often",
        NotSignedIn::Denied => "denied",
        NotSignedIn::Failed => "failed",
        NotSignedIn::Malformed => "malformed",
        NotSignedIn::UnknownState => "unknown",
        NotSignedIn::UsedState => "used",
        NotSignedIn::ExpiredState => "expired",
        NotSignedIn::OtherBrowser => "other_browser",
        NotSignedIn::Unreachable => "unreachable",
        NotSignedIn::NotBelieved => "not_believed",
        NotSignedIn::NoRole => "no_role",
        NotSignedIn::Revoked => "revoked",
        NotSignedIn::Leaving => "leaving",
        NotSignedIn::Internal(_) => "internal",
    }
}

/// What the page to sign in says for a word, whoever put it there: the words are ours and so are the
/// sentences.
pub(super) fn sentence(word: &str) -> Option<&'static str> {
    Some(match word {
        "off" => "Signing in at a provider is not set up here. Sign in with a key.",
        "too_often" => "Too many tries from your address. Wait a minute, then try again.",
        "denied" => {
            "You called it off at the provider, so nobody was signed in. Press the button to try again."
        }
        "failed" => {
            "The provider could not sign you in. Try again; if it stays, ask whoever runs the provider."
        }
        "malformed" => {
            "The address you came back with lacks a part that the provider adds. Press the button to start again."
        }
        "unknown" => {
            "This sign-in was not begun here, or too long ago. Press the button to start again."
        }
        "used" => {
            "This sign-in was used already; each works once. Press the button to start again."
        }
        "expired" => "You took more than ten minutes. Press the button to start again.",
        "other_browser" => {
            "Another browser began this sign-in. Begin and end it in the same one, with cookies allowed. If you began nothing, somebody else did: do not follow their link again."
        }
        "unreachable" => {
            "The provider does not answer. Try again in a minute, or sign in with a key; the log says more."
        }
        "not_believed" => {
            "What the provider answered is not to be believed, so nobody was signed in. Try again; if it stays, the log says what is wrong with it."
        }
        "no_role" => {
            "You are known at the provider, but none of your groups gives a role here. Ask an admin to put you into one that console.oidc names, then sign in again."
        }
        "revoked" => {
            "You were an operator here and somebody ended that. Only an admin can take it back, by `clipqueue operator restore`."
        }
        "leaving" => {
            "What is stored of you here is being deleted at this moment. Try again in some minutes."
        }
        "internal" => "Something went wrong here. The log says what; try again.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::error::Error;

    #[test]
    fn every_refusal_has_a_sentence_and_other_words_have_none() {
        let all = [
            NotSignedIn::Off,
            NotSignedIn::TooOften(Duration::ZERO),
            NotSignedIn::Denied,
            NotSignedIn::Failed,
            NotSignedIn::Malformed,
            NotSignedIn::UnknownState,
            NotSignedIn::UsedState,
            NotSignedIn::ExpiredState,
            NotSignedIn::OtherBrowser,
            NotSignedIn::Unreachable,
            NotSignedIn::NotBelieved,
            NotSignedIn::NoRole,
            NotSignedIn::Revoked,
            NotSignedIn::Leaving,
            NotSignedIn::Internal(Error::NotFound),
        ];
        let mut words: Vec<&str> = all.iter().map(word).collect();
        assert!(words.iter().all(|word| sentence(word).is_some()));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all.len());
        for other in ["", "x", "<script>", "no_role "] {
            assert_eq!(sentence(other), None);
        }
    }
}
