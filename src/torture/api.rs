//! A front end that meets dying servers: GraphQL by POST, files by tus. It repeats nothing by itself.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::{Value, json};
use tiktok::chunks::SINGLE_CHUNK_MAX;

use super::{doubt::Doubt, plan::Way};

/// How long one request may take: a stopped process answers nobody.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long one upload of a large film may take on a busy machine.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(30);

/// A client of one process.
#[derive(Clone, Debug)]
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// What a post became.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) state: String,
    pub(super) hold_reason: String,
    pub(super) doubts: Vec<Doubt>,
    /// Whether its last attempt has an id by which TikTok can be asked.
    pub(super) can_be_asked: bool,
    /// The whole answer, for people.
    pub(super) answer: Value,
}

impl Seen {
    /// Nothing more will happen to it by itself, or it is where it was meant to go.
    pub(super) fn has_ended(&self) -> bool {
        [
            "PUBLISHED",
            "IN_INBOX",
            "FAILED",
            "CANCELLED",
            "MISSED",
            "LAPSED",
        ]
        .contains(&&*self.state)
    }
}

/// What the rules of the API refused, and nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("{mutation} was refused: {errors}")]
pub(super) struct Refused {
    mutation: String,
    errors: Value,
}

impl Refused {
    /// Whether `field` was refused with `code`.
    pub(super) fn says(&self, code: &str, field: &str) -> bool {
        let errors = self.errors.as_array().into_iter().flatten();
        errors
            .filter(|error| error["code"] == code)
            .filter_map(|error| error["field"].as_array()?.last()?.as_str())
            .any(|last| last == field)
    }
}

/// A client without a proxy and without connections that are kept: the other side dies often.
pub(super) fn http() -> anyhow::Result<reqwest::Client> {
    // Fails only when it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .pool_max_idle_per_host(0)
        .build()?)
}

impl Api {
    pub(super) fn new(http: &reqwest::Client, base: String, key: &str) -> Self {
        Self {
            http: http.clone(),
            base,
            key: key.to_owned(),
        }
    }

    async fn run(&self, query: &str, variables: Value) -> anyhow::Result<Value> {
        let answer: Value = self
            .http
            .post(format!("{}/graphql", self.base))
            .bearer_auth(&self.key)
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await?
            .json()
            .await?;
        let errors = &answer["errors"];
        anyhow::ensure!(errors.is_null(), "GraphQL errors: {errors}");
        for (field, payload) in answer["data"].as_object().into_iter().flatten() {
            let errors = &payload["userErrors"];
            let none = errors.as_array().is_none_or(Vec::is_empty);
            if !none {
                let mutation = field.clone();
                let errors = errors.clone();
                return Err(Refused { mutation, errors }.into());
            }
        }
        Ok(answer["data"].clone())
    }

    pub(super) async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(super) async fn authorize_url(&self) -> anyhow::Result<String> {
        let query = "mutation { connectTikTok(input: {}) { authorizeUrl userErrors { message } } }";
        let data = self.run(query, json!({})).await?;
        text(&data["connectTikTok"]["authorizeUrl"])
    }

    /// Opens a page as a browser would, without the key.
    pub(super) async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.http.get(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// The account of a creator who is connected.
    pub(super) async fn account(&self, username: &str) -> anyhow::Result<String> {
        let data = self
            .run("{ tiktokAccounts { id displayName status } }", json!({}))
            .await?;
        let accounts = data["tiktokAccounts"].as_array().context("no accounts")?;
        let account = accounts
            .iter()
            .find(|account| account["displayName"] == username && account["status"] == "ACTIVE")
            .with_context(|| format!("{username} is not connected"))?;
        text(&account["id"])
    }

    /// Jobs that are not done, of the whole installation.
    pub(super) async fn live_jobs(&self) -> anyhow::Result<u64> {
        let data = self
            .run("{ queues { depth { state jobs } } }", json!({}))
            .await?;
        let queues = data["queues"].as_array().context("no queues")?;
        let counts = queues
            .iter()
            .flat_map(|queue| queue["depth"].as_array().into_iter().flatten());
        Ok(counts
            .filter(|count| {
                let over = ["COMPLETED", "CANCELLED", "DISCARDED"];
                !over.iter().any(|state| count["state"] == *state)
            })
            .filter_map(|count| count["jobs"].as_u64())
            .sum())
    }

    /// Stores a file; gives its id.
    pub(super) async fn upload(
        &self,
        key: &str,
        name: &str,
        bytes: Bytes,
    ) -> anyhow::Result<String> {
        let patience = if bytes.len() as u64 > SINGLE_CHUNK_MAX {
            UPLOAD_PATIENCE
        } else {
            PATIENCE
        };
        let query = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
            media { id } uploadUrl userErrors { message } } }";
        let input = json!({
            "idempotencyKey": key,
            "filename": name,
            "size": bytes.len().to_string(),
        });
        let data = self.run(query, json!({ "input": input })).await?;
        let upload = &data["createUpload"];
        // The address names the process that made it; any of them takes the bytes.
        let path = text(&upload["uploadUrl"])?;
        let path = path.split_once("/uploads/").context("an upload address")?.1;
        let answer = self
            .http
            .patch(format!("{}/uploads/{path}", self.base))
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Offset", 0)
            .header("Content-Type", "application/offset+octet-stream")
            .timeout(patience)
            .body(bytes)
            .send()
            .await?;
        answer.error_for_status()?;
        text(&upload["media"]["id"])
    }

    /// Asks for a post by `key`; gives its id.
    pub(super) async fn post(
        &self,
        key: &str,
        account: &str,
        media: &str,
        way: Way,
        publish_at: Option<&str>,
    ) -> anyhow::Result<String> {
        let mut input = json!({
            "idempotencyKey": key,
            "accountId": account,
            "caption": key,
            "keepDraft": way == Way::Draft,
            "publishAt": publish_at,
        });
        if way == Way::Photo {
            input["photos"] = json!({ "mediaIds": [media], "autoAddMusic": false });
        } else {
            input["mediaId"] = json!(media);
        }
        if way != Way::Inbox {
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
        let query = "mutation($input: CreatePostInput!) { createPost(input: $input) {
            post { id state version caption } userErrors { field code message } } }";
        let data = self.run(query, json!({ "input": input })).await?;
        let created = &data["createPost"]["post"];
        let post = text(&created["id"])?;
        if way == Way::Draft {
            if created["state"] == "DRAFT" && created["caption"] == key {
                let query = "mutation($input: UpdatePostInput!) { updatePost(input: $input) {
                    post { id } userErrors { field code message } } }";
                let input = json!({
                    "id": post,
                    "expectedVersion": created["version"],
                    "changes": { "caption": caption(key, way), "creatorConsent": true },
                });
                self.run(query, json!({ "input": input })).await?;
            }
            let query = "mutation($id: ID!) { submitPost(input: { id: $id }) {
                post { id } userErrors { field code message } } }";
            self.run(query, json!({ "id": post })).await?;
        }
        Ok(post)
    }

    /// Stops a post; gives the state that it has then.
    pub(super) async fn stop(&self, post: &str) -> anyhow::Result<String> {
        let query = "mutation($id: ID!) { cancelPost(input: { id: $id }) {
            post { state } userErrors { field code message } } }";
        let data = self.run(query, json!({ "id": post })).await?;
        text(&data["cancelPost"]["post"]["state"])
    }

    /// Runs one of an operator's mutations of a queue.
    pub(super) async fn operate(&self, mutation: &str, queue: &str) -> anyhow::Result<()> {
        let query = format!(
            "mutation($queue: String!) {{ {mutation}(input: {{ queue: $queue }}) {{
            userErrors {{ code message }} }} }}"
        );
        self.run(&query, json!({ "queue": queue })).await.map(drop)
    }

    /// The post as it stands.
    pub(super) async fn look(&self, post: &str) -> anyhow::Result<Seen> {
        let query = "query($id: ID!) { node(id: $id) { ... on Post {
            state holdReason failure { code message }
            attempts { number phase publishId outcome }
            timeline(first: 100) {
                pageInfo { hasNextPage }
                edges { node { kind from to createdAt } } } } } }";
        let data = self.run(query, json!({ "id": post })).await?;
        let node = &data["node"];
        let last = node["attempts"].as_array().and_then(|all| all.last());
        let timeline = &node["timeline"];
        let whole = timeline["pageInfo"]["hasNextPage"] == false;
        anyhow::ensure!(whole, "the timeline of {post} is too long to be judged");
        let edges = timeline["edges"].as_array().context("a timeline")?;
        let doubts = Doubt::all(edges.iter().map(|edge| &edge["node"]))?;
        Ok(Seen {
            state: text(&node["state"])?,
            hold_reason: node["holdReason"].as_str().unwrap_or_default().to_owned(),
            doubts,
            can_be_asked: last.is_some_and(|attempt| attempt["publishId"].is_string()),
            answer: node.clone(),
        })
    }
}

/// What a post asked for by `key` says in the end: a draft is edited before it goes.
pub(super) fn caption(key: &str, way: Way) -> String {
    match way {
        Way::Draft => format!("{key}, edited"),
        _ => key.to_owned(),
    }
}

pub(super) fn text(value: &Value) -> anyhow::Result<String> {
    value
        .as_str()
        .map(ToOwned::to_owned)
        .with_context(|| format!("{value} is no text"))
}
