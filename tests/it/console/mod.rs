//! The operators' console: its door, its pages, and a browser that uses it.

pub(crate) mod browser;
mod buttons;
mod care;
mod deletions;
pub(crate) mod devtools;
mod door;
mod jobs;
mod oidc;
mod pages;
mod pictures;
pub(crate) mod provider;
mod roles;
mod signing;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use clipqueue::{
    domain::api_keys,
    queue::{self, NewJob},
};
use clipqueue_entities::{
    JobId,
    job::{self, JobState},
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::app::TestApp;

/// What a browser adds to a form of a page of the console.
pub(crate) const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

/// An answer with its body as text.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The cookie that it sets, as a browser sends it back.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header("set-cookie");
        cookie.split(';').next().unwrap().to_owned()
    }
}

pub(crate) fn router(t: &TestApp) -> Router {
    let token = CancellationToken::new;
    clipqueue::http::router(&t.app, None, token(), token())
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let answer = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, 4 << 20).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    form: &str,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if method == "POST" {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(form.to_owned())).unwrap()
}

/// A person at the console.
struct Desk {
    router: Router,
    cookie: String,
}

impl Desk {
    /// Signs in with `key`.
    async fn open(t: &TestApp, key: &str) -> Self {
        let router = router(t);
        let form = format!("key={key}");
        let answer = send(&router, request("POST", "/ops/sign-in", &[OURS], &form)).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        Self {
            router,
            cookie: answer.cookie(),
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let mut all = vec![("cookie", self.cookie.as_str())];
        all.extend_from_slice(headers);
        send(&self.router, request(method, path, &all, form)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// A page that must be there.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        answer.body
    }

    /// Presses a button.
    async fn press(&self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, &[OURS], form).await
    }
}

/// A key with the given scopes, of a user of its own.
async fn key_of(t: &TestApp, name: &str, scopes: &[clipqueue::domain::actor::Scope]) -> String {
    let user = api_keys::ensure_user(&t.app, name).await.unwrap();
    let key = api_keys::create(&t.app, user.id, "desk", scopes, None)
        .await
        .unwrap();
    api_keys::expose(&key).to_owned()
}

/// A harmless job in a state of the caller's choice.
async fn job_in(t: &TestApp, state: JobState, edit: impl FnOnce(&mut job::ActiveModel)) -> JobId {
    let now = t.app.clock.now();
    let new = NewJob {
        queue: "purge".to_owned(),
        kind: "expire_uploads".to_owned(),
        args: serde_json::json!({}),
        lane: String::new(),
        priority: 0,
        run_at: now,
        max_attempts: 5,
        unique_key: None,
    };
    let id = queue::enqueue(t.app.db.write(), now, new)
        .await
        .unwrap()
        .id();
    let mut row = t
        .app
        .queue
        .job(id)
        .await
        .unwrap()
        .unwrap()
        .into_active_model();
    row.state = Set(state);
    if state.is_final() {
        row.finished_at = Set(Some(now));
    }
    if state == JobState::Held {
        row.hold_reason = Set(Some("test".to_owned()));
    }
    edit(&mut row);
    row.update(t.app.db.write()).await.unwrap();
    id
}

/// How the job stands.
async fn state_of(t: &TestApp, id: JobId) -> JobState {
    t.app.queue.job(id).await.unwrap().unwrap().state
}
