//! Login: the consent address, the exchange, the refresh, the end.

use std::time::Duration;

use secrecy::SecretString;
use tiktok::oauth::{AuthorizationCode, Authorize, CsrfToken, PkceCodeVerifier};
use tiktok::{Class, Client, Config, Outcome, RefreshToken, Scopes};

use crate::support::{Fake, assert_discreet, token};

const TOKENS: &str = r#"{"access_token":"act.a","expires_in":7200,"refresh_token":"rft.b","refresh_expires_in":15552000,
    "open_id":"-000a-b_c","scope":"user.info.basic,video.publish","token_type":"Bearer","extra":{}}"#;

fn verifier() -> PkceCodeVerifier {
    PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into())
}

#[test]
fn authorize_url() {
    let client = Client::new(Config::new("the_key", SecretString::from("s"))).unwrap();
    let url = client.authorize_url(&Authorize {
        redirect_uri: &"https://app.example/cb/".parse().unwrap(),
        scopes: &Scopes::parse("video.publish,user.info.basic"),
        state: &CsrfToken::new("st&te".into()),
        verifier: &verifier(),
        always_ask: true,
    });
    assert!(
        url.as_str()
            .starts_with("https://www.tiktok.com/v2/auth/authorize/?")
    );
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let expected = [
        ("client_key", "the_key"),
        ("response_type", "code"),
        ("scope", "user.info.basic,video.publish"),
        ("redirect_uri", "https://app.example/cb/"),
        ("state", "st&te"),
        (
            "code_challenge",
            "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3",
        ),
        ("code_challenge_method", "S256"),
        ("disable_auto_auth", "1"),
    ];
    let expected: Vec<_> = expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!(pairs, expected);
}

#[tokio::test]
async fn exchange() {
    let (fake, client) = Fake::json(200, TOKENS).await;
    let code = AuthorizationCode::new("abc*0!5236.s1".into());
    let redirect = "https://app.example/cb/".parse().unwrap();
    let connected = client
        .exchange_code(&code, &redirect, &verifier())
        .await
        .unwrap()
        .value;
    assert_eq!(connected.open_id.as_str(), "-000a-b_c");
    let tokens = connected.tokens;
    assert_eq!(tokens.access_token.expose(), "act.a");
    assert_eq!(tokens.refresh_token.unwrap().expose(), "rft.b");
    assert_eq!(tokens.access_expires_in, Some(Duration::from_secs(7200)));
    assert_eq!(
        tokens.refresh_expires_in,
        Some(Duration::from_secs(15_552_000))
    );
    assert_eq!(
        tokens.scopes.unwrap().to_string(),
        "user.info.basic,video.publish"
    );

    let seen = fake.only();
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/v2/oauth/token/")
    );
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(seen.header("authorization"), None);
    let expected = [
        ("client_key", "the_key"),
        ("client_secret", "the_secret"),
        ("code", "abc*0!5236.s1"),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://app.example/cb/"),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
    ];
    let expected: Vec<_> = expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!(seen.form(), expected);
}

#[tokio::test]
async fn refresh_takes_what_it_gets() {
    let (fake, client) = Fake::json(200, TOKENS).await;
    let refreshed = client
        .refresh(&RefreshToken::new("rft.s3cret"))
        .await
        .unwrap()
        .value;
    assert_eq!(refreshed.open_id.unwrap().as_str(), "-000a-b_c");
    let form = fake.only().form();
    assert!(form.contains(&("grant_type".into(), "refresh_token".into())));
    assert!(form.contains(&("refresh_token".into(), "rft.s3cret".into())));

    // A bare access token must not be thrown away for what is missing beside it.
    let (_fake, client) = Fake::json(200, r#"{"access_token":"act.a","expires_in":"soon"}"#).await;
    let refreshed = client.refresh(&RefreshToken::new("r")).await.unwrap().value;
    assert_eq!(refreshed.open_id, None);
    assert!(
        refreshed.tokens.refresh_token.is_none() && refreshed.tokens.access_expires_in.is_none()
    );
}

#[tokio::test]
async fn errors_are_told_by_the_body_whatever_the_status() {
    let body = r#"{"error":"invalid_grant","error_description":"Refresh token is invalid or expired.","log_id":"20261104"}"#;
    for status in [200, 400, 401] {
        let (_fake, client) = Fake::json(status, body).await;
        let error = client
            .refresh(&RefreshToken::new("rft.s3cret"))
            .await
            .unwrap_err();
        assert_eq!(error.class(), Class::GrantDead);
        assert_eq!(error.http_status(), Some(status));
        assert_eq!(error.logs().unwrap().any().unwrap().as_str(), "20261104");
        assert_discreet(&error);
    }
    // Neither an error nor a token: the token may have rotated, so nobody knows.
    for (status, body) in [
        (200, "{}"),
        (200, r#"{"access_token":""}"#),
        (502, "<html>"),
        (200, ""),
    ] {
        let (_fake, client) = Fake::json(status, body).await;
        let error = client.refresh(&RefreshToken::new("r")).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{body}");
    }
    // An answer with the tokens inside is never quoted by an error.
    let (_fake, client) = Fake::json(
        200,
        r#"{"access_token":"act.s3cret","refresh_token":"rft.s3cret","#,
    )
    .await;
    assert_discreet(&client.refresh(&RefreshToken::new("r")).await.unwrap_err());
}

#[tokio::test]
async fn revoke() {
    for body in ["", "{}", r#"{"error":{"code":"ok","message":""}}"#] {
        let (fake, client) = Fake::json(200, body).await;
        client.revoke(&token()).await.unwrap();
        let seen = fake.only();
        assert_eq!(seen.path, "/v2/oauth/revoke/");
        assert!(
            seen.form()
                .contains(&("token".into(), "act.s3cret!1.e1".into()))
        );
    }
    let (_fake, client) = Fake::json(200, r#"{"error":"invalid_client"}"#).await;
    let error = client.revoke(&token()).await.unwrap_err();
    assert_eq!(error.class(), Class::OurFault);
}
