//! A tus client that sends one request at a time and sees everything of the answer.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use tower::ServiceExt;

use super::fixture::Fixture;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: serde_json::Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
            .to_str()
            .unwrap()
    }

    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Checks the status and the code of an error, and that it has a sentence.
    pub(crate) fn refuses(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code()), (status, code));
        assert!(!self.body["message"].as_str().unwrap().is_empty());
    }
}

pub(crate) struct Client {
    pub(crate) router: Router,
    pub(crate) key: Option<String>,
}

impl Client {
    pub(crate) fn new(fixture: &Fixture) -> Self {
        Self {
            router: fixture.router(),
            key: Some(fixture.user.to_string()),
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let request = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    pub(crate) async fn tus(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("tus-resumable", "1.0.0")];
        all.extend_from_slice(headers);
        self.send(method, path, &all, Body::empty()).await
    }

    pub(crate) async fn create(&self, size: usize) -> String {
        let size = size.to_string();
        let made = self
            .tus(Method::POST, "/uploads", &[("upload-length", &size)])
            .await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(made.header("upload-offset"), "0");
        made.header("location").to_owned()
    }

    /// An answer to HEAD has no body, so only its status tells.
    pub(crate) async fn refuses_head(&self, path: &str, status: u16) {
        let answer = self.tus(Method::HEAD, path, &[]).await;
        assert_eq!(answer.status, status);
    }

    pub(crate) async fn patch(
        &self,
        path: &str,
        offset: usize,
        bytes: &[u8],
        headers: &[(&str, &str)],
    ) -> Answer {
        let offset = offset.to_string();
        let mut all = vec![
            ("tus-resumable", "1.0.0"),
            ("content-type", "application/offset+octet-stream"),
            ("upload-offset", offset.as_str()),
        ];
        all.extend_from_slice(headers);
        self.send(Method::PATCH, path, &all, bytes.to_vec()).await
    }
}
