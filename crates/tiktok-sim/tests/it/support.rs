//! A simulator with a client beside it: consent, tokens, calls, uploads, and waiting for a condition.

use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tiktok_sim::{AccountPatch, Consent, Sim, SimConfig};
use url::Url;

pub(crate) const ALL_SCOPES: &str =
    "user.info.basic,user.info.profile,user.info.stats,video.list,video.upload,video.publish";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:4000/oauth/tiktok/callback";
/// A verifier and its challenge, from the fact sheet.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str =
    "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3";

const VIDEO_INIT: &str = "/v2/post/publish/video/init/";
const INBOX_INIT: &str = "/v2/post/publish/inbox/video/init/";

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) http: Client,
}

/// An answer taken apart.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Told {
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap()
    }

    pub(crate) fn data(&self, name: &str) -> &Value {
        &self.body["data"][name]
    }
}

pub(crate) async fn told(response: Response) -> Told {
    Told {
        status: response.status().as_u16(),
        body: response.json().await.unwrap(),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(SimConfig::default()).await
    }

    pub(crate) async fn with(config: SimConfig) -> Self {
        let sim = Sim::start(config).await.unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { sim, http }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sim.base_url())
    }

    pub(crate) fn authorize_url(&self, scopes: &str) -> String {
        let config = self.sim.config();
        let mut url = Url::parse(&self.url("/v2/auth/authorize/")).unwrap();
        url.query_pairs_mut()
            .append_pair("client_key", &config.client_key)
            .append_pair("response_type", "code")
            .append_pair("scope", scopes)
            .append_pair("redirect_uri", REDIRECT)
            .append_pair("state", "st&te")
            .append_pair("code_challenge", CHALLENGE)
            .append_pair("code_challenge_method", "S256");
        url.to_string()
    }

    pub(crate) fn consent(&self, username: &str, consent: &Consent) -> Vec<(String, String)> {
        let asked = self.authorize_url(ALL_SCOPES);
        let callback = self.sim.consent(&asked, username, consent).unwrap();
        let url = Url::parse(&callback).unwrap();
        assert!(callback.starts_with(REDIRECT));
        url.query_pairs().into_owned().collect()
    }

    pub(crate) async fn token_call(&self, fields: &[(&str, &str)]) -> Told {
        let config = self.sim.config();
        let mut form = vec![
            ("client_key", config.client_key.as_str()),
            ("client_secret", config.client_secret.as_str()),
        ];
        form.extend(fields);
        let call = self.http.post(self.url("/v2/oauth/token/")).form(&form);
        told(call.send().await.unwrap()).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Told {
        self.token_call(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Told {
        self.token_call(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    /// Creates the account and connects it; gives the token answer.
    pub(crate) async fn connect_as(&self, username: &str, patch: AccountPatch) -> Value {
        self.sim.account(username, patch);
        let callback = self.consent(username, &Consent::All);
        let code = &callback.iter().find(|(name, _)| name == "code").unwrap().1;
        self.exchange(code).await.body
    }

    /// A public account, connected; gives its access token.
    pub(crate) async fn connect(&self, username: &str) -> String {
        let pair = self.connect_as(username, AccountPatch::default()).await;
        pair["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Told {
        let call = self.http.post(self.url(path)).bearer_auth(token).json(body);
        told(call.send().await.unwrap()).await
    }

    pub(crate) async fn creator_info(&self, token: &str) -> Told {
        self.post("/v2/post/publish/creator_info/query/", token, &json!({}))
            .await
    }

    pub(crate) async fn status(&self, token: &str, publish_id: &str) -> Told {
        let body = json!({ "publish_id": publish_id });
        self.post("/v2/post/publish/status/fetch/", token, &body)
            .await
    }

    pub(crate) async fn init(&self, token: &str, privacy: &str, file: &Value) -> Told {
        let body = json!({
            "post_info": {
                "title": "a caption", "privacy_level": privacy, "disable_comment": false,
                "brand_content_toggle": false, "brand_organic_toggle": false,
            },
            "source_info": file,
        });
        self.post(VIDEO_INIT, token, &body).await
    }

    pub(crate) async fn draft(&self, token: &str, file: &Value) -> Told {
        self.post(INBOX_INIT, token, &json!({ "source_info": file }))
            .await
    }

    pub(crate) async fn put(
        &self,
        url: &str,
        bytes: Vec<u8>,
        range: (usize, usize),
        total: usize,
    ) -> Response {
        self.try_put(url, bytes, range, total).await.unwrap()
    }

    pub(crate) async fn try_put(
        &self,
        url: &str,
        bytes: Vec<u8>,
        (first, last): (usize, usize),
        total: usize,
    ) -> reqwest::Result<Response> {
        self.http
            .put(url)
            .header("Content-Type", "video/mp4")
            .header("Content-Range", format!("bytes {first}-{last}/{total}"))
            .body(bytes)
            .send()
            .await
    }

    /// A whole draft of the given bytes; gives the publish id.
    pub(crate) async fn deliver_draft(&self, token: &str, bytes: &[u8]) -> String {
        let opened = self.draft(token, &one_chunk(bytes.len())).await;
        assert_eq!(opened.code(), "ok", "{opened:?}");
        self.send_all(&opened, bytes).await
    }

    /// A whole direct post of the given bytes; gives the publish id.
    pub(crate) async fn deliver_post(&self, token: &str, privacy: &str, bytes: &[u8]) -> String {
        self.creator_info(token).await;
        let opened = self.init(token, privacy, &one_chunk(bytes.len())).await;
        assert_eq!(opened.code(), "ok", "{opened:?}");
        self.send_all(&opened, bytes).await
    }

    async fn send_all(&self, opened: &Told, bytes: &[u8]) -> String {
        let url = opened.data("upload_url").as_str().unwrap();
        let range = (0, bytes.len() - 1);
        let put = self.put(url, bytes.to_vec(), range, bytes.len()).await;
        assert_eq!(put.status(), 201);
        opened.data("publish_id").as_str().unwrap().to_owned()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.sim.clock().advance(Duration::from_secs(seconds));
    }

    pub(crate) fn assert_clean(&self) {
        let verdict = self.sim.verify();
        assert!(verdict.is_clean(), "{verdict}");
    }
}

/// The media description of a file in one chunk.
pub(crate) fn one_chunk(size: usize) -> Value {
    chunked(size, size, 1)
}

pub(crate) fn chunked(size: usize, chunk: usize, count: usize) -> Value {
    json!({
        "source": "FILE_UPLOAD", "video_size": size, "chunk_size": chunk,
        "total_chunk_count": count,
    })
}

/// Bytes that open like an MP4.
pub(crate) fn mp4(size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let mark = b"\0\0\0\x18ftypisom";
    let end = mark.len().min(size);
    bytes[..end].copy_from_slice(&mark[..end]);
    bytes
}

/// Polls until the condition holds; fails after ten seconds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
