//! What messages do, and those that close the socket.

use futures::SinkExt as _;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::Client;
use crate::graphql_protocol::toy::{Toy, eventually};

async fn close_code_of(toy: &Toy, text: &str) -> u16 {
    let mut client = Client::open(toy).await;
    client.say_text(text).await;
    client.closed().await.0
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
