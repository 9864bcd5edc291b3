//! A browser that signs in at a provider, and what is found of it afterwards.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use axum::Router;
use clipqueue::{
    app::OIDC_CALLBACK_PATH,
    clock::Clock,
    config,
    domain::audit::{self, AuditFilter},
    fetch::Patience,
    http::Peer,
    oidc,
};
use clipqueue_entities::{
    UserId, console_session,
    operator::{self},
    operator_identity, user,
};
use sea_orm::EntityTrait as _;
use serde_json::Value;
use url::Url;

use crate::{
    console::{
        Answer, OURS,
        provider::{CLIENT, Provider, SECRET},
        request, router, send,
    },
    support::app::{Stack, TestApp},
};

pub(super) const STAFF: &[&str] = &["staff"];

/// What the product is told of a provider.
pub(super) fn settings(issuer: &str) -> config::Oidc {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    config::Oidc {
        issuer: issuer.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(SECRET.to_owned().into()),
        scopes: list(&["openid", "email", "profile", "groups"]),
        claim: "groups".to_owned(),
        viewer: list(STAFF),
        operator: list(&["on-call"]),
        admin: list(&["root"]),
        label: "Sign in with Main & Co".to_owned(),
    }
}

/// Lets operators of `t` sign in at what `settings` name.
pub(super) fn set_up(t: &mut TestApp, settings: config::Oidc) {
    set_up_with(t, settings, Duration::from_secs(60));
}

/// The same for those who wait for a provider no longer than `patience`.
pub(super) fn set_up_with(t: &mut TestApp, settings: config::Oidc, patience: Duration) {
    let base = t.app.config.http.public_url.as_str().trim_end_matches('/');
    let redirect = format!("{base}{OIDC_CALLBACK_PATH}").parse().unwrap();
    let patience = Patience {
        answer: patience,
        connect: patience,
        silence: patience,
        body: patience,
    };
    let clock = t.app.clock.clone();
    let provider = oidc::Provider::new(settings, redirect, patience, clock);
    t.app.oidc = Some(provider.unwrap());
}

/// A provider, and `t` that knows it.
pub(super) async fn with_provider(t: &mut TestApp) -> Provider {
    let provider = Provider::start("127.0.0.1", Clock::Manual(t.clock.clone())).await;
    set_up(t, settings(&provider.issuer));
    provider
}

/// A browser, by its cookies, at an address of its own.
pub(super) struct Visitor {
    pub(super) router: Router,
    pub(super) jar: Vec<(String, String)>,
    pub(super) peer: SocketAddr,
}

/// Visitors so far.
static VISITORS: AtomicU16 = AtomicU16::new(1);

impl Visitor {
    pub(super) fn new(t: &TestApp) -> Self {
        let [high, low] = VISITORS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Self {
            router: router(t),
            jar: Vec::new(),
            peer: SocketAddr::from(([198, 51, high, low], 999)),
        }
    }

    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> Answer {
        let pairs = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let mut all = vec![("cookie", cookies.as_str())];
        all.extend_from_slice(headers);
        let mut request = request(method, path, &all, form);
        request.extensions_mut().insert(Peer(self.peer));
        let answer = send(&self.router, request).await;
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

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub(super) async fn press(&mut self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, &[OURS], form).await
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let named = self.jar.iter().find(|(of, _)| of == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Presses the button; gives the page of the provider that it leads to.
    pub(super) async fn at_provider(&mut self, next: &str) -> String {
        let answer = self.get(&format!("/ops/oidc/start{next}")).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let page = answer.header("location").to_owned();
        assert!(page.contains("/authorize?"), "{page}");
        page
    }

    /// Follows the way to the provider, signs in there as `who`, and comes back; gives the answer.
    pub(super) async fn sign_in(&mut self, provider: &Provider, who: &Value) -> Answer {
        let page = self.at_provider("").await;
        self.come_back(&provider.sign_in(&page, who)).await
    }

    pub(super) async fn come_back(&mut self, address: &Url) -> Answer {
        let answer = self.get(&path_of(address)).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        assert!(answer.body.is_empty(), "no page is shown where the code is");
        answer
    }

    /// Signs in as `who`, who must be let in.
    pub(super) async fn let_in(t: &TestApp, provider: &Provider, who: &Value) -> Self {
        let mut visitor = Self::new(t);
        let answer = visitor.sign_in(provider, who).await;
        assert_eq!(answer.header("location"), "/ops/oidc/done");
        visitor
    }

    /// Signs in as `who` with a fresh browser, who must not be let in; gives the word for why.
    pub(super) async fn kept_out(t: &TestApp, provider: &Provider, who: &Value) -> String {
        let mut visitor = Self::new(t);
        let answer = visitor.sign_in(provider, who).await;
        assert_eq!(visitor.cookie("clipqueue-ops"), None);
        refused(&answer)
    }
}

pub(super) fn path_of(address: &Url) -> String {
    format!("{}?{}", address.path(), address.query().unwrap_or_default())
}

/// The word for why nobody was signed in.
pub(super) fn refused(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.body);
    let location = answer.header("location");
    let word = location.strip_prefix("/ops/sign-in?refused=");
    word.unwrap_or_else(|| panic!("somebody was let in: {location}"))
        .to_owned()
}

pub(super) async fn sessions(t: &TestApp) -> Vec<console_session::Model> {
    let rows = console_session::Entity::find().all(t.app.db.read()).await;
    rows.unwrap()
}

pub(super) async fn identities(t: &TestApp) -> Vec<operator_identity::Model> {
    let rows = operator_identity::Entity::find().all(t.app.db.read()).await;
    rows.unwrap()
}

pub(super) async fn operators(t: &TestApp) -> Vec<operator::Model> {
    let rows = operator::Entity::find().all(t.app.db.read()).await;
    rows.unwrap()
}

pub(super) async fn name_of(t: &TestApp, id: UserId) -> String {
    let row = user::Entity::find_by_id(id).one(t.app.db.read()).await;
    row.unwrap().unwrap().name
}

/// What was recorded, oldest first.
pub(super) async fn acts(t: &TestApp) -> Vec<String> {
    let entries = audit::list(&t.app, &AuditFilter::default(), None, false, 100).await;
    let actions = entries.unwrap().into_iter().map(|entry| entry.row.action);
    actions.rev().collect()
}

pub(super) async fn start() -> TestApp {
    TestApp::start(Stack::Embedded).await
}
