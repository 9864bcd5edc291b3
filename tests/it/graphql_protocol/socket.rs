//! `graphql-transport-ws`, message by message, with every close code.

use std::{sync::atomic::Ordering, time::Duration};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::toy::{PATIENCE, Toy, eventually};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(toy: &Toy) -> Self {
        Self::connect_with(toy, &[("sec-websocket-protocol", "graphql-transport-ws")])
            .await
            .unwrap()
    }

    async fn connect_with(toy: &Toy, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = toy.ws_url().into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        connect_async(request).await.map(|(socket, _)| Self(socket))
    }

    /// A socket that has been let in.
    async fn open(toy: &Toy) -> Self {
        let mut client = Self::connect(toy).await;
        client.say(json!({ "type": "connection_init" })).await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }

    async fn say(&mut self, message: Value) {
        self.say_text(message.to_string()).await;
    }

    async fn say_text(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "id": id, "type": "subscribe", "payload": { "query": query } }))
            .await;
    }

    async fn next_frame(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.0.next())
            .await
            .expect("the server is silent")
            .map(Result::unwrap)
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.next_frame().await.expect("the socket has ended") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Reads on until the server closes; gives code and reason.
    async fn closed(mut self) -> (u16, String) {
        loop {
            match self.next_frame().await.expect("no close frame") {
                Message::Close(Some(frame)) => {
                    let reason = frame.reason.as_str().to_owned();
                    assert!(reason.len() <= 123, "{reason}");
                    return (frame.code.into(), reason);
                }
                Message::Close(None) => panic!("a close frame without a code"),
                _ => {}
            }
        }
    }
}

async fn close_code_of(toy: &Toy, text: &str) -> u16 {
    let mut client = Client::open(toy).await;
    client.say_text(text).await;
    client.closed().await.0
}

#[tokio::test]
async fn the_subprotocol_is_required() {
    let toy = Toy::open().await;
    let client = Client::connect_with(&toy, &[]).await.unwrap();
    assert_eq!(client.closed().await.0, 4406);
    let legacy = Client::connect_with(&toy, &[("sec-websocket-protocol", "graphql-ws")]).await;
    assert!(
        legacy.is_err(),
        "the handshake must not accept the old protocol"
    );
}

#[tokio::test]
async fn a_socket_must_introduce_itself_once_and_in_time() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.socket.init_timeout = Duration::from_millis(50);
    })
    .await;
    let client = Client::connect(&toy).await;
    assert_eq!(
        client.closed().await,
        (4408, "Connection initialisation timeout".to_owned())
    );

    let mut client = Client::open(&toy).await;
    client.say(json!({ "type": "connection_init" })).await;
    assert_eq!(
        client.closed().await,
        (4429, "Too many initialisation requests".to_owned())
    );

    // The second while the first is still being looked at.
    let mut client = Client::connect(&toy).await;
    for _ in 0..2 {
        client
            .say(json!({ "type": "connection_init", "payload": { "apiKey": "slow" } }))
            .await;
    }
    assert_eq!(client.closed().await.0, 4429);
}

#[tokio::test]
async fn nothing_runs_before_the_acknowledgement() {
    let toy = Toy::open().await;
    let mut client = Client::connect(&toy).await;
    client.subscribe("1", "{ hello }").await;
    assert_eq!(client.closed().await, (4401, "Unauthorized".to_owned()));

    let mut client = Client::connect(&toy).await;
    client
        .say(json!({ "type": "connection_init", "payload": { "apiKey": "slow" } }))
        .await;
    client.subscribe("1", "{ hello }").await;
    assert_eq!(client.closed().await.0, 4401);
}

#[tokio::test]
async fn callers_are_known_by_payload_or_header() {
    let toy = Toy::with(|_| {}).await;
    for payload in [
        json!({ "Authorization": "Bearer ann" }),
        json!({ "authorization": "bearer ann" }),
        json!({ "apiKey": "ann" }),
    ] {
        let mut client = Client::connect(&toy).await;
        client
            .say(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(client.hear().await["type"], "connection_ack");
        client.subscribe("1", "{ whoami }").await;
        assert_eq!(client.hear().await["payload"]["data"]["whoami"], "ann");
    }
    let headers = [
        ("sec-websocket-protocol", "graphql-transport-ws"),
        ("authorization", "Bearer ann"),
    ];
    let mut client = Client::connect_with(&toy, &headers).await.unwrap();
    client.say(json!({ "type": "connection_init" })).await;
    assert_eq!(client.hear().await["type"], "connection_ack");

    for (payload, code) in [
        (Value::Null, 4403),
        (json!({ "Authorization": "Bearer nobody" }), 4403),
        (json!({ "Authorization": "Basic x" }), 4403),
        (json!({ "apiKey": 7 }), 4403),
        (json!({ "apiKey": "away" }), 1013),
    ] {
        let mut client = Client::connect(&toy).await;
        client
            .say(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(client.closed().await.0, code, "{payload}");
    }
}

#[tokio::test]
async fn ids_are_unique_while_they_run_and_free_afterwards() {
    let toy = Toy::open().await;
    let mut client = Client::open(&toy).await;
    for _ in 0..100 {
        client
            .subscribe("again", "subscription { count(to: 1) }")
            .await;
        assert_eq!(client.hear().await["type"], "next");
        assert_eq!(
            client.hear().await,
            json!({ "id": "again", "type": "complete" })
        );
    }
    client.subscribe("a", "subscription { forever }").await;
    assert_eq!(client.hear().await["type"], "next");
    client.subscribe("a", "{ hello }").await;
    assert_eq!(
        client.closed().await,
        (4409, "Subscriber for a already exists".to_owned())
    );

    let mut client = Client::open(&toy).await;
    let long = "ü".repeat(500);
    for _ in 0..2 {
        client.subscribe(&long, "subscription { forever }").await;
    }
    assert_eq!(client.closed().await.0, 4409);
}

#[tokio::test]
async fn what_is_no_message_closes_the_socket() {
    let toy = Toy::open().await;
    for text in [
        "",
        "not json",
        "[]",
        "7",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"start","id":"1","payload":{"query":"{ hello }"}}"#,
        r#"{"type":"connection_terminate"}"#,
        r#"{"type":"next","id":"1"}"#,
        r#"{"type":"subscribe","id":"1"}"#,
        r#"{"type":"subscribe","payload":{"query":"{ hello }"}}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{ hello }"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"{ hello }","variables":[]}}"#,
        r#"{"type":"complete"}"#,
        r#"{"type":"ping","payload":"x"}"#,
    ] {
        assert_eq!(close_code_of(&toy, text).await, 4400, "{text}");
    }
    let unknown = format!(r#"{{"type":"{}"}}"#, "x".repeat(1_000));
    assert_eq!(close_code_of(&toy, &unknown).await, 4400);
    let mut client = Client::open(&toy).await;
    client
        .0
        .send(Message::binary(b"{}".to_vec()))
        .await
        .unwrap();
    assert_eq!(client.closed().await.0, 4400);
}

#[tokio::test]
async fn messages_have_a_greatest_length() {
    let toy = Toy::open().await;
    let message =
        |bytes: usize| json!({ "type": "ping", "payload": { "x": "y".repeat(bytes) } }).to_string();
    let mut client = Client::open(&toy).await;
    client.say_text(message(60_000)).await;
    assert_eq!(client.hear().await["type"], "pong");
    client.say_text(message(65_536)).await;
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test]
async fn pings_are_answered_with_what_they_carried() {
    let toy = Toy::open().await;
    let mut client = Client::connect(&toy).await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await, json!({ "type": "pong" }));
    client
        .say(json!({ "type": "ping", "payload": { "t": 1 } }))
        .await;
    assert_eq!(
        client.hear().await,
        json!({ "type": "pong", "payload": { "t": 1 } })
    );
    client.say(json!({ "type": "pong" })).await;
    client.say(json!({ "type": "connection_init" })).await;
    assert_eq!(client.hear().await["type"], "connection_ack");
}

#[tokio::test]
async fn all_kinds_of_operations_run() {
    let toy = Toy::open().await;
    let mut client = Client::open(&toy).await;
    client.subscribe("q", "{ hello missing }").await;
    let next = client.hear().await;
    assert_eq!(
        next["payload"]["data"],
        json!({ "hello": "world", "missing": null })
    );
    assert_eq!(
        next["payload"]["errors"][0]["extensions"]["code"],
        "NOT_FOUND"
    );
    assert_eq!(
        client.hear().await,
        json!({ "id": "q", "type": "complete" })
    );
    client.subscribe("m", "mutation { bump }").await;
    assert_eq!(
        client.hear().await["payload"],
        json!({ "data": { "bump": 1 } })
    );
    assert_eq!(client.hear().await["type"], "complete");

    for (query, code) in [
        ("{ nosuch }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("query($n: Int!) { double(n: $n) }", "BAD_USER_INPUT"),
        ("subscription { refused }", "CURSOR_EXPIRED"),
        ("{ panics }", "INTERNAL"),
    ] {
        client.subscribe("e", query).await;
        let error = client.hear().await;
        assert_eq!(error["type"], "error", "{error}");
        assert_eq!(error["payload"][0]["extensions"]["code"], code);
    }
    // No `complete` follows an `error`.
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await["type"], "pong");
}

#[tokio::test]
async fn completing_stops_the_work_without_an_echo() {
    let toy = Toy::open().await;
    let mut client = Client::open(&toy).await;
    client.subscribe("a", "subscription { forever }").await;
    assert_eq!(client.hear().await["type"], "next");
    assert_eq!(toy.streams().await, 1);
    client.say(json!({ "id": "a", "type": "complete" })).await;
    client
        .say(json!({ "id": "unknown", "type": "complete" }))
        .await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await, json!({ "type": "pong" }));
    eventually(|| toy.streams(), |&alive| alive == 0).await;

    client.subscribe("a", "subscription { forever }").await;
    assert_eq!(client.hear().await["type"], "next");
    drop(client);
    eventually(|| toy.streams(), |&alive| alive == 0).await;
}

#[tokio::test]
async fn a_socket_carries_so_many_operations() {
    let toy = Toy::open().await;
    let mut client = Client::open(&toy).await;
    for number in 0..20 {
        client
            .subscribe(&number.to_string(), "subscription { forever }")
            .await;
        assert_eq!(client.hear().await["type"], "next");
    }
    client.subscribe("20", "{ hello }").await;
    let error = client.hear().await;
    assert_eq!(error["id"], "20");
    assert_eq!(
        error["payload"][0]["extensions"]["code"],
        "SUBSCRIPTION_LIMIT"
    );
    client.say(json!({ "id": "3", "type": "complete" })).await;
    client.subscribe("20", "{ hello }").await;
    assert_eq!(client.hear().await["type"], "next");
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_then_dropped() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.socket.ping_every = Duration::from_millis(100);
    })
    .await;
    // Reading answers pings, so this one stays.
    let mut lively = Client::open(&toy).await;
    for _ in 0..5 {
        let frame = lively.next_frame().await.unwrap();
        assert!(matches!(frame, Message::Ping(_)), "{frame:?}");
    }
    lively.subscribe("1", "{ hello }").await;
    assert_eq!(lively.hear().await["type"], "next");

    let mut silent = Client::open(&toy).await;
    silent.subscribe("1", "subscription { forever }").await;
    // It does not read again, so no pong leaves.
    eventually(|| toy.streams(), |&alive| alive == 1).await;
    eventually(|| toy.streams(), |&alive| alive == 0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_so() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.slow_consumer_after = Duration::from_millis(50);
    })
    .await;
    let mut client = Client::open(&toy).await;
    client.subscribe("a", "subscription { flood }").await;
    assert_eq!(client.hear().await["type"], "next");
    // Not reading lets every buffer between us fill up; then the server gives up.
    eventually(|| toy.streams(), |&alive| alive == 0).await;
    let last = loop {
        let message = client.hear().await;
        if message["type"] != "next" {
            break message;
        }
    };
    assert_eq!(last["type"], "error");
    assert_eq!(last["payload"][0]["extensions"]["code"], "SLOW_CONSUMER");
    // The socket itself goes on.
    client.subscribe("a", "{ hello }").await;
    assert_eq!(client.hear().await["payload"]["data"]["hello"], "world");
}

#[tokio::test]
async fn a_socket_ends_with_its_session() {
    let toy = Toy::with(|settings| settings.recheck_every = Duration::from_millis(20)).await;
    let open = async |key: &str| {
        let mut client = Client::connect(&toy).await;
        client
            .say(json!({ "type": "connection_init", "payload": { "apiKey": key } }))
            .await;
        assert_eq!(client.hear().await["type"], "connection_ack");
        client
    };
    let (ann, hour) = (open("ann").await, open("hour").await);
    toy.revoked.store(true, Ordering::SeqCst);
    assert_eq!(ann.closed().await, (4403, "Forbidden".to_owned()));
    toy.clock.advance(Duration::from_secs(3_600));
    assert_eq!(hour.closed().await.0, 4403);
}

#[tokio::test]
async fn a_stopping_server_says_goodbye() {
    let toy = Toy::open().await;
    let mut client = Client::open(&toy).await;
    client.subscribe("a", "subscription { forever }").await;
    assert_eq!(client.hear().await["type"], "next");
    toy.shutdown.cancel();
    assert_eq!(client.closed().await.0, 1001);
}

#[tokio::test]
async fn foreign_pages_open_no_sockets() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.allowed_origins = vec!["https://app.example".to_owned()];
    })
    .await;
    let own = format!("http://{}", toy.address);
    for (origin, allowed) in [
        (own.as_str(), true),
        ("https://app.example", true),
        ("https://evil.example", false),
        ("https://app.example.evil.example", false),
        ("null", false),
    ] {
        let headers = [
            ("sec-websocket-protocol", "graphql-transport-ws"),
            ("origin", origin),
        ];
        match Client::connect_with(&toy, &headers).await {
            Ok(_) => assert!(allowed, "{origin}"),
            Err(Error::Http(response)) => {
                assert!(!allowed, "{origin}");
                assert_eq!(response.status(), 403);
            }
            Err(error) => panic!("{error}"),
        }
    }
}
