//! Users with a browser: signing in with TikTok, what the cookie is worth, the dashboard, and a browser
//! that uses it.

mod api;
mod browser;
mod leaving;
mod pages;
mod sign_in;

use axum::Router;
use clipqueue_entities::user_session;
use sea_orm::EntityTrait as _;
use tiktok_sim::{AccountPatch, Consent};

use crate::{
    console::{Answer, OURS, request, router, send},
    support::app::TestApp,
};

/// A person with a browser, by its cookies.
pub(crate) struct Person {
    router: Router,
    jar: Vec<(String, String)>,
}

impl Person {
    /// With a browser that has no cookie yet.
    fn new(t: &TestApp) -> Self {
        Self {
            router: router(t),
            jar: Vec::new(),
        }
    }

    /// Somebody who signed in with the TikTok account `username`.
    async fn signed_in(t: &TestApp, username: &str) -> Self {
        let mut person = Self::new(t);
        let answer = person.sign_in(t, username).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        assert_eq!(answer.header("location"), "/dashboard");
        person
    }

    fn cookies(&self) -> String {
        let pairs = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// The cookie of the session.
    fn session(&self) -> Option<&str> {
        let named = self
            .jar
            .iter()
            .find(|(name, _)| name == "clipqueue-session");
        named.map(|(_, value)| value.as_str())
    }

    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> Answer {
        let cookies = self.cookies();
        let mut all = vec![("cookie", cookies.as_str())];
        all.extend_from_slice(headers);
        let answer = send(&self.router, request(method, path, &all, form)).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.jar.retain(|(of, _)| of != name);
            if !cookie.contains("Max-Age=0") {
                self.jar.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// A page that must be there.
    async fn page(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        answer.body
    }

    /// Presses a button.
    async fn press(&mut self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, &[OURS], form).await
    }

    /// Presses the button to sign in; gives where TikTok sends the browser back to, as a path.
    async fn at_tiktok(&mut self, t: &TestApp, username: &str, consent: &Consent) -> String {
        t.sim.account(username, AccountPatch::default());
        let answer = self.press("/sign-in", "").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let back = t.sim.consent(answer.header("location"), username, consent);
        let public = t.app.config.http.public_url.as_str().trim_end_matches('/');
        back.unwrap().strip_prefix(public).unwrap().to_owned()
    }

    /// Signs in with the TikTok account `username`; gives the answer of the callback.
    async fn sign_in(&mut self, t: &TestApp, username: &str) -> Answer {
        let path = self.at_tiktok(t, username, &Consent::All).await;
        self.get(&path).await
    }
}

/// A value of a hidden field of a page.
fn hidden<'a>(page: &'a str, behind: &str) -> &'a str {
    let at = page
        .find(behind)
        .unwrap_or_else(|| panic!("{behind}: {page}"));
    let rest = &page[at..];
    let rest = &rest[rest.find("name=\"key\" value=\"").unwrap() + 18..];
    &rest[..rest.find('"').unwrap()]
}

async fn sessions(t: &TestApp) -> Vec<user_session::Model> {
    let rows = user_session::Entity::find().all(t.app.db.read()).await;
    rows.unwrap()
}
