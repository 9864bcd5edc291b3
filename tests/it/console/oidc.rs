//! Operators who sign in at a provider of identities: who gets in, as whom, with which role, and every way
//! in which nobody does.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::Router;
use clipqueue::{
    app::OIDC_CALLBACK_PATH,
    clock::Clock,
    config,
    domain::{
        actor::{Actor, Scope},
        api_keys,
        audit::{self, AuditFilter},
        erasure, retention, roles, single_sign_on,
    },
    fetch::Patience,
    http::Peer,
    oidc,
};
use clipqueue_entities::{
    UserId, console_session,
    operator::{self, Role},
    operator_identity, operator_sign_in, user,
};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Answer, OURS,
    devtools::Browser,
    provider::{CLIENT, Fault, Provider, SECRET, Sign, TOKEN_LIFE, person},
    request, router, send,
};
use crate::{
    on_both_stacks,
    support::app::{Stack, TestApp},
};

on_both_stacks!(
    an_operator_signs_in_without_a_key_and_out,
    each_role_is_what_the_claim_gives,
    a_role_follows_the_claim_and_goes_with_it,
    whom_the_command_line_revoked_stays_revoked,
    a_state_is_good_once_for_its_browser_and_for_ten_minutes,
    two_first_sign_ins_at_once_make_one_operator,
    tries_are_counted_by_address,
    an_operator_who_is_erased_is_nobody_afterwards,
);

const STAFF: &[&str] = &["staff"];

/// What the product is told of a provider.
fn settings(issuer: &str) -> config::Oidc {
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
fn set_up(t: &mut TestApp, settings: config::Oidc) {
    let base = t.app.config.http.public_url.as_str().trim_end_matches('/');
    let redirect = format!("{base}{OIDC_CALLBACK_PATH}").parse().unwrap();
    let patience = Patience {
        answer: Duration::from_millis(500),
        connect: Duration::from_millis(500),
        silence: Duration::from_millis(500),
        body: Duration::from_secs(5),
    };
    let clock = t.app.clock.clone();
    let provider = oidc::Provider::new(settings, redirect, patience, clock);
    t.app.oidc = Some(provider.unwrap());
}

/// A provider, and `t` that knows it.
async fn with_provider(t: &mut TestApp) -> Provider {
    let provider = Provider::start("127.0.0.1", Clock::Manual(t.clock.clone())).await;
    set_up(t, settings(&provider.issuer));
    provider
}

/// A browser, by its cookies, at an address of its own.
struct Visitor {
    router: Router,
    jar: Vec<(String, String)>,
    peer: SocketAddr,
}

/// Visitors so far.
static VISITORS: AtomicU16 = AtomicU16::new(1);

impl Visitor {
    fn new(t: &TestApp) -> Self {
        let [high, low] = VISITORS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Self {
            router: router(t),
            jar: Vec::new(),
            peer: SocketAddr::from(([198, 51, high, low], 999)),
        }
    }

    async fn ask(
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

    async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    async fn press(&mut self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, &[OURS], form).await
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let named = self.jar.iter().find(|(of, _)| of == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Presses the button; gives the page of the provider that it leads to.
    async fn at_provider(&mut self, next: &str) -> String {
        let answer = self.get(&format!("/ops/oidc/start{next}")).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let page = answer.header("location").to_owned();
        assert!(page.contains("/authorize?"), "{page}");
        page
    }

    /// Follows the way to the provider, signs in there as `who`, and comes back; gives the answer.
    async fn sign_in(&mut self, provider: &Provider, who: &Value) -> Answer {
        let page = self.at_provider("").await;
        self.come_back(&provider.sign_in(&page, who)).await
    }

    async fn come_back(&mut self, address: &Url) -> Answer {
        let answer = self.get(&path_of(address)).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        assert!(answer.body.is_empty(), "no page is shown where the code is");
        answer
    }

    /// Signs in as `who`, who must be let in.
    async fn let_in(t: &TestApp, provider: &Provider, who: &Value) -> Self {
        let mut visitor = Self::new(t);
        let answer = visitor.sign_in(provider, who).await;
        assert_eq!(answer.header("location"), "/ops/oidc/done");
        visitor
    }

    /// Signs in as `who` with a fresh browser, who must not be let in; gives the word for why.
    async fn kept_out(t: &TestApp, provider: &Provider, who: &Value) -> String {
        let mut visitor = Self::new(t);
        let answer = visitor.sign_in(provider, who).await;
        assert_eq!(visitor.cookie("clipqueue-ops"), None);
        refused(&answer)
    }
}

fn path_of(address: &Url) -> String {
    format!("{}?{}", address.path(), address.query().unwrap_or_default())
}

/// The word for why nobody was signed in.
fn refused(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.body);
    let location = answer.header("location");
    let word = location.strip_prefix("/ops/sign-in?refused=");
    word.unwrap_or_else(|| panic!("somebody was let in: {location}"))
        .to_owned()
}

async fn sessions(t: &TestApp) -> Vec<console_session::Model> {
    let rows = console_session::Entity::find().all(t.app.db.read()).await;
    rows.unwrap()
}

async fn identities(t: &TestApp) -> Vec<operator_identity::Model> {
    let rows = operator_identity::Entity::find().all(t.app.db.read()).await;
    rows.unwrap()
}

async fn operators(t: &TestApp) -> Vec<operator::Model> {
    let rows = operator::Entity::find().all(t.app.db.read()).await;
    rows.unwrap()
}

async fn name_of(t: &TestApp, id: UserId) -> String {
    let row = user::Entity::find_by_id(id).one(t.app.db.read()).await;
    row.unwrap().unwrap().name
}

/// What was recorded, oldest first.
async fn acts(t: &TestApp) -> Vec<String> {
    let entries = audit::list(&t.app, &AuditFilter::default(), None, false, 100).await;
    let actions = entries.unwrap().into_iter().map(|entry| entry.row.action);
    actions.rev().collect()
}

async fn start() -> TestApp {
    TestApp::start(Stack::Embedded).await
}

async fn an_operator_signs_in_without_a_key_and_out(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let mut ada = Visitor::new(&t);
    let page = ada.get("/ops/sign-in?next=%2Fjobs%3Fstate%3Dheld").await;
    let button = "<a class=\"button main\" id=\"provider\" \
                  href=\"/ops/oidc/start?next=%2Fjobs%3Fstate%3Dheld\">Sign in with Main &#38; Co</a>";
    assert!(page.body.contains(button), "{}", page.body);
    let page = ada.at_provider("?next=%2Fjobs%3Fstate%3Dheld").await;
    assert!(page.starts_with(&format!("{}/authorize?", provider.issuer)));
    assert!(ada.cookie("clipqueue-ops-oidc").is_some());

    let back = provider.sign_in(&page, &person("ada-1", "ada", STAFF));
    let answer = ada.come_back(&back).await;
    assert_eq!(
        answer.header("location"),
        "/ops/oidc/done?next=%2Fjobs%3Fstate%3Dheld"
    );
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("clipqueue-ops="), "{cookie}");
    for word in [
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/ops",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(word), "{word}: {cookie}");
    }
    // The page after the callback is ours and leads on, for the cookie is not shown on the way from elsewhere.
    let page = ada.get(answer.header("location")).await;
    assert!(
        page.body
            .contains("<meta http-equiv=\"refresh\" content=\"0; url=/ops/jobs?state=held\">"),
        "{}",
        page.body
    );

    let known = identities(&t).await;
    assert_eq!(known.len(), 1);
    assert_eq!(
        (known[0].issuer.as_str(), known[0].subject.as_str()),
        (provider.issuer.as_str(), "ada-1")
    );
    let user = known[0].user_id;
    let name = name_of(&t, user).await;
    assert!(name.starts_with("ada-") && name.len() == 12, "{name}");
    let page = ada.get("/ops").await;
    assert!(page.status == 200 && page.body.contains(&name) && page.body.contains("may look only"));
    let rows = sessions(&t).await;
    assert_eq!(
        (rows.len(), rows[0].key_id, rows[0].user_id),
        (1, None, Some(user))
    );
    // Nobody has a key by that.
    assert!(api_keys::list(&t.app, user).await.unwrap().is_empty());

    let answer = ada.press("/ops/sign-out", "").await;
    assert_eq!(answer.header("location"), "/ops/sign-in?out=1");
    assert!(sessions(&t).await.is_empty());
    assert_eq!(ada.get("/ops").await.status, 303);
    assert_eq!(
        acts(&t).await,
        ["operator.add", "console.sign_in", "console.sign_out"]
    );
    // Discovered once.
    assert_eq!(provider.count("/.well-known/openid-configuration"), 1);
    assert_eq!((provider.count("/keys"), provider.count("/token")), (1, 1));
}

async fn each_role_is_what_the_claim_gives(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    for (name, groups, role) in [
        ("vera", &["other", "staff"][..], Role::Viewer),
        ("otto", &["staff", "on-call"], Role::Operator),
        ("anna", &["root", "staff"], Role::Admin),
    ] {
        let who = person(name, name, groups);
        let mut visitor = Visitor::let_in(&t, &provider, &who).await;
        assert_eq!(visitor.get("/ops/jobs").await.status, 200);
        let allowed = |least: Role| if role >= least { 303 } else { 403 };
        let pause = visitor.press("/ops/queues/uploads/pause", "").await;
        assert_eq!(pause.status, allowed(Role::Operator), "{name}");
        let as_of = t.app.clock.now().as_millis();
        let form = format!(
            "action=retry&state=held&kind=&queue=&lane=&reason=&error=&as_of={as_of}&key={name}"
        );
        let bulk = visitor.press("/ops/bulk", &form).await;
        assert_eq!(bulk.status, allowed(Role::Admin), "{name}: {}", bulk.body);
    }
    for row in operators(&t).await {
        let name = name_of(&t, row.user_id).await;
        let expected = match name.split('-').next().unwrap() {
            "vera" => Role::Viewer,
            "otto" => Role::Operator,
            _ => Role::Admin,
        };
        assert_eq!(row.role, expected, "{name}");
    }
    // Known at the provider, and nobody here.
    for groups in [&[][..], &["other"], &["STAFF"]] {
        let who = person("eve", "eve", groups);
        assert_eq!(Visitor::kept_out(&t, &provider, &who).await, "no_role");
    }
    let mut none = person("eve", "eve", &[]);
    none.as_object_mut().unwrap().remove("groups");
    assert_eq!(Visitor::kept_out(&t, &provider, &none).await, "no_role");
    assert_eq!(operators(&t).await.len(), 3);
    let page = Visitor::new(&t).get("/ops/sign-in?refused=no_role").await;
    assert!(page.body.contains("none of your groups gives a role here"));
    t.drain().await;
}

async fn a_role_follows_the_claim_and_goes_with_it(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = |groups: &[&str]| person("ada-1", "ada", groups);
    let mut first = Visitor::let_in(&t, &provider, &who(&["root"])).await;
    let user = identities(&t).await[0].user_id;
    let key = api_keys::create(&t.app, user, "script", &roles::SCOPES, None).await;
    let key = api_keys::expose(&key.unwrap()).to_owned();
    assert_eq!(
        first.press("/ops/queues/uploads/pause", "").await.status,
        303
    );

    // Lowered: what is open already is bounded at once, keys too.
    let mut second = Visitor::let_in(&t, &provider, &who(STAFF)).await;
    for visitor in [&mut first, &mut second] {
        assert_eq!(visitor.get("/ops").await.status, 200);
        let pause = visitor.press("/ops/queues/uploads/pause", "").await;
        assert_eq!(pause.status, 403);
    }
    let actor = api_keys::authenticate(&t.app, &key).await.unwrap().unwrap();
    assert_eq!(actor.scopes, [Scope::OpsRead]);

    // Gone: refused, and whatever is open ends.
    assert_eq!(Visitor::kept_out(&t, &provider, &who(&[])).await, "no_role");
    assert!(sessions(&t).await.is_empty());
    for visitor in [&mut first, &mut second] {
        assert_eq!(visitor.get("/ops").await.header("location"), "/ops/sign-in");
    }
    let actor = api_keys::authenticate(&t.app, &key).await.unwrap().unwrap();
    assert!(actor.scopes.is_empty(), "{:?}", actor.scopes);
    let listed = roles::list(&t.app).await.unwrap();
    assert_eq!(listed[0].standing(), "lapsed");
    assert_eq!(Visitor::kept_out(&t, &provider, &who(&[])).await, "no_role");

    // Given again: the same operator, whom nobody needs to make anew.
    let mut third = Visitor::let_in(&t, &provider, &who(&["on-call"])).await;
    assert_eq!(
        third.press("/ops/queues/uploads/resume", "").await.status,
        303
    );
    assert_eq!(
        first.get("/ops").await.status,
        303,
        "an old session is over"
    );
    let known = identities(&t).await;
    assert_eq!((known.len(), known[0].user_id), (1, user));
    let acts = acts(&t).await;
    let of_roles: Vec<_> = acts
        .iter()
        .filter(|act| act.starts_with("operator."))
        .collect();
    assert_eq!(
        of_roles,
        [
            "operator.add",
            "operator.role",
            "operator.lapse",
            "operator.role"
        ]
    );
}

async fn whom_the_command_line_revoked_stays_revoked(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = |groups: &[&str]| person("ada-1", "ada", groups);
    let mut open = Visitor::let_in(&t, &provider, &who(STAFF)).await;
    let user = identities(&t).await[0].user_id;
    let name = name_of(&t, user).await;
    roles::revoke(&t.app, &name).await.unwrap();
    assert!(sessions(&t).await.is_empty());
    assert_eq!(open.get("/ops").await.status, 303);
    for groups in [STAFF, &["root"]] {
        assert_eq!(
            Visitor::kept_out(&t, &provider, &who(groups)).await,
            "revoked"
        );
    }
    // Neither does a role that went and came back help.
    assert_eq!(Visitor::kept_out(&t, &provider, &who(&[])).await, "no_role");
    assert_eq!(
        Visitor::kept_out(&t, &provider, &who(STAFF)).await,
        "revoked"
    );
    assert_eq!(roles::list(&t.app).await.unwrap()[0].standing(), "revoked");

    let role = roles::restore(&t.app, &name).await.unwrap();
    assert_eq!(role, Role::Viewer);
    assert_eq!(open.get("/ops").await.status, 303, "an old session is over");
    Visitor::let_in(&t, &provider, &who(&["on-call"])).await;
    assert_eq!(operators(&t).await[0].role, Role::Operator);
    assert!(
        roles::restore(&t.app, &name).await.is_err(),
        "nothing to take back"
    );

    // Revoked while the provider gives no role: then it is no longer the provider's to take back.
    assert_eq!(Visitor::kept_out(&t, &provider, &who(&[])).await, "no_role");
    roles::revoke(&t.app, &name).await.unwrap();
    assert_eq!(
        Visitor::kept_out(&t, &provider, &who(STAFF)).await,
        "revoked"
    );
    assert!(roles::revoke(&t.app, &name).await.is_err());
    let key = roles::add(&t.app, &name, Role::Admin).await.unwrap();
    assert!(api_keys::expose(&key).starts_with("cq_"));
    // The provider's word counts again at the next sign-in.
    Visitor::let_in(&t, &provider, &who(STAFF)).await;
    assert_eq!(operators(&t).await[0].role, Role::Viewer);
}

async fn a_state_is_good_once_for_its_browser_and_for_ten_minutes(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    // A link that somebody made for themselves signs nobody else in.
    let mut mallory = Visitor::new(&t);
    let mut victim = Visitor::new(&t);
    for victim_has_begun in [false, true] {
        if victim_has_begun {
            victim.at_provider("").await;
        }
        let page = mallory.at_provider("").await;
        let back = provider.sign_in(&page, &person("mallory", "mallory", STAFF));
        assert_eq!(refused(&victim.come_back(&back).await), "other_browser");
        // And the wrong browser burns it.
        assert_eq!(refused(&mallory.come_back(&back).await), "used");
    }

    let mut ada = Visitor::new(&t);
    let page = ada.at_provider("").await;
    let back = provider.sign_in(&page, &who);
    ada.come_back(&back).await;
    assert_eq!(refused(&ada.come_back(&back).await), "used");
    assert_eq!(sessions(&t).await.len(), 1);

    // Late, and in time.
    for (wait, word) in [(600, Some("expired")), (599, None)] {
        let mut late = Visitor::new(&t);
        let page = late.at_provider("").await;
        t.advance(Duration::from_secs(wait));
        let answer = late.come_back(&provider.sign_in(&page, &who)).await;
        match word {
            Some(word) => assert_eq!(refused(&answer), word),
            None => assert_eq!(answer.header("location"), "/ops/oidc/done"),
        }
    }
    // Of another make.
    let mut forger = Visitor::new(&t);
    let page = forger.at_provider("").await;
    let back = provider.sign_in(&page, &who);
    let code = back.query_pairs().find(|(key, _)| key == "code").unwrap().1;
    for (query, word) in [
        (format!("code={code}&state=forged"), "unknown"),
        (format!("code={code}"), "malformed"),
        ("state=x".to_owned(), "malformed"),
        (String::new(), "malformed"),
    ] {
        let answer = forger.get(&format!("/ops/oidc/callback?{query}")).await;
        assert_eq!(refused(&answer), word, "{query}");
    }
    // What nobody comes back for is pruned.
    t.advance(Duration::from_secs(2 * 86_400));
    let pruned = retention::prune(&t.app).await.unwrap();
    assert!(pruned.of("operator_sign_ins") >= 5);
    let left = operator_sign_in::Entity::find().all(t.app.db.read()).await;
    assert!(left.unwrap().is_empty());
}

async fn two_first_sign_ins_at_once_make_one_operator(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    let mut visitors = Vec::new();
    for _ in 0..4 {
        let mut visitor = Visitor::new(&t);
        let page = visitor.at_provider("").await;
        visitors.push((visitor, provider.sign_in(&page, &who)));
    }
    let coming = visitors
        .iter_mut()
        .map(|(visitor, back)| visitor.come_back(back));
    for answer in futures::future::join_all(coming).await {
        assert_eq!(answer.header("location"), "/ops/oidc/done");
    }
    assert_eq!(
        (operators(&t).await.len(), sessions(&t).await.len()),
        (1, 4)
    );
}

async fn tries_are_counted_by_address(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let router = router(&t);
    for path in ["/ops/oidc/start", "/ops/oidc/callback?code=x&state=y"] {
        let ask = |address: &'static str| {
            let mut request = request("GET", path, &[], "");
            let peer: SocketAddr = address.parse().unwrap();
            request.extensions_mut().insert(Peer(peer));
            send(&router, request)
        };
        for _ in 0..single_sign_on::TRIES {
            let answer = ask("192.0.2.1:999").await;
            assert_ne!(answer.header("location"), "/ops/sign-in?refused=too_often");
            assert_eq!(answer.status, 303);
        }
        let answer = ask("192.0.2.1:1000").await;
        match path {
            "/ops/oidc/start" => {
                assert_eq!(answer.status, 429);
                assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 61);
                assert!(answer.body.contains("Too many tries"));
            }
            // Where the code is, no page is shown.
            _ => assert_eq!(refused(&answer), "too_often"),
        }
        // Others are not locked out with them, and nobody for long.
        assert_eq!(ask("192.0.2.2:999").await.status, 303);
        t.advance(Duration::from_secs(61));
        let answer = ask("192.0.2.1:999").await;
        assert_ne!(answer.header("location"), "/ops/sign-in?refused=too_often");
    }
    assert_eq!(provider.count("/token"), 0);
}

async fn an_operator_who_is_erased_is_nobody_afterwards(mut t: TestApp) {
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    let mut ada = Visitor::let_in(&t, &provider, &who).await;
    let id = identities(&t).await[0].user_id;
    let actor = single_sign_on::still(&t.app, id).await.unwrap().unwrap();
    let leaving = Actor {
        scopes: vec![Scope::AccountDelete],
        ..actor.clone()
    };
    erasure::delete_user(&t.app, &leaving, &actor.user_name, "leave")
        .await
        .unwrap();
    assert_eq!(ada.get("/ops").await.status, 303);
    assert_eq!(Visitor::kept_out(&t, &provider, &who).await, "leaving");
    t.drain().await;
    assert!(identities(&t).await.is_empty() && operators(&t).await.is_empty());
    // Whoever comes again is somebody new.
    Visitor::let_in(&t, &provider, &who).await;
    assert_ne!(identities(&t).await[0].user_id, id);
}

#[tokio::test]
async fn a_name_that_somebody_has_is_not_taken() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    // A tenant of that name is here, and an operator of the command line.
    roles::add(&t.app, "root", Role::Admin).await.unwrap();
    let names = ["ada", "root", "root", "", "<b>&\"x", "../etc", "  "];
    for (at, name) in names.iter().enumerate() {
        let who = person(&format!("subject-{at}"), name, STAFF);
        Visitor::let_in(&t, &provider, &who).await;
    }
    let known = identities(&t).await;
    assert_eq!(known.len(), names.len());
    for identity in &known {
        assert_ne!(identity.user_id, t.actor.user_id);
        let name = name_of(&t, identity.user_id).await;
        let plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
        assert!(name.chars().all(plain), "{name}");
        assert!(name != "ada" && name != "root");
    }
    // The subject is who they are, whatever they are called today.
    Visitor::let_in(&t, &provider, &person("subject-0", "countess", STAFF)).await;
    assert_eq!(identities(&t).await.len(), names.len());
    let mut nameless = person("subject-x", "x", STAFF);
    for claim in ["preferred_username", "email", "email_verified"] {
        nameless.as_object_mut().unwrap().remove(claim);
    }
    Visitor::let_in(&t, &provider, &nameless).await;
    let last = identities(&t).await;
    let last = last.iter().find(|of| of.subject == "subject-x").unwrap();
    assert!(name_of(&t, last.user_id).await.starts_with("operator-"));
}

#[tokio::test]
async fn an_id_token_that_is_not_for_this_sign_in_is_not_believed() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", &["root"]);
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 13] = [
        ("another nonce", |claims| claims["nonce"] = json!("other")),
        ("no nonce", |claims| {
            claims.as_object_mut().unwrap().remove("nonce");
        }),
        ("another audience", |claims| claims["aud"] = json!("other")),
        ("a further audience", |claims| {
            claims["aud"] = json!([CLIENT, "other"]);
        }),
        ("no audience", |claims| claims["aud"] = json!([])),
        ("another issuer", |claims| {
            claims["iss"] = json!("http://127.0.0.1/realms/main");
        }),
        ("nearly the issuer", |claims| {
            claims["iss"] = json!(format!("{}/", claims["iss"].as_str().unwrap()));
        }),
        ("expired", |claims| {
            claims["exp"] = json!(claims["iat"].as_i64().unwrap());
        }),
        ("of the future", |claims| {
            claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 301);
        }),
        ("without an end", |claims| {
            claims.as_object_mut().unwrap().remove("exp");
        }),
        ("made for another client", |claims| {
            claims["azp"] = json!("other");
        }),
        ("without a subject", |claims| {
            claims.as_object_mut().unwrap().remove("sub");
        }),
        ("a subject without letters", |claims| {
            claims["sub"] = json!("");
        }),
    ];
    for (what, change) in changes {
        provider.inside().alter = Arc::new(change);
        let word = Visitor::kept_out(&t, &provider, &who).await;
        assert_eq!(word, "not_believed", "{what}");
    }
    provider.inside().alter = Arc::new(|_| {});
    for (sign, rotated) in [
        (Sign::None, false),
        (Sign::MacOfPublicKey, false),
        (Sign::MacOfSecret, false),
        // Of a key that there is, by another.
        (Sign::Misnamed, true),
    ] {
        provider.inside().sign = sign;
        provider.inside().rotated = rotated;
        t.advance(Duration::from_secs(61));
        let word = Visitor::kept_out(&t, &provider, &who).await;
        assert_eq!(word, "not_believed", "{sign:?}");
    }
    assert!(operators(&t).await.is_empty() && sessions(&t).await.is_empty());
    // The same person is let in when all is right: it was nothing else.
    provider.inside().sign = Sign::Rs256;
    Visitor::let_in(&t, &provider, &who).await;
    // A token that was good when it was made, for as long as it takes.
    t.advance(Duration::from_secs(u64::try_from(TOKEN_LIFE).unwrap()));
    Visitor::let_in(&t, &provider, &who).await;
}

#[tokio::test]
async fn every_asymmetric_algorithm_is_taken() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    for sign in [Sign::Rs256, Sign::Ps256, Sign::Es256(0), Sign::EdDsa] {
        provider.inside().sign = sign;
        Visitor::let_in(&t, &provider, &person("ada-1", "ada", STAFF)).await;
    }
    // A secret that goes in the body, for a provider that wants it there; and one of several audiences.
    provider.inside().secret_in_body = true;
    provider.inside().alter = Arc::new(|claims| {
        claims["aud"] = json!([CLIENT]);
        claims["azp"] = json!(CLIENT);
    });
    t.advance(Duration::from_secs(3600));
    Visitor::let_in(&t, &provider, &person("ada-1", "ada", STAFF)).await;
    assert_eq!(provider.count("/.well-known/openid-configuration"), 2);
}

#[tokio::test]
async fn a_new_key_is_looked_for_once_a_minute() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    Visitor::let_in(&t, &provider, &who).await;
    assert_eq!(provider.count("/keys"), 1);
    // A key that is not published is looked for, but not at once after the last look.
    provider.inside().sign = Sign::Es256(1);
    assert_eq!(Visitor::kept_out(&t, &provider, &who).await, "not_believed");
    assert_eq!(provider.count("/keys"), 1, "a moment ago they were fetched");
    t.advance(Duration::from_secs(60));
    for _ in 0..3 {
        assert_eq!(Visitor::kept_out(&t, &provider, &who).await, "not_believed");
    }
    assert_eq!(provider.count("/keys"), 2);
    // Now it is there; the sign-in that meets it first finds it.
    provider.inside().rotated = true;
    t.advance(Duration::from_secs(60));
    Visitor::let_in(&t, &provider, &who).await;
    Visitor::let_in(&t, &provider, &who).await;
    assert_eq!(provider.count("/keys"), 3);
    assert_eq!(provider.count("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn a_provider_that_is_away_slow_or_odd_signs_nobody_in() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    let discovery = "/.well-known/openid-configuration";
    for (path, fault, word) in [
        (discovery, Fault::Silence, "unreachable"),
        (discovery, Fault::Huge, "unreachable"),
        (discovery, Fault::Redirect, "unreachable"),
        (discovery, Fault::Status(503), "unreachable"),
        (discovery, Fault::Status(404), "not_believed"),
        (discovery, Fault::NotJson, "not_believed"),
        (discovery, Fault::OtherIssuer, "not_believed"),
        ("/keys", Fault::Silence, "unreachable"),
        ("/keys", Fault::Huge, "unreachable"),
        ("/keys", Fault::NotJson, "not_believed"),
    ] {
        provider.inside().faults = [(path, fault)].into();
        let answer = Visitor::new(&t).get("/ops/oidc/start").await;
        assert_eq!(refused(&answer), word, "{path} {fault:?}");
    }
    provider.inside().faults.clear();
    for (fault, word) in [
        (Fault::Silence, "unreachable"),
        (Fault::Huge, "unreachable"),
        (Fault::Redirect, "unreachable"),
        (Fault::Status(500), "not_believed"),
        (Fault::NotJson, "not_believed"),
    ] {
        let mut visitor = Visitor::new(&t);
        let page = visitor.at_provider("").await;
        let back = provider.sign_in(&page, &who);
        provider.inside().faults = [("/token", fault)].into();
        assert_eq!(refused(&visitor.come_back(&back).await), word, "{fault:?}");
        provider.inside().faults.clear();
    }
    assert!(sessions(&t).await.is_empty());
    // It works when they are over, and fails when nobody is there.
    Visitor::let_in(&t, &provider, &who).await;
    let mut visitor = Visitor::new(&t);
    let page = visitor.at_provider("").await;
    let back = provider.sign_in(&page, &who);
    provider.stop();
    t.advance(Duration::from_secs(3600));
    // Wait for the listener to be gone, then ask.
    let gone = async || {
        let answer = Visitor::new(&t).get("/ops/oidc/start").await;
        answer
            .header("location")
            .contains("refused=")
            .then_some(answer)
    };
    let limit = Duration::from_secs(20);
    let answer = crate::support::eventually(limit, "the provider is gone", gone).await;
    assert_eq!(refused(&answer), "unreachable");
    assert_eq!(refused(&visitor.come_back(&back).await), "expired");
    let page = Visitor::new(&t)
        .get("/ops/sign-in?refused=unreachable")
        .await;
    assert!(page.body.contains("The provider does not answer"));
    // Keys work meanwhile.
    let form = format!("key={}", t.key);
    let answer = visitor.press("/ops/sign-in", &form).await;
    assert_eq!(answer.header("location"), "/ops");
}

#[tokio::test]
async fn a_code_is_exchanged_by_whoever_began_alone() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    // A code that was slipped into another sign-in of the same browser: the provider holds the verifier
    // against the challenge.
    let mut ada = Visitor::new(&t);
    let one = provider.sign_in(&ada.at_provider("").await, &who);
    let two = provider.sign_in(&ada.at_provider("").await, &who);
    let of = |address: &Url, wanted: &str| {
        let pairs: Vec<_> = address.query_pairs().into_owned().collect();
        pairs.into_iter().find(|(key, _)| key == wanted).unwrap().1
    };
    let mixed = format!(
        "/ops/oidc/callback?code={}&state={}",
        of(&one, "code"),
        of(&two, "state")
    );
    assert_eq!(refused(&ada.get(&mixed).await), "not_believed");
    assert_eq!(provider.count("/token"), 1);
    assert!(sessions(&t).await.is_empty());
    // The code is burnt by that.
    assert_eq!(refused(&ada.come_back(&one).await), "not_believed");
    // Another secret than ours is not taken.
    let mut wrong = settings(&provider.issuer);
    wrong.client_secret = Some("wrong".to_owned().into());
    set_up(&mut t, wrong);
    assert_eq!(Visitor::kept_out(&t, &provider, &who).await, "not_believed");
    // An answer of another provider is not believed, whatever it holds.
    set_up(&mut t, settings(&provider.issuer));
    let mut ada = Visitor::new(&t);
    let back = provider.sign_in(&ada.at_provider("").await, &who);
    let other = path_of(&back).replace("realms%2Fmain", "realms%2Fother");
    assert_ne!(other, path_of(&back));
    assert_eq!(refused(&ada.get(&other).await), "not_believed");
    assert_eq!(provider.count("/token"), 3);
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_and_its_words_are_not() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    for (error, word, says) in [
        ("access_denied", "denied", "called it off"),
        ("temporarily_unavailable", "failed", "could not sign you in"),
        (
            "<script>alert(1)</script>",
            "failed",
            "could not sign you in",
        ),
    ] {
        let mut ada = Visitor::new(&t);
        let page: Url = ada.at_provider("").await.parse().unwrap();
        let state = page
            .query_pairs()
            .find(|(key, _)| key == "state")
            .unwrap()
            .1;
        let query = serde_urlencoded::to_string([
            ("error", error),
            ("error_description", "<b>canary-description</b>"),
            ("state", &*state),
        ])
        .unwrap();
        let answer = ada.get(&format!("/ops/oidc/callback?{query}")).await;
        assert_eq!(refused(&answer), word);
        let page = ada.get(answer.header("location")).await;
        assert!(page.body.contains(says), "{}", page.body);
        assert!(!page.body.contains("canary") && !page.body.contains("<script>alert"));
    }
    // Whoever was not sent there says nothing here, and no word makes a sentence of a stranger's.
    let mut stranger = Visitor::new(&t);
    let answer = stranger
        .get("/ops/oidc/callback?error=access_denied&state=x")
        .await;
    assert_eq!(refused(&answer), "unknown");
    let page = stranger
        .get("/ops/sign-in?refused=%3Cb%3Ecall%20this%20number")
        .await;
    assert!(!page.body.contains("call this number"), "{}", page.body);
    assert_eq!(provider.count("/token"), 0);
}

#[tokio::test]
async fn nobody_is_led_elsewhere_or_by_a_foreign_page() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    for next in [
        "//evil.example",
        "https://evil.example",
        ".evil.example",
        "@evil.example",
        "/\\evil.example",
    ] {
        let query = serde_urlencoded::to_string([("next", next)]).unwrap();
        let mut ada = Visitor::new(&t);
        let page = ada.at_provider(&format!("?{query}")).await;
        let answer = ada.come_back(&provider.sign_in(&page, &who)).await;
        assert_eq!(answer.header("location"), "/ops/oidc/done", "{next}");
        let done = ada.get(&format!("/ops/oidc/done?{query}")).await;
        assert!(!done.body.contains("evil.example"), "{next}: {}", done.body);
        assert!(
            done.body.contains("content=\"0; url=/ops\""),
            "{}",
            done.body
        );
    }
    let mut ada = Visitor::new(&t);
    let foreign = [("sec-fetch-site", "cross-site")];
    let answer = ada
        .ask("GET", "/ops/oidc/start?next=%2Fjobs", &foreign, "")
        .await;
    assert_eq!(answer.header("location"), "/ops/sign-in?next=%2Fjobs");
    assert_eq!(ada.cookie("clipqueue-ops-oidc"), None);
}

#[tokio::test]
async fn over_https_the_cookies_are_bound_to_the_host() {
    let mut t = start().await;
    t.reconfigure(|config| config.http.public_url = "https://clips.example/q".parse().unwrap());
    let provider = with_provider(&mut t).await;
    let mut ada = Visitor::new(&t);
    let answer = ada.get("/ops/oidc/start").await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-clipqueue-ops-oidc="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let back = provider.sign_in(answer.header("location"), &person("a", "ada", STAFF));
    assert!(
        back.as_str()
            .starts_with("https://clips.example/q/ops/oidc/callback?")
    );
    let path = path_of(&back);
    let answer = ada.get(path.strip_prefix("/q").unwrap()).await;
    assert_eq!(answer.header("location"), "/q/ops/oidc/done");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-clipqueue-ops="), "{cookie}");
    assert!(cookie.ends_with("; SameSite=Strict; Secure"), "{cookie}");
}

#[tokio::test]
async fn where_no_provider_is_named_nobody_signs_in_at_one() {
    let mut t = start().await;
    let mut visitor = Visitor::new(&t);
    let page = visitor.get("/ops/sign-in").await;
    assert!(!page.body.contains("oidc"), "{}", page.body);
    for path in ["/ops/oidc/start", "/ops/oidc/callback?code=a&state=b"] {
        let answer = visitor.get(path).await;
        assert!(answer.header("location").starts_with("/ops/sign-in?next="));
    }
    // Sessions end with the provider that gave them.
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    let mut ada = Visitor::let_in(&t, &provider, &who).await;
    let other = Provider::start("127.0.0.1", Clock::Manual(t.clock.clone())).await;
    set_up(&mut t, settings(&other.issuer));
    ada.router = router(&t);
    assert_eq!(ada.get("/ops").await.status, 303);
    // The same subject of another provider is somebody else.
    Visitor::let_in(&t, &other, &who).await;
    let known = identities(&t).await;
    assert_eq!(known.len(), 2);
    assert_ne!(known[0].user_id, known[1].user_id);
    let mut other = Visitor::let_in(&t, &other, &who).await;
    t.app.oidc = None;
    other.router = router(&t);
    assert_eq!(other.get("/ops").await.status, 303);
}

#[tokio::test]
async fn a_session_without_a_key_ends_like_one_with_a_key() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    let who = person("ada-1", "ada", STAFF);
    let mut idle = Visitor::let_in(&t, &provider, &who).await;
    let mut busy = Visitor::let_in(&t, &provider, &who).await;
    for _ in 0..12 {
        t.advance(Duration::from_secs(3590));
        assert_eq!(busy.get("/ops").await.status, 200);
    }
    assert_eq!(idle.get("/ops").await.status, 303);
    t.advance(Duration::from_secs(180));
    assert_eq!(busy.get("/ops").await.status, 303);
    assert!(sessions(&t).await.is_empty());
}

#[tokio::test]
async fn no_secret_of_a_sign_in_is_stored() {
    let mut t = start().await;
    let provider = with_provider(&mut t).await;
    let ada = Visitor::let_in(&t, &provider, &person("ada-1", "ada", STAFF)).await;
    // One that is under way as well.
    let mut eve = Visitor::new(&t);
    let page = eve.at_provider("").await;
    provider.sign_in(&page, &person("eve", "eve", STAFF));
    let mut secrets = provider.inside().secrets.clone();
    assert!(
        secrets.len() >= 9,
        "codes, states, nonces, a verifier, tokens"
    );
    secrets.push(SECRET.to_owned());
    for visitor in [&ada, &eve] {
        secrets.push(visitor.cookie("clipqueue-ops-oidc").unwrap().to_owned());
    }
    let session = ada.cookie("clipqueue-ops").unwrap();
    secrets.push(session.split_once('.').unwrap().1.to_owned());
    let url = {
        use secrecy::ExposeSecret as _;
        t.app.config.database.url.expose_secret().to_owned()
    };
    let path = url.strip_prefix("sqlite:").unwrap();
    let mut bytes = Vec::new();
    for end in ["", "-wal"] {
        bytes.extend(std::fs::read(format!("{path}{end}")).unwrap_or_default());
    }
    let holds = |text: &str| {
        let text = text.as_bytes();
        bytes.windows(text.len()).any(|window| window == text)
    };
    assert!(
        holds("ada-1") && holds(&provider.issuer),
        "it is the database"
    );
    for secret in secrets {
        assert!(!holds(&secret), "{secret} is stored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_signs_in_at_the_provider() {
    let mut t = start().await;
    // The provider is another site for the browser, so that strict cookies do not travel from it.
    let provider = Provider::start("localhost", Clock::Manual(t.clock.clone())).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    t.reconfigure(|config| config.http.public_url = base.parse().unwrap());
    set_up(&mut t, settings(&provider.issuer));
    let stop = CancellationToken::new();
    let routes = clipqueue::http::router(&t.app, None, CancellationToken::new(), stop.clone());
    tokio::spawn(clipqueue::http::serve(listener, routes, stop.clone()));
    let _stop = stop.drop_guard();

    let mut browser = Browser::start().await;
    browser.open(&format!("{base}/ops/jobs?state=held")).await;
    let there = "document.querySelector('#provider')";
    browser.wait(there, "the button is there", || {}).await;
    browser.click("#provider").await;
    let list = "document.querySelector('h1')?.textContent === 'Held jobs'";
    browser.wait(list, "the list is there", || {}).await;
    let address = browser.eval("location.href").await;
    assert_eq!(address, format!("{base}/ops/jobs?state=held"));
    let who = browser
        .eval("document.querySelector('.who').textContent")
        .await;
    assert!(who.as_str().unwrap().contains("ada-"), "{who}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
