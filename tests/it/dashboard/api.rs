//! GraphQL with the cookie of a session: what it opens, and for which pages.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use clipqueue::{
    domain::user_sessions,
    graphql::schema,
    http::{
        auth::Keys,
        graphql::{self, AuthFailure, Authenticate, Credentials, Session, Settings},
    },
};
use futures::{SinkExt as _, StreamExt as _, future::BoxFuture};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use tokio_util::sync::CancellationToken;

use super::{Person, sessions};
use crate::{
    console::{router, send},
    on_both_stacks,
    support::{
        app::{Stack, TestApp},
        eventually,
    },
};

on_both_stacks!(a_cookie_opens_what_is_the_users_and_nothing_of_operators);

/// What is asked for in these tests.
const VIEWER: &str = "{ viewer { name scopes } }";

async fn ask(t: &TestApp, cookie: &str, headers: &[(&str, &str)], document: &str) -> Value {
    let mut request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("host", "clips.test")
        .header("cookie", format!("clipqueue-session={cookie}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Body::from(json!({ "query": document }).to_string());
    let answer = send(&router(t), request.body(body).unwrap()).await;
    serde_json::from_str(&answer.body).unwrap()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
}

async fn a_cookie_opens_what_is_the_users_and_nothing_of_operators(t: TestApp) {
    t.connect("creator").await;
    let person = Person::signed_in(&t, "creator").await;
    let cookie = person.session().unwrap().to_owned();
    let ours = [("sec-fetch-site", "same-origin")];
    let answer = ask(&t, &cookie, &ours, VIEWER).await;
    assert_eq!(answer["data"]["viewer"]["name"], "ada", "{answer}");
    let scopes = answer["data"]["viewer"]["scopes"].as_array().unwrap();
    assert!(
        scopes
            .iter()
            .all(|scope| !scope.as_str().unwrap().starts_with("OPS"))
    );
    // The user of this session has a key that may do everything; the session may not.
    let answer = ask(&t, &cookie, &ours, "{ queues { name } }").await;
    assert_eq!(code(&answer), "FORBIDDEN", "{answer}");
    // A page of the same address may say so by `Origin`, too.
    let answer = ask(&t, &cookie, &[("origin", "http://clips.test")], VIEWER).await;
    assert_eq!(answer["data"]["viewer"]["name"], "ada", "{answer}");

    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.test"),
        ],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
        &[],
    ] {
        let answer = ask(&t, &cookie, headers, VIEWER).await;
        assert!(
            matches!(code(&answer), "FORBIDDEN" | "UNAUTHENTICATED"),
            "{headers:?}: {answer}"
        );
        assert_eq!(answer["data"], Value::Null, "{headers:?}");
    }
    // A key counts before the cookie, and a wrong one is not made good by it.
    let both = [ours[0], ("authorization", "Bearer nonsense")];
    assert_eq!(
        code(&ask(&t, &cookie, &both, VIEWER).await),
        "UNAUTHENTICATED"
    );

    let session = user_sessions::resume(&t.app, &cookie)
        .await
        .unwrap()
        .unwrap();
    user_sessions::end(&t.app, t.actor.user_id, session.id)
        .await
        .unwrap();
    assert_eq!(
        code(&ask(&t, &cookie, &ours, VIEWER).await),
        "UNAUTHENTICATED"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_and_a_socket_take_the_cookie_from_a_page_of_ours() {
    let t = TestApp::start(Stack::Embedded).await;
    t.connect("creator").await;
    let site = crate::console::browser::serve(&t).await;
    let person = Person::signed_in(&t, "creator").await;
    let cookie = format!("clipqueue-session={}", person.session().unwrap());
    let host = site.base.strip_prefix("http://").unwrap().to_owned();
    let address = format!("ws://{host}/graphql");
    for (origin, opens) in [
        (site.base.clone(), true),
        ("https://evil.test".to_owned(), false),
    ] {
        let mut request = address.as_str().into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("cookie", cookie.parse().unwrap());
        headers.insert("origin", origin.parse().unwrap());
        headers.insert(
            "sec-websocket-protocol",
            "graphql-transport-ws".parse().unwrap(),
        );
        let opened = tokio_tungstenite::connect_async(request).await;
        assert_eq!(opened.is_ok(), opens, "{origin}");
        let Ok((mut socket, _)) = opened else {
            continue;
        };
        let say = |message: Value| Message::text(message.to_string());
        socket
            .send(say(json!({ "type": "connection_init" })))
            .await
            .unwrap();
        let payload = json!({ "query": VIEWER });
        let ask = json!({ "id": "1", "type": "subscribe", "payload": payload });
        let mut said = Vec::new();
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == "connection_ack" {
                socket.send(say(ask.clone())).await.unwrap();
            }
            said.push(message);
            if said.len() == 2 {
                break;
            }
        }
        assert_eq!(
            said[1]["payload"]["data"]["viewer"]["name"], "ada",
            "{said:?}"
        );
    }
    let stream = Request::post("/graphql/stream")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("sec-fetch-site", "same-origin")
        .header("cookie", &cookie)
        .body(Body::from(json!({ "query": VIEWER }).to_string()))
        .unwrap();
    let answer = send(&router(&t), stream).await;
    assert!(answer.body.contains("\"name\":\"ada\""), "{}", answer.body);
}

/// The product's own look at credentials, with a count of the looks at what stays open.
struct Counted {
    keys: Keys,
    looks: Arc<AtomicUsize>,
}

impl Authenticate for Counted {
    fn authenticate<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Session, AuthFailure>> {
        self.keys.authenticate(credentials)
    }

    fn recheck<'a>(
        &'a self,
        credentials: Credentials<'a>,
    ) -> BoxFuture<'a, Result<Session, AuthFailure>> {
        Box::pin(async move {
            let checked = self.keys.recheck(credentials).await;
            self.looks.fetch_add(1, Ordering::SeqCst);
            checked
        })
    }

    fn cookie(&self, headers: &HeaderMap) -> Option<SecretString> {
        self.keys.cookie(headers)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_socket_is_no_use_of_a_session() {
    let t = TestApp::start(Stack::Embedded).await;
    t.connect("creator").await;
    let person = Person::signed_in(&t, "creator").await;
    let looks = Arc::new(AtomicUsize::new(0));
    let stop = CancellationToken::new();
    let router = graphql::router(graphql::Endpoint {
        engine: graphql::Engine::new(schema::build(t.app.clone())),
        auth: Arc::new(Counted {
            keys: Keys::new(t.app.clone()),
            looks: Arc::clone(&looks),
        }),
        settings: Settings {
            recheck_every: Duration::from_millis(20),
            ..Settings::default()
        },
        clock: t.app.clock.clone(),
        shutdown: stop.clone(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(clipqueue::http::serve(listener, router, stop.clone()));
    let _stop = stop.drop_guard();

    let mut request = format!("ws://{host}/graphql")
        .into_client_request()
        .unwrap();
    for (name, value) in [
        (
            "cookie",
            format!("clipqueue-session={}", person.session().unwrap()),
        ),
        ("origin", format!("http://{host}")),
        ("sec-websocket-protocol", "graphql-transport-ws".to_owned()),
    ] {
        let headers = request.headers_mut();
        headers.insert(name, value.parse().unwrap());
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let init = json!({ "type": "connection_init" }).to_string();
    socket.send(Message::text(init)).await.unwrap();
    let Some(Ok(Message::Text(said))) = socket.next().await else {
        panic!("the socket does not open");
    };
    assert!(said.contains("connection_ack"), "{said}");

    // Six days it stays open, and is looked at. Nobody does anything.
    let seen_at = sessions(&t).await[0].seen_at;
    t.advance(Duration::from_secs(6 * 86_400));
    let before = looks.load(Ordering::SeqCst);
    let patience = Duration::from_secs(20);
    eventually(patience, "the session is looked at twice", async || {
        (looks.load(Ordering::SeqCst) >= before + 2).then_some(())
    })
    .await;
    assert_eq!(sessions(&t).await[0].seen_at, seen_at);
    // A week without use ends it, open or not.
    t.advance(Duration::from_secs(86_400));
    let closed = tokio::time::timeout(patience, async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
                Some(Ok(_)) => {}
                other => panic!("closed without a word: {other:?}"),
            }
        }
    });
    assert_eq!(closed.await.unwrap(), 4403);
    assert!(sessions(&t).await.is_empty());
}
