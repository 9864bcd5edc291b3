//! The reference implementations of the protocols, as npm ships them, against the server.
//!
//! `make test` installs them under `tests/clients`.

use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::toy::{PATIENCE, Toy};

/// Runs a script of `tests/clients` and gives the JSON lines that it prints.
async fn node(script: &str, arguments: &[&str]) -> Vec<Value> {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    assert!(
        clients.join("node_modules").is_dir(),
        "The npm clients are not installed. Run `make test`, or `npm ci` in tests/clients."
    );
    let mut child = Command::new("node")
        .arg(clients.join(script))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is not installed");
    let mut output = child.stdout.take().unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let Ok(text) = tokio::time::timeout(PATIENCE * 3, reading).await else {
        child.kill().unwrap();
        panic!("{script} does not end");
    };
    assert!(child.wait().unwrap().success(), "{script} failed");
    text.unwrap()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn every_audit_of_graphql_http_passes() {
    let toy = Toy::open().await;
    let audits = node("audit.mjs", &[&toy.url()]).await;
    let failed: Vec<_> = audits
        .iter()
        .filter(|audit| audit["status"] != "ok")
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(audits.len(), 61);
}

fn counted() -> Vec<Value> {
    vec![
        json!({ "next": { "data": { "count": 1 } } }),
        json!({ "next": { "data": { "count": 2 } } }),
        json!({ "next": { "data": { "count": 3 } } }),
        json!({ "complete": true }),
    ]
}

#[tokio::test]
async fn graphql_ws_sees_results_ends_and_errors() {
    let toy = Toy::open().await;
    let url = toy.ws_url();
    let events = node("ws.mjs", &[&url, "subscription { count(to: 3) }"]).await;
    assert_eq!(events, counted());
    let events = node("ws.mjs", &[&url, "{ hello }"]).await;
    assert_eq!(
        events,
        [
            json!({ "next": { "data": { "hello": "world" } } }),
            json!({ "complete": true })
        ]
    );
    let events = node("ws.mjs", &[&url, "subscription { nosuch }"]).await;
    let error = &events[0]["errors"][0];
    assert_eq!(error["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    let events = node("ws.mjs", &[&url, "subscription { refused }"]).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        events[0]["errors"][0]["extensions"]["code"],
        "CURSOR_EXPIRED"
    );

    let closed = Toy::with(|_| {}).await;
    let events = node("ws.mjs", &[&closed.ws_url(), "{ hello }"]).await;
    assert_eq!(events, [json!({ "closed": 4403, "reason": "Forbidden" })]);
}

#[tokio::test]
async fn graphql_sse_sees_results_ends_and_errors() {
    let toy = Toy::open().await;
    let url = toy.stream_url();
    let events = node("sse.mjs", &[&url, "subscription { count(to: 3) }"]).await;
    assert_eq!(events, counted());
    let events = node("sse.mjs", &[&url, "mutation { bump }"]).await;
    assert_eq!(events[0], json!({ "next": { "data": { "bump": 1 } } }));
    let events = node("sse.mjs", &[&url, "subscription { nosuch }"]).await;
    let error = &events[0]["next"]["errors"][0];
    assert_eq!(error["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(events[1], json!({ "complete": true }));

    let closed = Toy::with(|_| {}).await;
    let events = node("sse.mjs", &[&closed.stream_url(), "{ hello }"]).await;
    assert_eq!(events[0]["status"], 401, "{events:?}");
}
