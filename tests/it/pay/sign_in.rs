//! Proving a request by signing in with TikTok, in the browser that has its page.

use axum::{
    body::Body,
    http::{Request, StatusCode, header, response::Parts},
};
use clipqueue::domain::{actor::Scope, deletions::Ticket, erasure};
use clipqueue_entities::{
    account,
    deletion_request::{ProofKind, RequestState},
    post::PostState,
};
use sea_orm::EntityTrait as _;
use tiktok_sim::{AccountPatch, Consent, Endpoint};

use super::{CREATOR, proofs::SCOPES, send};
use crate::support::{
    app::{Stack, TestApp},
    flows::MINUTE,
};

crate::on_both_stacks_by_hand!(
    signing_in_with_tiktok_proves_the_request,
    whoever_signs_in_has_nothing_of_others_deleted,
    whoever_proves_nothing_keeps_their_own_account,
    only_the_page_of_the_request_leads_there,
);

const OTHER: &str = "otto.wanderlust";

/// Presses the button; gives TikTok's address and the cookie.
async fn press(t: &TestApp, ticket: &Ticket) -> (String, String) {
    let request = Request::post(format!("/privacy/requests/{}/sign-in", ticket.code))
        .header("sec-fetch-site", "same-origin")
        .body(Body::empty())
        .unwrap();
    let (parts, _) = send(t, request, "192.0.2.1").await;
    assert_eq!(parts.status, StatusCode::SEE_OTHER);
    let policy = parts.headers[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(policy.contains(t.sim.base_url()), "{policy}");
    let cookie = parts.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let to = parts.headers[header::LOCATION].to_str().unwrap().to_owned();
    (to, cookie)
}

/// Signs in at TikTok and comes back; gives where the browser is sent.
async fn sign_in(t: &TestApp, ticket: &Ticket, username: &str) -> (Parts, String) {
    let (page, cookie) = press(t, ticket).await;
    let back = t.sim.consent(&page, username, &Consent::All).unwrap();
    let query = back.split_once('?').unwrap().1;
    let request = Request::get(format!("/oauth/tiktok/callback?{query}"))
        .header(header::COOKIE, cookie)
        .body(Body::empty())
        .unwrap();
    let (parts, body) = send(t, request, "192.0.2.1").await;
    let to = parts.headers.get(header::LOCATION);
    let to = to.map_or(body, |to| to.to_str().unwrap().to_owned());
    (parts, to)
}

/// Lets time pass until everything is deleted.
async fn until_done(t: &mut TestApp, ticket: &Ticket) {
    // The proof ended the grant, so the stored tokens are over.
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_refusal("access_token_invalid");
    t.sim.expect_broken(tiktok_sim::Rule::DeadRefreshTokenUsed);
    for _ in 0..60 {
        t.drain().await;
        if t.standing(ticket).await.row.state == RequestState::Done {
            return;
        }
        t.advance(MINUTE);
    }
    panic!("{:?}", t.standing(ticket).await.row);
}

async fn signing_in_with_tiktok_proves_the_request(stack: Stack) {
    // With and without the scope that tells the username.
    for settings in [&[SCOPES][..], &[]] {
        let mut t = TestApp::start_with(stack, settings).await;
        let own = t.creator(CREATOR).await;
        let names = t.known_by(own.user_id, None, &[CREATOR]).await;
        let ticket = t.ask_for_deletion(CREATOR, None).await;
        let (parts, to) = sign_in(&t, &ticket, CREATOR).await;
        assert_eq!(parts.status, StatusCode::SEE_OTHER, "{to}");
        assert_eq!(to, format!("/privacy/requests/{}", ticket.code));
        let row = t.standing(&ticket).await.row;
        assert_eq!(
            (row.state, row.proof),
            (RequestState::Proven, Some(ProofKind::Tiktok))
        );
        until_done(&mut t, &ticket).await;
        let code = t.standing(&ticket).await.erasure.unwrap();
        let status = erasure::by_code(&t.app, &code).await.unwrap();
        assert!(status.of_user, "the user was this account alone");
        t.assert_gone(&names, &status).await;
        assert!(!t.sim.is_connected(CREATOR));
    }
}

async fn whoever_signs_in_has_nothing_of_others_deleted(stack: Stack) {
    let t = TestApp::start_with(stack, &[SCOPES]).await;
    let (actor, _) = TestApp::user(&t.app, "zelda", &Scope::CREATOR).await;
    let mut t = t;
    t.actor = actor;
    t.connect(CREATOR).await;
    t.sim.account(OTHER, AccountPatch::default());
    // Somebody asks for another's name and signs in as themselves.
    let ticket = t.ask_for_deletion(CREATOR, None).await;
    let (_, to) = sign_in(&t, &ticket, OTHER).await;
    assert_eq!(to, format!("/privacy/requests/{}?proof=other", ticket.code));
    let request = Request::get(&to).body(Body::empty()).unwrap();
    let (_, page) = send(&t, request, "192.0.2.1").await;
    assert!(
        page.contains("somebody else than the request names"),
        "{page}"
    );
    assert_eq!(t.standing(&ticket).await.row.state, RequestState::Open);
    // Somebody about whom nothing is held.
    let own = t.ask_for_deletion(OTHER, None).await;
    let (_, to) = sign_in(&t, &own, OTHER).await;
    assert_eq!(to, format!("/privacy/requests/{}?proof=nothing", own.code));
    assert_eq!(t.standing(&own).await.row.state, RequestState::Open);
    assert!(t.sim.is_connected(CREATOR));
    let left = account::Entity::find().all(t.app.db.read()).await.unwrap();
    assert_eq!(left.len(), 1);
}

async fn whoever_proves_nothing_keeps_their_own_account(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[SCOPES]).await;
    t.creator(CREATOR).await;
    let other = t.creator(OTHER).await;
    let ticket = t.ask_for_deletion(CREATOR, None).await;
    let (_, to) = sign_in(&t, &ticket, OTHER).await;
    assert!(to.ends_with("?proof=other"), "{to}");
    // To revoke the grant of the proof would be to revoke every grant of theirs.
    assert!(t.calls(Endpoint::OauthRevoke).is_empty());
    assert!(t.sim.is_connected(OTHER));
    let media = t.upload().await;
    let post = t.post(TestApp::direct(other.id, media)).await;
    t.run_until(post.id, PostState::Published).await;
}

async fn only_the_page_of_the_request_leads_there(stack: Stack) {
    let t = TestApp::start(stack).await;
    let ticket = t.ask_for_deletion(CREATOR, None).await;
    let path = format!("/privacy/requests/{}/sign-in", ticket.code);
    for site in [Some("cross-site"), None] {
        let mut request = Request::post(&path);
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let request = request.body(Body::empty()).unwrap();
        let (parts, _) = send(&t, request, "192.0.2.1").await;
        assert_eq!(parts.status, StatusCode::FORBIDDEN, "{site:?}");
        assert!(!parts.headers.contains_key(header::SET_COOKIE));
    }
    let ours = |path: &str| {
        Request::post(path)
            .header("sec-fetch-site", "same-origin")
            .body(Body::empty())
            .unwrap()
    };
    let unknown = ours("/privacy/requests/nothing/sign-in");
    assert_eq!(
        send(&t, unknown, "192.0.2.1").await.0.status,
        StatusCode::NOT_FOUND
    );
    for _ in 0..10 {
        press(&t, &ticket).await;
    }
    // Enough is enough: back to the page.
    let (parts, _) = send(&t, ours(&path), "192.0.2.1").await;
    assert_eq!(
        parts.headers[header::LOCATION].to_str().unwrap(),
        format!("/privacy/requests/{}", ticket.code)
    );
}
