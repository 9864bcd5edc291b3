//! What users may use and what they keep: plans, rates, the library, keys; and that leaving takes it all.

mod erased;
mod keys;
mod library;
mod life;
mod plans;
mod rates;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use clipqueue::{
    domain::error::{Code, Error, Refusal},
    http,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::app::TestApp;

impl TestApp {
    /// Sends a document through the production router, with the text of a key.
    async fn ask(
        &self,
        key: &str,
        document: &str,
        variables: Value,
    ) -> (StatusCode, HeaderMap, Value) {
        let router = http::router(
            &self.app,
            None,
            CancellationToken::new(),
            CancellationToken::new(),
        );
        let body = json!({ "query": document, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .body(Body::from(body))
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let answer = serde_json::from_slice(&bytes).unwrap();
        (parts.status, parts.headers, answer)
    }
}

/// The one refusal of a request.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(mut refusals)) if refusals.len() == 1 => refusals.remove(0),
        other => panic!("not refused: {other:?}"),
    }
}

/// The code of the one refusal of a request.
fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    refused(result).code
}
