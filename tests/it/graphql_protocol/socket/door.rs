//! Who is let in: the handshake, the introduction, and pages of others.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use super::Client;
use crate::graphql_protocol::toy::Toy;

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
    let hasty = Toy::with(|settings| {
        settings.socket.init_timeout = Duration::from_millis(50);
    })
    .await;
    let client = Client::connect(&hasty).await;
    assert_eq!(
        client.closed().await,
        (4408, "Connection initialisation timeout".to_owned())
    );

    let toy = Toy::with(|settings| settings.anonymous = true).await;
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
