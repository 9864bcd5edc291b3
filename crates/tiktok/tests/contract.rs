//! The client against the strict simulator, endpoint by endpoint: what the client sends breaks no
//! rule, and what the simulator answers is read. The two share no types.

#![allow(clippy::unwrap_used, reason = "tests fail by unwrapping")]

use std::time::Duration;

use axum::{Router, body::Body, http::header, response::Response, routing::get};
use secrecy::SecretString;
use tiktok::{
    AccessToken, Class, Client, Config, PublishState, RefreshToken, Scopes, chunks,
    oauth::{AuthorizationCode, Authorize, Callback, CsrfToken},
    pkce,
    publish::{Disclosure, PhotoMode, PhotoPost, PhotoSet, VideoPost, VideoSource},
    upload::{ChunkBody, VideoType},
    user::UserFields,
    video::VideoIds,
    webhook,
};
use tiktok_sim::{AccountPatch, Consent, Sim, SimConfig};
use url::Url;

const REDIRECT: &str = "http://127.0.0.1:4000/oauth/tiktok/callback";
const SCOPES: &str =
    "user.info.basic,user.info.profile,user.info.stats,video.list,video.upload,video.publish";
/// The simulator looks at the first bytes only.
const CLIP: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom and some frames";

struct Bench {
    sim: Sim,
    client: Client,
    access: AccessToken,
    refresh: RefreshToken,
}

async fn bench(change: impl FnOnce(&mut SimConfig)) -> Bench {
    let mut knobs = SimConfig::default();
    change(&mut knobs);
    let (key, secret) = (knobs.client_key.clone(), knobs.client_secret.clone());
    let sim = Sim::start(knobs).await.unwrap();
    sim.account("mia", AccountPatch::default());
    let mut config = Config::new(key, SecretString::from(secret));
    let base: Url = sim.base_url().parse().unwrap();
    config.authorize_base = base.clone();
    config.api_base = base;
    config.upload_hosts = vec!["127.0.0.1:*".parse().unwrap()];
    let client = Client::new(config).unwrap();

    let verifier = pkce::new_verifier();
    let redirect: Url = REDIRECT.parse().unwrap();
    let url = client.authorize_url(&Authorize {
        redirect_uri: &redirect,
        scopes: &Scopes::parse(SCOPES),
        state: &CsrfToken::new_random(),
        verifier: &verifier,
        always_ask: true,
    });
    let back = sim.consent(url.as_str(), "mia", &Consent::All).unwrap();
    let Callback::Granted { code, .. } = Callback::parse(back.split_once('?').unwrap().1).unwrap()
    else {
        panic!("denied");
    };
    let code: AuthorizationCode = code;
    let connected = client
        .exchange_code(&code, &redirect, &verifier)
        .await
        .unwrap()
        .value;
    Bench {
        sim,
        client,
        access: connected.tokens.access_token,
        refresh: connected.tokens.refresh_token.unwrap(),
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let verdict = self.sim.verify();
            assert!(verdict.is_clean(), "{verdict}");
        }
    }
}

/// Serves one picture on loopback.
async fn picture() -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = get(|| async {
        Response::builder()
            .header(header::CONTENT_TYPE, "image/jpeg")
            .body(Body::from(&b"\xff\xd8\xff\xe0 a picture \xff\xd9"[..]))
            .unwrap()
    });
    let router = Router::new().route("/photos/1.jpg", serve);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/photos/1.jpg").parse().unwrap()
}

async fn post_video(bench: &Bench) -> tiktok::PublishId {
    bench.client.creator_info(&bench.access).await.unwrap();
    let plan = chunks::plan(CLIP.len() as u64).unwrap();
    let post = VideoPost {
        title: Some("Größe 😀 #clip".to_owned()),
        privacy_level: tiktok::PrivacyLevel::PublicToEveryone,
        disable_duet: true,
        disable_stitch: true,
        disable_comment: false,
        cover_timestamp_ms: Some(100),
        disclosure: Disclosure {
            branded_content: false,
            own_brand: true,
        },
        is_aigc: true,
    };
    let source = VideoSource::FileUpload(plan);
    let init = bench
        .client
        .init_video(&bench.access, &post, &source)
        .await
        .unwrap()
        .value;
    let accepted = bench
        .client
        .upload_chunk(
            &init.upload_url.unwrap(),
            plan.range(0).unwrap(),
            VideoType::Mp4,
            ChunkBody::bytes(CLIP),
        )
        .await
        .unwrap()
        .value;
    assert!(accepted.complete);
    bench.sim.clock().advance(Duration::from_secs(600));
    init.publish_id
}

#[tokio::test]
async fn a_video_is_posted_listed_and_queried_with_exact_ids() {
    let bench = bench(|_| {}).await;
    let publish_id = post_video(&bench).await;
    let status = bench
        .client
        .publish_status(&bench.access, &publish_id)
        .await
        .unwrap()
        .value;
    assert_eq!(status.state, PublishState::PublishComplete);
    let videos = bench.sim.videos(Some("mia"));
    assert_eq!(status.post_ids[0].as_str(), videos[0].id.to_string());

    let page = bench
        .client
        .list_videos(&bench.access, None, 20)
        .await
        .unwrap()
        .value;
    assert_eq!(page.videos.len(), 1);
    assert!(!page.has_more);
    let ids = VideoIds::new(status.post_ids.clone()).unwrap();
    let queried = bench
        .client
        .query_videos(&bench.access, &ids)
        .await
        .unwrap()
        .value;
    assert_eq!(queried[0].id, status.post_ids[0]);
    assert!(queried[0].share_url.is_some());

    bench.sim.expect_refusal("publish_not_cancellable");
    let refused = bench
        .client
        .cancel(&bench.access, &publish_id)
        .await
        .unwrap_err();
    assert_eq!(refused.class(), Class::NotCancellable);
}

#[tokio::test]
async fn the_profile_has_what_the_scopes_show() {
    let bench = bench(|_| {}).await;
    let fields = UserFields::covered_by(&Scopes::parse(SCOPES)).unwrap();
    let user = bench
        .client
        .user_info(&bench.access, &fields)
        .await
        .unwrap()
        .value;
    assert_eq!(user.username.as_deref(), Some("mia"));
    assert!(user.follower_count.is_some());
    assert!(user.open_id.is_some());
}

#[tokio::test]
async fn photos_are_pulled_and_a_draft_waits_in_the_inbox() {
    let url = picture().await;
    let prefix = url.join("/photos/").unwrap().to_string();
    let bench = bench(|knobs| {
        knobs.pulls.allow = true;
        knobs.pulls.loopback_http = true;
        knobs.pulls.verified = vec![prefix];
    })
    .await;
    let post = PhotoPost {
        title: Some("A picture".to_owned()),
        description: Some("of something".to_owned()),
        photos: PhotoSet::new(vec![url], 0).unwrap(),
        mode: PhotoMode::Draft,
        is_aigc: false,
    };
    let publish_id = bench
        .client
        .init_photo(&bench.access, &post)
        .await
        .unwrap()
        .value;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        // The pull takes real time; the processing after it takes the simulator's.
        bench.sim.clock().advance(Duration::from_secs(61));
        let state = bench
            .client
            .publish_status(&bench.access, &publish_id)
            .await
            .unwrap()
            .value
            .state;
        if state == PublishState::SendToUserInbox {
            return;
        }
        assert!(state.in_progress(), "{state}");
        assert!(tokio::time::Instant::now() < deadline, "still {state}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn tokens_rotate_and_a_grant_ends() {
    let bench = bench(|_| {}).await;
    let fresh = bench.client.refresh(&bench.refresh).await.unwrap().value;
    bench.sim.expect_refusal("invalid_grant");
    bench
        .sim
        .expect_broken(tiktok_sim::Rule::DeadRefreshTokenUsed);
    let dead = bench.client.refresh(&bench.refresh).await.unwrap_err();
    assert_eq!(dead.class(), Class::GrantDead);

    let access = fresh.tokens.access_token;
    bench.client.revoke(&access).await.unwrap();
    assert!(!bench.sim.is_connected("mia"));
    bench.sim.expect_refusal("access_token_invalid");
    let rejected = bench.client.creator_info(&access).await.unwrap_err();
    assert_eq!(rejected.class(), Class::TokenRejected);
}

#[tokio::test]
async fn a_webhook_is_signed_as_the_client_checks_it() {
    let (seen, mut deliveries) = tokio::sync::mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let receive = axum::routing::post(
        move |headers: axum::http::HeaderMap, body: bytes::Bytes| async move {
            seen.send((headers, body)).unwrap();
        },
    );
    let router = Router::new().route("/hook", receive);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let bench = bench(|knobs| knobs.webhooks.url = Some(format!("http://{address}/hook"))).await;
    let secret = SecretString::from(bench.sim.config().client_secret);
    post_video(&bench).await;
    let (headers, body) = tokio::time::timeout(Duration::from_secs(20), deliveries.recv())
        .await
        .unwrap()
        .unwrap();
    let signature = headers
        .get(webhook::SIGNATURE_HEADER)
        .unwrap()
        .to_str()
        .unwrap();
    webhook::verify(&secret, signature, &body).unwrap();
    let notice = webhook::Notice::parse(&body).unwrap();
    assert_eq!(
        notice.client_key.as_deref(),
        Some(bench.sim.config().client_key.as_str())
    );
}
