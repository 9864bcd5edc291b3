//! The event stream, as bytes.

use std::{sync::atomic::Ordering, time::Duration};

use reqwest::{Method, Response};
use serde_json::json;

use super::toy::{PATIENCE, Toy, code, eventually};

async fn open(toy: &Toy, query: &str, token: &str) -> Response {
    toy.request(Method::POST, &toy.stream_url())
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .bearer_auth(token)
        .body(json!({ "query": query }).to_string())
        .send()
        .await
        .unwrap()
}

/// Reads until `mark` has come.
async fn until(response: &mut Response, mark: &str) -> String {
    let mut text = String::new();
    let reading = async {
        while !text.contains(mark) {
            let Some(chunk) = response.chunk().await.unwrap() else {
                panic!("ended without {mark:?}: {text}");
            };
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("no end");
    text
}

#[tokio::test]
async fn results_are_events_and_silence_has_comments() {
    let toy = Toy::with(|settings| settings.sse_comment_every = Duration::from_millis(20)).await;
    let response = open(&toy, "subscription { count(to: 2) }", "ann").await;
    assert_eq!(
        response.headers()["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    let text = response.text().await.unwrap();
    let events: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(':'))
        .map(str::trim_end)
        .collect();
    assert_eq!(
        events,
        [
            "event: next",
            "data: {\"data\":{\"count\":1}}",
            "event: next",
            "data: {\"data\":{\"count\":2}}",
            "event: complete",
            "data:",
        ]
    );
    let mut response = open(&toy, "subscription { forever }", "ann").await;
    until(&mut response, "\"forever\":1").await;
    until(&mut response, ":").await;
}

#[tokio::test]
async fn the_work_stops_when_the_client_leaves() {
    let toy = Toy::open().await;
    let mut response = open(&toy, "subscription { forever }", "ann").await;
    until(&mut response, "\"forever\":1").await;
    assert_eq!(toy.streams().await, 1);
    drop(response);
    eventually(|| toy.streams(), |&alive| alive == 0).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let toy = Toy::with(|settings| settings.recheck_every = Duration::from_millis(20)).await;
    let mut response = open(&toy, "subscription { forever }", "ann").await;
    until(&mut response, "\"forever\":1").await;
    toy.revoked.store(true, Ordering::SeqCst);
    let text = until(&mut response, "event: complete").await;
    assert!(text.contains("UNAUTHENTICATED"), "{text}");

    let mut response = open(&toy, "subscription { forever }", "hour").await;
    until(&mut response, "\"forever\":1").await;
    toy.clock.advance(Duration::from_secs(3_600));
    let text = until(&mut response, "event: complete").await;
    assert!(text.contains("UNAUTHENTICATED"), "{text}");
}

#[tokio::test]
async fn a_stopping_server_ends_streams_without_completing_them() {
    let toy = Toy::open().await;
    let mut response = open(&toy, "subscription { forever }", "ann").await;
    until(&mut response, "\"forever\":1").await;
    toy.shutdown.cancel();
    let rest = tokio::time::timeout(PATIENCE, response.text())
        .await
        .unwrap();
    assert!(!rest.unwrap().contains("complete"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_so() {
    let toy = Toy::with(|settings| {
        settings.anonymous = true;
        settings.slow_consumer_after = Duration::from_millis(50);
    })
    .await;
    let mut response = open(&toy, "subscription { flood }", "ann").await;
    until(&mut response, "flood").await;
    // Nothing more is read while the server fills every buffer between us and gives up.
    eventually(|| toy.streams(), |&alive| alive == 0).await;
    let text = tokio::time::timeout(PATIENCE * 3, response.text())
        .await
        .unwrap()
        .unwrap();
    assert!(
        text.ends_with("event: complete\ndata: \n\n"),
        "{}",
        &text[text.len() - 80..]
    );
    assert!(text[text.len() - 400..].contains("SLOW_CONSUMER"));
}

#[tokio::test]
async fn only_posts_that_want_events_are_served() {
    let toy = Toy::open().await;
    let (status, answer) = toy.send(toy.request(Method::GET, &toy.stream_url())).await;
    assert_eq!((status, code(&answer)), (405, "METHOD_NOT_ALLOWED"));
    let post = |accept: &'static str, body: &'static str| {
        toy.send(
            toy.request(Method::POST, &toy.stream_url())
                .header("content-type", "application/json")
                .header("accept", accept)
                .body(body),
        )
    };
    let (status, _) = post("application/json", r#"{"query":"{ hello }"}"#).await;
    assert_eq!(status, 406);
    let (status, answer) = post("text/event-stream", "{").await;
    assert_eq!((status, code(&answer)), (400, "BAD_REQUEST"));
    let (status, answer) = post("text/event-stream", r#"[{"query":"{ hello }"}]"#).await;
    assert_eq!((status, code(&answer)), (400, "BATCH_LIMIT"));
}
