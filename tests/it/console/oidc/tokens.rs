//! What a provider says and how it is judged: ID tokens, keys, and providers in trouble.

use std::{sync::Arc, time::Duration};

use clipqueue::domain::roles;
use clipqueue_entities::operator::Role;
use serde_json::{Value, json};

use super::visitor::{
    STAFF, Visitor, identities, name_of, operators, refused, sessions, set_up_with, settings,
    start, with_provider,
};
use crate::console::{
    provider::{CLIENT, Fault, Provider, TOKEN_LIFE, person},
    signing::Sign,
};
use crate::support::app::TestApp;

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

/// Waits for silence for a moment only, and for everything else as long as it takes.
fn wait_for(t: &mut TestApp, provider: &Provider, fault: Fault) {
    let seconds = if matches!(fault, Fault::Silence) {
        1
    } else {
        60
    };
    set_up_with(t, settings(&provider.issuer), Duration::from_secs(seconds));
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
        wait_for(&mut t, &provider, fault);
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
        wait_for(&mut t, &provider, fault);
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
