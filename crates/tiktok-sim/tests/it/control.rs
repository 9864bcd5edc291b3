//! The control endpoints, and a simulator served on a listener.

use serde_json::{Value, json};
use tiktok_sim::{SimConfig, serve};

use crate::support::{World, mp4};

async fn call(world: &World, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let method = method.parse().unwrap();
    let call = world
        .http
        .request(method, world.url(&format!("/_sim{path}")));
    let call = if body.is_null() {
        call
    } else {
        call.json(body)
    };
    let answer = call.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn another_process_can_do_all_of_it() {
    let world = World::new().await;
    let new = json!({"username": "mia", "nickname": "Mia"});
    assert_eq!(
        call(&world, "POST", "/accounts", &new).await.1["nickname"],
        "Mia"
    );
    let typo = json!({"username": "mia", "privat": true});
    assert_eq!(call(&world, "POST", "/accounts", &typo).await.0, 400);
    let changed = call(
        &world,
        "PATCH",
        "/accounts/mia",
        &json!({"max_duration_sec": 60}),
    )
    .await;
    assert_eq!(changed.1["max_duration_sec"], 60);
    assert_eq!(
        call(&world, "PATCH", "/accounts/nobody", &json!({}))
            .await
            .0,
        404
    );

    let url = world.authorize_url("user.info.basic,video.upload");
    let body = json!({"authorize_url": url, "account": "mia"});
    let (_, answer) = call(&world, "POST", "/consent", &body).await;
    let callback = url::Url::parse(answer["callback_url"].as_str().unwrap()).unwrap();
    let code = callback.query_pairs().next().unwrap().1.into_owned();
    let token = world.exchange(&code).await.body;
    let token = token["access_token"].as_str().unwrap();

    let fault = json!({"endpoint": "inbox_init", "kind": "status", "status": 503});
    assert_eq!(call(&world, "POST", "/faults", &fault).await.1["id"], 1);
    let typo = json!({"endpoint": "status", "kind": "rate_limit", "time": 2});
    assert_eq!(call(&world, "POST", "/faults", &typo).await.0, 400);
    let body = json!({ "source_info": crate::support::one_chunk(100) });
    let init = world.url("/v2/post/publish/inbox/video/init/");
    let hit = world
        .http
        .post(init)
        .bearer_auth(token)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(hit.status(), 503);
    assert_eq!(
        call(&world, "GET", "/faults", &Value::Null).await.1[0]["hits"],
        1
    );
    call(&world, "DELETE", "/faults", &Value::Null).await;

    let id = world.deliver_draft(token, &mp4(100)).await;
    let before = call(&world, "GET", "/clock", &Value::Null).await.1["now_ms"]
        .as_i64()
        .unwrap();
    call(&world, "POST", "/clock/advance", &json!({"ms": 10_000})).await;
    let after = call(&world, "GET", "/clock", &Value::Null).await.1["now_ms"]
        .as_i64()
        .unwrap();
    assert!(after >= before + 10_000);
    let finish = format!("/drafts/{id}/finish");
    let (_, posted) = call(&world, "POST", &finish, &json!({"caption": "done"})).await;
    assert!(posted["post_id"].is_u64());
    let (_, rows) = call(&world, "GET", "/publishes", &Value::Null).await;
    assert_eq!(rows[0]["reach"], "INBOX");
    assert_eq!(rows[1]["caption"], "done");
    let (_, calls) = call(&world, "GET", "/ledger?endpoint=upload", &Value::Null).await;
    assert_eq!(calls.as_array().unwrap().len(), 1);
    let change = json!({"caps": {"pending_drafts": 1}});
    let (_, config) = call(&world, "PATCH", "/config", &change).await;
    assert_eq!(
        (
            &config["caps"]["pending_drafts"],
            &config["caps"]["posts_per_creator"]
        ),
        (&json!(1), &json!(15))
    );
    let wrong = call(&world, "PATCH", "/config", &json!({"cap": 1})).await;
    assert_eq!(wrong.0, 400);
    let (_, verdict) = call(&world, "GET", "/verify", &Value::Null).await;
    assert_eq!(verdict["clean"], true, "{verdict}");
    let (_, hooks) = call(&world, "GET", "/webhooks", &Value::Null).await;
    assert_eq!(hooks[0]["event"], "post.publish.inbox_delivered");
}

#[tokio::test]
async fn serve_ends_with_its_shutdown() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let config = SimConfig::default();
    let running = tokio::spawn(serve(config, listener, async {
        let _ = stopped.await;
    }));
    let health = format!("http://{address}/_sim/health");
    let answer = world.http.get(health).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "ok");
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn dropping_the_last_handle_stops_it() {
    let World { sim, http } = World::new().await;
    let health = format!("{}/_sim/health", sim.base_url());
    assert_eq!(http.get(&health).send().await.unwrap().status(), 200);
    let other = sim.clone();
    drop(sim);
    assert_eq!(http.get(&health).send().await.unwrap().status(), 200);
    drop(other);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while http.get(&health).send().await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "it still answers");
        tokio::task::yield_now().await;
    }
}
