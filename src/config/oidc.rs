//! `[console.oidc]`: operators who sign in at a provider of identities, by OpenID Connect.

use clipqueue_entities::operator::Role;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::reader::Reader;
use crate::fetch::leads_here;

/// The scope without which it is not OpenID Connect.
const OPENID: &str = "openid";
/// The longest text on the button.
const MAX_LABEL: usize = 60;

/// `[console.oidc]`
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The provider's issuer identifier, letter by letter as its ID tokens name it.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// Our secret there; a public client has none.
    pub client_secret: Option<SecretString>,
    /// The scopes to ask for, `openid` among them.
    pub scopes: Vec<String>,
    /// The claim whose values give roles.
    pub claim: String,
    /// Values that make a viewer.
    pub viewer: Vec<String>,
    /// Values that make an operator.
    pub operator: Vec<String>,
    /// Values that make an admin.
    pub admin: Vec<String>,
    /// What the button says.
    pub label: String,
}

impl Oidc {
    /// The highest role that one of `values` gives; values are compared letter by letter.
    pub fn role(&self, values: &[String]) -> Option<Role> {
        [
            (&self.admin, Role::Admin),
            (&self.operator, Role::Operator),
            (&self.viewer, Role::Viewer),
        ]
        .into_iter()
        .find(|(giving, _)| giving.iter().any(|value| values.contains(value)))
        .map(|(_, role)| role)
    }

    /// Whether the provider is asked by plain http, on this machine.
    pub fn is_plain(&self) -> bool {
        self.issuer.starts_with("http:")
    }
}

/// Reads the section; nothing, when it names no issuer.
pub(super) fn oidc(r: &mut Reader<'_>) -> Option<Oidc> {
    let value = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
    let example = "a value of the claim such as clipqueue-admins";
    let oidc = Oidc {
        issuer: r
            .parsed(
                "console.oidc.issuer",
                "empty, or the provider's issuer: an https address without user, query and fragment (plain http for this machine alone)",
                issuer,
            )
            .unwrap_or_default(),
        client_id: r.text("console.oidc.client_id"),
        client_secret: Some(r.secret("console.oidc.client_secret"))
            .filter(|secret| !secret.expose_secret().is_empty()),
        scopes: r.parsed_list("console.oidc.scopes", "a scope such as profile", scope),
        claim: r.text("console.oidc.claim"),
        viewer: r.parsed_list("console.oidc.viewer", example, value),
        operator: r.parsed_list("console.oidc.operator", example, value),
        admin: r.parsed_list("console.oidc.admin", example, value),
        label: r.text("console.oidc.label"),
    };
    if r.has_problem("console.oidc.issuer") {
        return None;
    }
    if oidc.issuer.is_empty() {
        // Whoever fills in the rest means to have it.
        for (key, is_given) in [
            ("console.oidc.client_id", !oidc.client_id.is_empty()),
            ("console.oidc.viewer", !oidc.viewer.is_empty()),
            ("console.oidc.operator", !oidc.operator.is_empty()),
            ("console.oidc.admin", !oidc.admin.is_empty()),
        ] {
            if is_given {
                r.problem(key, "needs console.oidc.issuer, which is empty");
            }
        }
        return None;
    }
    check(&oidc, r);
    Some(oidc)
}

fn check(oidc: &Oidc, r: &mut Reader<'_>) {
    if oidc.client_id.trim().is_empty() && !r.has_problem("console.oidc.client_id") {
        r.problem(
            "console.oidc.client_id",
            "is empty; register Clipqueue at the provider, which shows it",
        );
    }
    if !r.has_problem("console.oidc.scopes") && !oidc.scopes.iter().any(|scope| scope == OPENID) {
        r.problem("console.oidc.scopes", "must hold openid");
    }
    if oidc.claim.trim().is_empty() && !r.has_problem("console.oidc.claim") {
        r.problem(
            "console.oidc.claim",
            "is empty; name the claim of the ID token whose values give roles",
        );
    }
    let lists = ["viewer", "operator", "admin"].map(|list| format!("console.oidc.{list}"));
    let is_empty = oidc.viewer.is_empty() && oidc.operator.is_empty() && oidc.admin.is_empty();
    if is_empty && !lists.iter().any(|key| r.has_problem(key)) {
        r.problem(
            "console.oidc.admin",
            "and viewer and operator are empty, so nobody would get a role; name values of the claim in one of them",
        );
    }
    let fits = !oidc.label.trim().is_empty()
        && oidc.label.chars().count() <= MAX_LABEL
        && !oidc.label.chars().any(char::is_control);
    if !fits && !r.has_problem("console.oidc.label") {
        r.problem("console.oidc.label", "must have 1 to 60 characters");
    }
}

/// The text itself: a slash at its end belongs to the name.
fn issuer(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let url = Url::parse(text).ok()?;
    let fits = url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && leads_here(&url));
    (fits && is_safe).then(|| text.to_owned())
}

/// What RFC 6749 lets a scope consist of.
fn scope(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'));
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Oidc {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Oidc {
            issuer: "https://id.example".to_owned(),
            client_id: "clipqueue".to_owned(),
            client_secret: None,
            scopes: list(&["openid"]),
            claim: "groups".to_owned(),
            viewer: list(&["staff", "guests"]),
            operator: list(&["on-call"]),
            admin: list(&["root"]),
            label: "Sign in".to_owned(),
        }
    }

    #[test]
    fn the_highest_role_of_all_values_wins_and_no_value_is_no_role() {
        let oidc = sample();
        let role = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            oidc.role(&values)
        };
        assert_eq!(role(&["guests"]), Some(Role::Viewer));
        assert_eq!(role(&["other", "on-call", "staff"]), Some(Role::Operator));
        assert_eq!(role(&["staff", "root", "on-call"]), Some(Role::Admin));
        for values in [&[][..], &["other"], &["Root"], &["root "], &["roo"], &[""]] {
            assert_eq!(role(values), None, "{values:?}");
        }
    }

    #[test]
    fn a_value_in_two_lists_gives_the_higher_role() {
        let mut oidc = sample();
        oidc.viewer.push("root".to_owned());
        assert_eq!(oidc.role(&["root".to_owned()]), Some(Role::Admin));
    }

    #[test]
    fn an_issuer_is_taken_as_it_is_written_or_not_at_all() {
        for good in [
            "",
            "https://id.example",
            "https://id.example/",
            "https://id.example:8443/realms/main",
            "http://127.0.0.1:8081/realms/main",
            "http://localhost:8081",
        ] {
            assert_eq!(issuer(good).as_deref(), Some(good));
        }
        for bad in [
            "id.example",
            "http://id.example",
            "http://10.0.0.1/",
            "ftp://127.0.0.1/",
            "https://user:word@id.example",
            "https://id.example/?realm=main",
            "https://id.example/#main",
            "https://id.example/a b",
        ] {
            assert_eq!(issuer(bad), None, "{bad}");
        }
    }
}
