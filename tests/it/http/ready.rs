//! Whether a process may be sent work: servers that answer and take nothing do not count.

use clipqueue::http::health::{self, Problem};
use serde_json::Value;

use super::{get, router};
use crate::support::{
    app::{Stack, TestApp},
    servers::RedisServer,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_without_room_is_not_ready() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let t = TestApp::start_with(Stack::Servers, &[("transport.url", url.as_str())]).await;
    let router = router(&t);
    assert_eq!(get(&router, "/readyz").await.status, 200);
    let limit = async |bytes: &str| {
        let set = ["CONFIG", "SET", "maxmemory", bytes];
        redis.command(&set).await.unwrap();
    };
    limit("1").await;
    let answer = get(&router, "/readyz").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_ne!(body["checks"]["transport"], "ok");
    assert_eq!(body["checks"]["database"], "ok");
    // The doctor tells the operator what the server said.
    let checks = health::run_checks(&t.app, false).await;
    let transport = checks.iter().find(|check| check.name == "transport");
    let said = transport.and_then(|check| check.problem.as_ref());
    let said = said.map(Problem::detail).unwrap();
    assert!(said.contains("memory"), "{said}");
    limit("0").await;
    assert_eq!(get(&router, "/readyz").await.status, 200);
}
