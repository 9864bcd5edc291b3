//! How a socket ends that says nothing wrong: silence, a slow reader, the session, the server.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::Client;
use crate::graphql_protocol::toy::{Toy, eventually};

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
    assert_eq!(silent.hear().await["type"], "next");
    // It does not read again, so no pong leaves.
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
