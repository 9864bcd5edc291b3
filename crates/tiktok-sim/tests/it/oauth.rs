//! Consent, exchange, refresh with rotation, revoke.

use tiktok_sim::{Consent, Endpoint, Fault, FaultKind, Rule};

use crate::support::{ALL_SCOPES, World};

fn has(pairs: &[(String, String)], name: &str, value: &str) -> bool {
    pairs.contains(&(name.to_owned(), value.to_owned()))
}

#[tokio::test]
async fn a_consent_becomes_a_pair_and_the_pair_works() {
    let world = World::new().await;
    world.sim.account("mia", Default::default());
    let callback = world.consent("mia", &Consent::All);
    assert!(has(&callback, "scopes", ALL_SCOPES), "{callback:?}");
    assert!(has(&callback, "state", "st&te"));
    let code = &callback[0].1;
    assert!(code.contains('*') && code.contains('!'), "{code}");

    let pair = world.exchange(code).await;
    assert_eq!(pair.status, 200);
    assert_eq!(pair.body["expires_in"], 7_200);
    assert_eq!(pair.body["refresh_expires_in"], 15_552_000);
    assert_eq!(pair.body["token_type"], "Bearer");
    assert!(pair.body["open_id"].as_str().unwrap().starts_with("-000"));
    let token = pair.body["access_token"].as_str().unwrap();
    let info = world
        .http
        .get(world.url("/v2/user/info/?fields=open_id,username,video_count"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    let info = crate::support::told(info).await;
    assert_eq!(info.data("user")["username"], "mia");
    assert_eq!(info.data("user")["open_id"], pair.body["open_id"]);
    assert!(info.data("user").get("display_name").is_none());
    world.assert_clean();
}

#[tokio::test]
async fn a_code_works_once_and_for_five_minutes() {
    let world = World::new().await;
    world.sim.account("mia", Default::default());
    let code = world.consent("mia", &Consent::All)[0].1.clone();
    assert!(world.exchange(&code).await.body["access_token"].is_string());
    let again = world.exchange(&code).await;
    assert_eq!(
        (again.status, &again.body["error"]),
        (200, &"invalid_grant".into())
    );
    assert_eq!(world.sim.broken()[0].rule, Rule::CodeUsedTwice);

    let late = world.consent("mia", &Consent::All)[0].1.clone();
    world.advance(300);
    assert_eq!(world.exchange(&late).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn a_wrong_verifier_is_refused_and_uses_the_code_up() {
    let world = World::new().await;
    world.sim.account("mia", Default::default());
    let code = world.consent("mia", &Consent::All)[0].1.clone();
    let wrong = world
        .token_call(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", crate::support::REDIRECT),
            ("code_verifier", &"x".repeat(43)),
        ])
        .await;
    assert_eq!(wrong.body["error"], "invalid_request");
    assert_eq!(world.exchange(&code).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn users_can_narrow_or_refuse() {
    let world = World::new().await;
    world.sim.account("mia", Default::default());
    let some = Consent::Scopes(vec!["video.upload".into()]);
    let callback = world.consent("mia", &some);
    assert!(has(&callback, "scopes", "user.info.basic,video.upload"));
    let pair = world.exchange(&callback[0].1).await;
    let token = pair.body["access_token"].as_str().unwrap();
    let refused = world.creator_info(token).await;
    assert_eq!(
        (refused.status, refused.code()),
        (401, "scope_not_authorized")
    );

    let denied = world.consent("mia", &Consent::Deny);
    assert!(has(&denied, "error", "access_denied"));
    assert!(!denied.iter().any(|(name, _)| name == "code"));
}

#[tokio::test]
async fn a_refresh_kills_the_old_refresh_token() {
    let world = World::new().await;
    let pair = world.connect_as("mia", Default::default()).await;
    let first = pair["refresh_token"].as_str().unwrap();
    world.advance(3_600);
    let renewed = world.refresh(first).await.body;
    let second = renewed["refresh_token"].as_str().unwrap();
    assert_ne!(first, second);
    assert_eq!(renewed["open_id"], pair["open_id"]);
    // The old access token lives until its own end.
    let old = pair["access_token"].as_str().unwrap();
    assert_eq!(world.creator_info(old).await.code(), "ok");
    world.advance(3_600);
    let expired = world.creator_info(old).await;
    assert_eq!(
        (expired.status, expired.code()),
        (401, "access_token_invalid")
    );

    assert_eq!(world.refresh(first).await.body["error"], "invalid_grant");
    assert_eq!(world.sim.broken()[0].rule, Rule::DeadRefreshTokenUsed);
    assert!(world.refresh(second).await.body["access_token"].is_string());
}

#[tokio::test]
async fn a_lost_refresh_excuses_one_replay_only() {
    let world = World::new().await;
    let pair = world.connect_as("mia", Default::default()).await;
    let token = pair["refresh_token"].as_str().unwrap();
    let lost = FaultKind::StatusAfterEffect { status: 502 };
    world.sim.fault(Fault::once(Endpoint::OauthRefresh, lost));
    let config = world.sim.config();
    let form = [
        ("client_key", config.client_key.as_str()),
        ("client_secret", config.client_secret.as_str()),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ];
    let call = world.http.post(world.url("/v2/oauth/token/")).form(&form);
    assert_eq!(call.send().await.unwrap().status(), 502);
    assert_eq!(world.refresh(token).await.body["error"], "invalid_grant");
    world.assert_clean();
    world.refresh(token).await;
    assert_eq!(world.sim.broken()[0].rule, Rule::DeadRefreshTokenUsed);
}

#[tokio::test]
async fn grace_and_statuses_are_knobs() {
    let world = World::new().await;
    world.sim.configure(|config| {
        config.tokens.refresh_grace_seconds = 60;
        config.quirks.oauth_error_status = 400;
    });
    let pair = world.connect_as("mia", Default::default()).await;
    let token = pair["refresh_token"].as_str().unwrap();
    assert!(world.refresh(token).await.body["access_token"].is_string());
    assert!(world.refresh(token).await.body["access_token"].is_string());
    world.advance(61);
    assert_eq!(world.refresh(token).await.status, 400);
}

#[tokio::test]
async fn revoke_needs_a_living_access_token() {
    let world = World::new().await;
    let pair = world.connect_as("mia", Default::default()).await;
    let revoke = async |token: &str| {
        let config = world.sim.config();
        let form = [
            ("client_key", config.client_key.as_str()),
            ("client_secret", config.client_secret.as_str()),
            ("token", token),
        ];
        let call = world.http.post(world.url("/v2/oauth/revoke/")).form(&form);
        crate::support::told(call.send().await.unwrap()).await.body
    };
    world.advance(7_201);
    let old = pair["access_token"].as_str().unwrap();
    assert_eq!(revoke(old).await["error"], "invalid_request");
    assert!(world.sim.is_connected("mia"));
    let renewed = world
        .refresh(pair["refresh_token"].as_str().unwrap())
        .await
        .body;
    let fresh = renewed["access_token"].as_str().unwrap();
    assert_eq!(revoke(fresh).await, serde_json::json!({}));
    assert!(!world.sim.is_connected("mia"));
    assert_eq!(world.creator_info(fresh).await.status, 401);
    let dead = renewed["refresh_token"].as_str().unwrap();
    assert_eq!(world.refresh(dead).await.body["error"], "invalid_grant");
    let removed = world.sim.webhooks().pop().unwrap();
    assert_eq!(removed.event, "authorization.removed");
    assert!(
        removed.body.contains(r#"{\"reason\":5}"#),
        "{}",
        removed.body
    );
}

#[tokio::test]
async fn the_page_works_in_a_browser_without_script() {
    let world = World::new().await;
    world.sim.account("mia", Default::default());
    let url = world.authorize_url("user.info.basic,video.upload");
    let page = world.http.get(&url).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(html.contains("value=\"mia\"") && html.contains("value=\"video.upload\""));
    let query = url.split_once('?').unwrap().1;
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let form = [
        ("query", query),
        ("account", "mia"),
        ("decision", "allow"),
        ("grant", "video.upload"),
    ];
    let page = world.url("/v2/auth/authorize/");
    let sent = browser.post(page).form(&form).send().await.unwrap();
    assert_eq!(sent.status(), 303);
    let location = sent.headers()["location"].to_str().unwrap();
    assert!(
        location.contains("scopes=user.info.basic%2Cvideo.upload"),
        "{location}"
    );
    assert!(location.contains("%2Av%215236"), "{location}");
}

#[tokio::test]
async fn bad_parameters_give_a_page_that_names_them() {
    let world = World::new().await;
    let good = world.authorize_url("user.info.basic");
    for (from, to, named) in [
        ("client_key=aw", "client_key=zz", "client_key"),
        ("response_type=code", "response_type=token", "response_type"),
        (
            "scope=user.info.basic",
            "scope=user.info.basic+video.upload",
            "scope",
        ),
        ("callback", "callback%2F", "redirect_uri"),
        ("state=st%26te", "state=", "state"),
        (
            "code_challenge=13d3",
            "code_challenge=13D3",
            "code_challenge",
        ),
        ("S256", "plain", "code_challenge_method"),
        ("state=", "nonce=1&state=", "query"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        let page = world.http.get(&bad).send().await.unwrap();
        assert_eq!(page.status(), 400, "{bad}");
        let html = page.text().await.unwrap();
        assert!(html.contains(&format!("<b>{named}</b>")), "{named}: {html}");
    }
}
