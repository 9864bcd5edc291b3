//! The ways there and back: codes, refusals, foreign pages, cookies, and a real browser.

use std::time::Duration;

use clipqueue::clock::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::visitor::{
    STAFF, Visitor, identities, path_of, refused, sessions, set_up, settings, start, with_provider,
};
use crate::console::{
    devtools::Browser,
    provider::{Provider, SECRET, person},
    router,
};

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
