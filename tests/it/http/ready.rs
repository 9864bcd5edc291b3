//! Whether a process may be sent work: servers that answer and take nothing do not count.

use std::time::Duration;

use clipqueue::http::health::{self, Problem};
use serde_json::Value;

use super::{get, router};
use crate::support::{
    app::{Stack, TestApp},
    eventually,
    servers::RedisServer,
};

/// How long a machine that is busy with other things may take.
const PATIENCE: Duration = Duration::from_secs(60);

async fn is_ready(router: &axum::Router) {
    eventually(PATIENCE, "it is ready", async || {
        (get(router, "/readyz").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_without_room_is_not_ready() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let t = TestApp::start_with(Stack::Servers, &[("transport.url", url.as_str())]).await;
    let router = router(&t);
    is_ready(&router).await;
    let limit = async |bytes: &str| {
        let set = ["CONFIG", "SET", "maxmemory", bytes];
        redis.command(&set).await.unwrap();
    };
    limit("1").await;
    // A busy machine may answer a check too late.
    eventually(PATIENCE, "Redis alone is not ready", async || {
        let answer = get(&router, "/readyz").await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_ne!(body["checks"]["transport"], "ok");
        (body["checks"]["database"] == "ok").then_some(())
    })
    .await;
    // The doctor tells the operator what the server said.
    let checks = health::run_checks(&t.app, false).await;
    let transport = checks.iter().find(|check| check.name == "transport");
    let said = transport.and_then(|check| check.problem.as_ref());
    let said = said.map(Problem::detail).unwrap();
    assert!(said.contains("memory"), "{said}");
    limit("0").await;
    is_ready(&router).await;
}
