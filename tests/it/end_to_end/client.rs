//! A front end: GraphQL by POST, files by tus.

use std::{convert::Infallible, future::pending, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{PATIENCE, movie::Movie};
use crate::support::eventually;

/// What a post is asked to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Direct,
    Inbox,
}

impl Kind {
    /// The state in which it is where it was meant to go.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::Direct => "PUBLISHED",
            Self::Inbox => "IN_INBOX",
        }
    }
}

/// What a daemon says that had no time for an answer, or whose database had none.
const BUSY: [&str; 2] = ["TIMEOUT", "UNAVAILABLE"];
/// How often such a daemon is asked.
const TRIES: u32 = 10;

/// What is looked at of a post.
const LOOK: &str = "query($id: ID!) { node(id: $id) { ... on Post {
    state holdReason failure { code message } caption version cancelRequested videos { videoId }
    attempts { number phase publishId bytesAcked outcome } } } }";

/// A client with an API key.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    pub(super) fn new(base: &str, key: &str) -> Self {
        Self {
            http: http(),
            base: base.to_owned(),
            key: key.to_owned(),
        }
    }

    /// Runs an operation that must succeed; gives its data.
    pub(super) async fn run(&self, query: &str, variables: Value) -> Value {
        self.run_patiently(query, variables).await.unwrap()
    }

    /// The same on a daemon that may die.
    async fn run_patiently(&self, query: &str, variables: Value) -> Result<Value, String> {
        for _ in 1..TRIES {
            match self.try_run(query, variables.clone()).await {
                Err(error) if BUSY.contains(&&*error) => {}
                answer => return answer,
            }
        }
        self.try_run(query, variables).await
    }

    /// The same on a daemon that may die, or that had no time: an answer that comes must still be a
    /// success.
    pub(super) async fn try_run(&self, query: &str, variables: Value) -> Result<Value, String> {
        let answer: Value = self
            .http
            .post(format!("{}/graphql", self.base))
            .bearer_auth(&self.key)
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await
            .map_err(|error| error.to_string())?
            .json()
            .await
            .map_err(|error| error.to_string())?;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        if let Some(code) = code.filter(|code| BUSY.contains(code)) {
            return Err(code.to_owned());
        }
        assert!(answer.get("errors").is_none(), "{answer}");
        for payload in answer["data"].as_object().unwrap().values() {
            let errors = payload.get("userErrors").and_then(Value::as_array);
            assert!(errors.is_none_or(Vec::is_empty), "{answer}");
        }
        Ok(answer["data"].clone())
    }

    /// Whether the daemon says that it is ready.
    pub(super) async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// The consent page for a creator who connects.
    pub(super) async fn try_authorize_url(&self) -> Result<String, String> {
        let query = "mutation { connectTikTok(input: {}) { authorizeUrl userErrors { message } } }";
        let data = self.run_patiently(query, json!({})).await?;
        Ok(text(&data["connectTikTok"]["authorizeUrl"]))
    }

    /// Opens a page as a browser would, without the key.
    pub(super) async fn try_open(&self, url: &str) -> Result<String, String> {
        let sent = self.http.get(url).send().await;
        let answer = sent.map_err(|error| error.to_string())?;
        let read = answer.error_for_status().unwrap().text().await;
        read.map_err(|error| error.to_string())
    }

    /// The accounts that the creator connected.
    pub(super) async fn try_accounts(&self, username: &str) -> Result<Vec<String>, String> {
        let query = "{ tiktokAccounts { id displayName } }";
        let data = self.run_patiently(query, json!({})).await?;
        let accounts = data["tiktokAccounts"].as_array().unwrap().iter();
        let theirs = accounts.filter(|account| account["displayName"] == username);
        Ok(theirs.map(|account| text(&account["id"])).collect())
    }

    /// Announces a video: its id, and the address for its bytes.
    pub(super) async fn announce(&self, movie: &Movie) -> (String, String) {
        self.announce_file("movie.mp4", movie.size()).await
    }

    async fn announce_file(&self, filename: &str, size: u64) -> (String, String) {
        let query = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
            media { id } uploadUrl userErrors { message } } }";
        let input = json!({
            "idempotencyKey": Uuid::now_v7().to_string(),
            "filename": filename,
            "size": size.to_string(),
        });
        let data = self.run(query, json!({ "input": input })).await;
        let upload = &data["createUpload"];
        (text(&upload["media"]["id"]), text(&upload["uploadUrl"]))
    }

    /// Sends the bytes of an announced video.
    pub(super) async fn send(&self, url: &str, movie: &Movie) {
        let body = reqwest::Body::wrap_stream(movie.stream());
        self.send_body(url, movie.size(), body).await;
    }

    /// Begins to send the bytes of an announced video, and neither ends nor gives up while the daemon lives.
    pub(super) async fn send_for_ever(&self, url: &str, movie: &Movie) {
        let (began, has_begun) = oneshot::channel();
        let rest = stream::once(async move {
            let _ = began.send(());
            pending::<Result<Bytes, Infallible>>().await
        });
        let body = movie.stream().take(1).chain(rest);
        let request = self
            .http
            .patch(url)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Offset", 0)
            .header("Content-Type", "application/offset+octet-stream")
            .header("Content-Length", movie.size())
            .body(reqwest::Body::wrap_stream(body));
        // Its answer is an error, when the file is erased or the daemon dies.
        tokio::spawn(request.send());
        has_begun.await.unwrap();
    }

    async fn send_body(&self, url: &str, size: u64, body: reqwest::Body) {
        let answer = self
            .http
            .patch(url)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Offset", 0)
            .header("Content-Type", "application/offset+octet-stream")
            .header("Content-Length", size)
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let says = answer.text().await.unwrap();
        assert!(status.is_success(), "{status}: {says}");
    }

    /// Uploads a video.
    pub(super) async fn upload(&self, movie: &Movie) -> String {
        let (media, url) = self.announce(movie).await;
        self.send(&url, movie).await;
        media
    }

    /// Uploads a file that is small.
    pub(super) async fn upload_file(&self, filename: &str, bytes: &'static [u8]) -> String {
        let size = bytes.len() as u64;
        let (media, url) = self.announce_file(filename, size).await;
        self.send_body(&url, size, bytes.into()).await;
        media
    }

    /// Asks for a post; gives its id.
    pub(super) async fn post(&self, account: &str, media: &str, kind: Kind) -> String {
        let key = Uuid::now_v7().to_string();
        for _ in 1..TRIES {
            match self.try_post(&key, account, media, kind, false).await {
                Err(error) if BUSY.contains(&&*error) => {}
                answer => return answer.unwrap(),
            }
        }
        self.try_post(&key, account, media, kind, false)
            .await
            .unwrap()
    }

    /// Asks for a post, or for a draft that is kept, by `key` on a daemon that may die.
    pub(super) async fn try_post(
        &self,
        key: &str,
        account: &str,
        media: &str,
        kind: Kind,
        keep_draft: bool,
    ) -> Result<String, String> {
        let mut input = request(key, account, kind);
        input["mediaId"] = json!(media);
        input["keepDraft"] = json!(keep_draft);
        self.try_create(input).await
    }

    /// Asks for a post as `input` says, on a daemon that may die.
    pub(super) async fn try_create(&self, input: Value) -> Result<String, String> {
        let query = "mutation($input: CreatePostInput!) { createPost(input: $input) {
            post { id } userErrors { field code message } } }";
        let data = self.try_run(query, json!({ "input": input })).await?;
        Ok(text(&data["createPost"]["post"]["id"]))
    }

    /// Changes a post by a mutation, on a daemon that may die.
    pub(super) async fn try_change(
        &self,
        mutation: &str,
        input_type: &str,
        input: Value,
    ) -> Result<(), String> {
        let query = format!(
            "mutation($input: {input_type}!) {{ {mutation}(input: $input) {{
            post {{ id }} userErrors {{ field code message }} }} }}"
        );
        let changed = self.try_run(&query, json!({ "input": input })).await;
        changed.map(drop)
    }

    /// Sends a draft on its way, on a daemon that may die.
    pub(super) async fn try_submit(&self, post: &str) -> Result<(), String> {
        let query = "mutation($id: ID!) { submitPost(input: { id: $id }) {
            post { id } userErrors { field code message } } }";
        self.try_run(query, json!({ "id": post })).await.map(drop)
    }

    /// The post as it stands.
    pub(super) async fn look(&self, post: &str) -> Value {
        let data = self.run(LOOK, json!({ "id": post })).await;
        data["node"].clone()
    }

    /// The same on a daemon that may die.
    pub(super) async fn try_look(&self, post: &str) -> Result<Value, String> {
        let data = self.try_run(LOOK, json!({ "id": post })).await?;
        Ok(data["node"].clone())
    }

    /// What happened to a post, each change with its proof.
    pub(super) async fn timeline(&self, post: &str) -> Vec<Value> {
        let query = "query($id: ID!) { node(id: $id) { ... on Post {
            timeline(first: 100) { edges { node {
            kind from to evidence { source subject } } } } } } }";
        let data = self.run(query, json!({ "id": post })).await;
        let edges = data["node"]["timeline"]["edges"].as_array().unwrap();
        edges.iter().map(|edge| edge["node"].clone()).collect()
    }

    /// Deletes the user whom the key acts for, on a daemon that may die.
    pub(super) async fn try_delete_account(&self, key: &str) -> Result<(), String> {
        let query = "mutation($key: String!) {
            deleteAccount(input: { confirmName: \"ada\", idempotencyKey: $key }) {
            erasure { code } userErrors { field code message } } }";
        self.try_run(query, json!({ "key": key })).await.map(drop)
    }

    /// Whether the daemon knows the key.
    pub(super) async fn is_known(&self) -> bool {
        let asked = self.http.post(format!("{}/graphql", self.base));
        let asked = asked.bearer_auth(&self.key);
        let answer = asked
            .json(&json!({ "query": "{ viewer { id } }" }))
            .send()
            .await;
        answer.unwrap().status().is_success()
    }

    /// Lets no more jobs of a queue begin.
    pub(super) async fn pause(&self, queue: &str) {
        let query = "mutation($queue: String!) { pauseQueue(input: { queue: $queue }) {
            userErrors { field code message } } }";
        self.run(query, json!({ "queue": queue })).await;
    }

    /// Waits until the post is in `state`; fails when it ends elsewhere.
    pub(super) async fn until(&self, post: &str, state: &str) -> Value {
        self.until_within(PATIENCE, post, state).await
    }

    /// The same for at most `limit`.
    pub(super) async fn until_within(&self, limit: Duration, post: &str, state: &str) -> Value {
        let what = format!("the post is {state}");
        eventually(limit, &what, async || {
            let seen = self.look(post).await;
            let now = seen["state"].as_str().unwrap().to_owned();
            assert!(
                now == state || !matches!(&*now, "FAILED" | "MISSED" | "CANCELLED" | "HELD"),
                "{seen}"
            );
            (now == state).then_some(seen)
        })
        .await
    }

    /// The newest job of a kind, as operators see it.
    pub(super) async fn job(&self, kind: &str) -> Value {
        let query = "query($kind: String!) { jobs(filter: { kind: $kind }, first: 1) {
            edges { node { state attempt crashes snoozes } } } }";
        let data = self.run(query, json!({ "kind": kind })).await;
        data["jobs"]["edges"][0]["node"].clone()
    }
}

/// What every request for a post says, by its key.
pub(super) fn request(key: &str, account: &str, kind: Kind) -> Value {
    let mut input = json!({
        "idempotencyKey": key,
        "accountId": account,
        "caption": "A movie",
    });
    if kind == Kind::Direct {
        input["creatorConsent"] = json!(true);
        input["direct"] = json!({
            "privacyLevel": "PUBLIC_TO_EVERYONE",
            "allowComment": true,
            "allowDuet": false,
            "allowStitch": false,
            "disclosesCommercial": false,
            "yourBrand": false,
            "brandedContent": false,
            "aiGenerated": false,
        });
    }
    input
}

/// A client that uses no proxy, and each connection once: a process that was stopped closes what
/// stayed open meanwhile.
pub(super) fn http() -> reqwest::Client {
    // Fails only when it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0);
    builder.tls_certs_only(Vec::new()).build().unwrap()
}

pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}
