//! Webhooks as a receiver gets them: signed, repeated, out of order, in retries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use sha2::Sha256;
use tiktok_sim::SimConfig;

use crate::support::{World, mp4, until};

/// What arrived: signature and body. Answers come from a list, then 200.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(String, Bytes)>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let this = self.clone();
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let signature = headers["tiktok-signature"].to_str().unwrap().to_owned();
            this.got.lock().unwrap().push((signature, body));
            let status = this.answers.lock().unwrap().pop_front().unwrap_or(200);
            StatusCode::from_u16(status).unwrap()
        };
        let app = Router::new().route("/hook", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    fn events(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap())
            .map(|body| body["event"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn world() -> (World, Receiver) {
    let receiver = Receiver::default();
    let mut config = SimConfig::default();
    config.webhooks.url = Some(receiver.start().await);
    (World::with(config).await, receiver)
}

fn is_signed(signature: &str, body: &[u8], secret: &str) -> bool {
    let (t, s) = signature.split_once(',').unwrap();
    let (t, s) = (t.strip_prefix("t=").unwrap(), s.strip_prefix("s=").unwrap());
    let mut mac = <Hmac<Sha256>>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(t.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes()) == s
}

#[tokio::test]
async fn a_post_is_told_and_signed() {
    let (world, receiver) = world().await;
    let pair = world.connect_as("mia", Default::default()).await;
    let token = pair["access_token"].as_str().unwrap();
    let id = world
        .deliver_post(token, "PUBLIC_TO_EVERYONE", &mp4(100))
        .await;
    world.advance(10);
    until("both events arrive", || receiver.count() == 2).await;
    let got = receiver.got.lock().unwrap().clone();
    let secret = world.sim.config().client_secret;
    assert!(
        got.iter()
            .all(|(signature, body)| is_signed(signature, body, &secret))
    );
    assert!(!is_signed(&got[0].0, &got[1].1, &secret));
    let body: Value = serde_json::from_slice(&got[1].1).unwrap();
    assert_eq!(body["event"], "post.publish.publicly_available");
    assert_eq!(body["user_openid"], pair["open_id"]);
    let content: Value = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
    assert_eq!(content["publish_id"], id.as_str());
    assert_eq!(content["publish_type"], "DIRECT_PUBLISH");
    let video = world.sim.videos(Some("mia"))[0].id;
    assert_eq!(content["post_id"], video.to_string());

    world.sim.set_public(video, false).unwrap();
    until("the end of publicity arrives", || receiver.count() == 3).await;
    assert_eq!(
        receiver.events()[2],
        "post.publish.no_longer_publicaly_available"
    );
}

#[tokio::test]
async fn anything_but_200_comes_back_later() {
    let (world, receiver) = world().await;
    *receiver.answers.lock().unwrap() = [500, 204].into();
    world.sim.ping_webhook();
    until("the first attempt", || receiver.count() == 1).await;
    until("the first answer", || {
        world.sim.webhooks()[0].attempts.len() == 1
    })
    .await;
    world.advance(5);
    until("the second attempt", || {
        world.sim.webhooks()[0].attempts.len() == 2
    })
    .await;
    world.advance(9);
    assert_eq!(receiver.count(), 2);
    world.advance(1);
    until("the third attempt", || world.sim.webhooks()[0].delivered).await;
    let statuses: Vec<Option<u16>> = world.sim.webhooks()[0]
        .attempts
        .iter()
        .map(|attempt| attempt.status)
        .collect();
    assert_eq!(statuses, [Some(500), Some(204), Some(200)]);
    let bodies = receiver.got.lock().unwrap().clone();
    assert_eq!(bodies[0].1, bodies[2].1);
}

#[tokio::test]
async fn duplicates_disorder_bad_signatures_and_milliseconds_are_knobs() {
    let (world, receiver) = world().await;
    world.sim.configure(|config| {
        config.webhooks.duplicates = 1;
        config.webhooks.reorder = true;
        config.webhooks.bad_signature = true;
        config.webhooks.ms_timestamps = true;
    });
    let token = world.connect("mia").await;
    world
        .deliver_post(&token, "PUBLIC_TO_EVERYONE", &mp4(100))
        .await;
    world.advance(10);
    until("two events, twice each", || receiver.count() == 4).await;
    let (complete, public) = ("post.publish.complete", "post.publish.publicly_available");
    assert_eq!(receiver.events(), [public, public, complete, complete]);
    let got = receiver.got.lock().unwrap().clone();
    let secret = world.sim.config().client_secret;
    assert!(!is_signed(&got[0].0, &got[0].1, &secret));
    let body: Value = serde_json::from_slice(&got[0].1).unwrap();
    assert!(body["create_time"].as_i64().unwrap() > 100_000_000_000);
}
