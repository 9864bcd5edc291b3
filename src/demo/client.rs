//! A front end's client: GraphQL by POST, subscriptions by server-sent events, uploads by tus.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use futures::stream::BoxStream;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::events;

/// One call of the demo may take this long.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A client with an API key.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    graphql: String,
}

impl Client {
    pub(super) fn new(api: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {key}"))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        Ok(Self {
            http: reqwest::Client::builder()
                .default_headers(headers)
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(Duration::from_secs(5))
                .build()?,
            graphql: format!("http://{api}/graphql"),
        })
    }

    /// Runs an operation; gives its data. Errors and user errors end the demo.
    pub(super) async fn run(&self, query: &str, variables: Value) -> anyhow::Result<Value> {
        let answer: Value = self
            .http
            .post(&self.graphql)
            .timeout(CALL_TIMEOUT)
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await?
            .json()
            .await?;
        if let Some(errors) = answer.get("errors") {
            anyhow::bail!("GraphQL errors: {errors}");
        }
        let data = answer.get("data").cloned().context("no data")?;
        for (field, payload) in data.as_object().into_iter().flatten() {
            if let Some(errors) = payload.get("userErrors").and_then(Value::as_array)
                && !errors.is_empty()
            {
                anyhow::bail!("{field} was refused: {}", json!(errors));
            }
        }
        Ok(data)
    }

    /// Starts a subscription; gives the data of each event.
    pub(super) async fn subscribe(
        &self,
        query: &str,
        variables: Value,
    ) -> anyhow::Result<BoxStream<'static, anyhow::Result<Value>>> {
        let response = self
            .http
            .post(format!("{}/stream", self.graphql))
            .header(ACCEPT, "text/event-stream")
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await?
            .error_for_status()?;
        Ok(events::decode(response.bytes_stream()))
    }

    /// Uploads a file to the address that `createUpload` gave, in two pieces.
    pub(super) async fn upload(&self, url: &str, bytes: &'static [u8]) -> anyhow::Result<()> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let mut offset = 0;
        for piece in [first, second] {
            self.http
                .patch(url)
                .timeout(CALL_TIMEOUT)
                .header("Tus-Resumable", "1.0.0")
                .header("Upload-Offset", offset)
                .header("Content-Type", "application/offset+octet-stream")
                .body(piece)
                .send()
                .await?
                .error_for_status()
                .context("the upload was refused")?;
            offset += piece.len();
        }
        Ok(())
    }

    /// Reads a JSON document that anybody may have.
    pub(super) async fn json(&self, url: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.open(url).await?)?)
    }

    /// Opens a page as a browser would, without the key.
    pub(super) async fn open(&self, url: &str) -> anyhow::Result<String> {
        let page = reqwest::Client::builder()
            .no_proxy()
            .build()?
            .get(url)
            .timeout(CALL_TIMEOUT)
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?;
        Ok(page)
    }
}
