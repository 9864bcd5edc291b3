//! What is served over HTTP, apart from the API itself: answers of no route, headers for browsers,
//! metrics, and the pages that creators see.

mod browsers;
mod metrics;
mod pages;
mod ready;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::app::TestApp;

/// An answer with its body as text.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

fn router(t: &TestApp) -> Router {
    let token = CancellationToken::new;
    clipqueue::http::router(&t.app, None, token(), token())
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let answer = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// A request without a body.
fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn get(router: &Router, path: &str) -> Answer {
    send(router, request("GET", path, &[])).await
}
