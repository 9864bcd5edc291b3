//! A server's life: it starts, answers, drains, and ends.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Installation, PATIENCE, get};
use crate::support::{eventually, servers};

/// Waits until a server is ready; a busy machine may answer a check too late at first.
async fn is_ready(address: SocketAddr) -> String {
    eventually(PATIENCE, "the server is ready", async || {
        let (status, body) = get(address, "/readyz").await?;
        (status == 200).then_some(body)
    })
    .await
}

#[tokio::test]
async fn a_server_answers_its_probes() {
    // Kept: a server whose directory is gone is not ready.
    let home = Installation::new();
    let server = home.serve().await;
    let address = server.public().await;
    assert_eq!(
        get(address, "/livez").await.unwrap(),
        (200, "alive\n".to_owned())
    );
    let body: Value = serde_json::from_str(&is_ready(address).await).unwrap();
    for name in [
        "database",
        "transport",
        "migrations",
        "master_key",
        "media",
        "draining",
    ] {
        assert_eq!(body["checks"][name], "ok");
    }
    let (status, metrics) = get(address, "/metrics").await.unwrap();
    assert_eq!(status, 200);
    assert!(
        metrics.contains("clipqueue_posts{state=\"published\"} 0"),
        "{metrics}"
    );
}

#[tokio::test]
async fn sigterm_drains_and_ends_well() {
    let home = Installation::new().with("http.drain_delay", "3s");
    let mut server = home.serve().await;
    let address = server.public().await;
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0));
    assert!(get(address, "/livez").await.is_none());
    // What it wrote is read beside it.
    eventually(PATIENCE, "its last word is read", async || {
        let last = server.lines().pop()?;
        last.contains("stopped").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    // An hour of draining: whoever waits for it fails this test.
    let home = Installation::new().with("http.drain_delay", "1h");
    let mut server = home.serve().await;
    let address = server.public().await;
    server.signal("TERM");
    eventually(PATIENCE, "the server says that it drains", async || {
        let (status, body) = get(address, "/readyz").await?;
        (status == 503 && body.contains("the process is stopping")).then_some(())
    })
    .await;
    // Still alive, and still answering: only no new work shall come.
    assert_eq!(get(address, "/livez").await.unwrap().0, 200);
    server.signal("INT");
    assert_eq!(server.ended().await, Some(130));
    // What was stored is whole: the next one starts.
    let again = Installation {
        dir: home.dir,
        settings: home.settings,
    };
    again.serve().await;
}

#[tokio::test]
async fn probes_can_have_an_address_of_their_own() {
    let home = Installation::new().with("http.admin_listen", "127.0.0.1:0");
    let server = home.serve().await;
    let (public, admin) = (
        server.public().await,
        server.address("serving probes and metrics").await,
    );
    for (path, outside) in [("/livez", 200), ("/readyz", 404), ("/metrics", 404)] {
        assert_eq!(get(public, path).await.unwrap().0, outside, "{path}");
        assert_eq!(get(admin, path).await.unwrap().0, 200, "{path}");
    }
    assert_eq!(get(admin, "/graphql").await.unwrap().0, 404);
}

#[tokio::test]
async fn api_and_worker_share_the_work_over_real_servers() {
    let postgres = servers::postgres().await.new_database().await;
    let home = Installation::new()
        .with("database.url", postgres)
        .with("database.max_connections", "4")
        .with("transport.url", servers::redis().await.url())
        .with("transport.prefix", servers::redis_prefix());
    let mut api = home.start(&["api"]);
    let public = api.public().await;
    is_ready(public).await;
    let home = home.with("http.admin_listen", "127.0.0.1:0");
    let mut worker = home.start(&["worker", "--queues", "status,tokens"]);
    let admin = worker.address("serving probes and metrics").await;
    is_ready(admin).await;
    assert!(
        !worker
            .lines()
            .iter()
            .any(|line| line.contains("serving HTTP"))
    );
    for process in [&mut api, &mut worker] {
        process.signal("TERM");
        assert_eq!(process.ended().await, Some(0));
    }
}
