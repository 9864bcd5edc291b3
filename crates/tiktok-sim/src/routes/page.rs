//! The HTML of the consent page. Plain forms, no script.

use std::fmt::Write as _;

use super::authorize::Asked;
use crate::state::State;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem}\
fieldset{border:1px solid #ccc;border-radius:.5rem;margin:1rem 0}label{display:block;padding:.2rem 0}\
button{font:inherit;padding:.5rem 1.5rem;margin-right:.5rem}.note{color:#666;font-size:.9rem}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    )
}

/// The page that asks who logs in and what the app may do.
pub(crate) fn consent(asked: &Asked, state: &State) -> String {
    let query = serde_urlencoded::to_string(&asked.pairs).unwrap_or_default();
    let mut body = format!(
        "<p>The app <b>{}</b> asks for access to a simulated account.</p>\
         <form method=\"post\"><input type=\"hidden\" name=\"query\" value=\"{}\">\
         <fieldset><legend>Account</legend>",
        escape(&state.config.client_key),
        escape(&query)
    );
    let mut checked = " checked";
    for account in state.accounts.all() {
        let name = escape(&account.username);
        let nickname = escape(&account.nickname);
        let kind = if account.private { "private" } else { "public" };
        // Writing to a String cannot fail.
        let _ = write!(
            body,
            "<label><input type=\"radio\" name=\"account\" value=\"{name}\" required{checked}> \
             {nickname} <span class=\"note\">@{name}, {kind}</span></label>"
        );
        checked = "";
    }
    if !checked.is_empty() {
        body.push_str("<p>No account exists yet. Create one with POST /_sim/accounts.</p>");
    }
    body.push_str("</fieldset><fieldset><legend>Access</legend>");
    for scope in &asked.scopes {
        let scope = escape(scope);
        let _ = write!(
            body,
            "<label><input type=\"checkbox\" name=\"grant\" value=\"{scope}\" checked> {scope}</label>"
        );
    }
    body.push_str(
        "</fieldset><button name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>\
         <p class=\"note\">This is a simulator, not TikTok.</p>",
    );
    page("Log in", &body)
}

/// The error page: it names the parameter, and nothing is sent back to the app.
pub(crate) fn wrong(parameter: &str, why: &str) -> String {
    let body = format!(
        "<p>Correct the following and try again:</p><p><b>{}</b>: {}</p>",
        escape(parameter),
        escape(why)
    );
    page("Something went wrong", &body)
}
