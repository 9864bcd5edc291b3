//! A fake server that records requests and gives scripted answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, header};
use bytes::Bytes;
use futures::stream;
use secrecy::SecretString;
use serde_json::Value;
use tiktok::{AccessToken, Client, Config, Timeouts};
use tokio::net::TcpListener;

/// One scripted answer.
pub(crate) enum Reply {
    /// Status, headers, body.
    Full(u16, Vec<(&'static str, String)>, String),
    /// A body that announces more bytes than it has, then a closed connection.
    Cut(u16, String),
    /// A body without an announced length, endless.
    Endless,
    /// No answer at all.
    Silence,
}

/// One recorded request.
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body)
            .into_owned()
            .collect()
    }
}

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) base: String,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    pub(crate) async fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            replies: Arc::new(Mutex::new(replies.into_iter().collect())),
            seen: Arc::default(),
        };
        let app = axum::Router::new()
            .fallback(answer)
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        fake
    }

    /// A fake with one JSON answer, and a client of it.
    pub(crate) async fn json(status: u16, body: &str) -> (Self, Client) {
        let fake = Self::new([json(status, body)]).await;
        let client = client(&fake.base);
        (fake, client)
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }

    /// The bodies of all requests, in their order.
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|seen| seen.body.clone())
            .collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

pub(crate) fn json(status: u16, body: &str) -> Reply {
    Reply::Full(
        status,
        vec![("content-type", "application/json".into())],
        body.to_owned(),
    )
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        // The sender gave up; nobody reads this.
        return Response::new(Body::empty());
    };
    fake.seen.lock().unwrap().push(Seen {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
    });
    let reply = fake
        .replies
        .lock()
        .unwrap()
        .pop_front()
        .expect("an unscripted request");
    match reply {
        Reply::Full(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Reply::Cut(status, body) => {
            let announced = body.len() + 10;
            let pieces = [Ok(Bytes::from(body)), Err("cut")];
            Response::builder()
                .status(status)
                .header(header::CONTENT_LENGTH, announced)
                .body(Body::from_stream(stream::iter(pieces)))
                .unwrap()
        }
        Reply::Endless => {
            let spaces = || Ok::<_, &str>(Bytes::from_static(&[b' '; 8192]));
            Response::new(Body::from_stream(stream::repeat_with(spaces)))
        }
        Reply::Silence => std::future::pending().await,
    }
}

pub(crate) fn config(base: &str) -> Config {
    let mut config = Config::new("the_key", SecretString::from("the_secret"));
    config.authorize_base = base.parse().unwrap();
    config.api_base = base.parse().unwrap();
    config.upload_hosts = vec!["127.0.0.1:*".parse().unwrap()];
    config
}

pub(crate) fn client(base: &str) -> Client {
    Client::new(config(base)).unwrap()
}

/// A client that loses its patience at once.
pub(crate) fn hasty_client(base: &str, change: impl FnOnce(&mut Timeouts)) -> Client {
    let mut config = config(base);
    change(&mut config.timeouts);
    Client::new(config).unwrap()
}

/// How long such a client waits for what never comes.
pub(crate) const SOON: Duration = Duration::from_millis(150);

pub(crate) fn token() -> AccessToken {
    AccessToken::new("act.s3cret!1.e1")
}

/// Fails if an error shows a secret, itself or down its chain of causes.
pub(crate) fn assert_discreet(error: &tiktok::Error) {
    let mut shown = format!("{error:?}");
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        shown += &format!(" / {error}");
        next = error.source();
    }
    assert!(
        !shown.contains("s3cret") && !shown.contains("the_secret"),
        "{shown}"
    );
}
