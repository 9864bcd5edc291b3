//! Addresses that are told what happens: signed, at least once, for three days, and never a secret.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clipqueue::domain::{
    events,
    webhooks::{self, EndpointChange, NewEndpoint, replay},
};
use clipqueue_entities::{
    WebhookEndpointId, event, job, post::PostState, webhook_delivery,
    webhook_delivery::DeliveryState, webhook_endpoint,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::Sha256;

use super::server::{Answer, Asked, Server};
use crate::support::{
    app::TestApp,
    flows::{HOUR, MINUTE},
};

crate::on_both_stacks!(
    every_event_is_told_once_signed_and_without_secrets,
    an_address_that_fails_is_tried_for_three_days_and_then_disabled,
    events_whose_follower_was_lost_are_told_by_the_sweep,
);

pub(crate) fn taking() -> Answer {
    Answer::whole("204 No Content", "", b"")
}

pub(crate) async fn endpoint(
    t: &TestApp,
    url: &str,
    kinds: &[&str],
) -> (WebhookEndpointId, SecretString) {
    let new = NewEndpoint {
        url: url.to_owned(),
        description: None,
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
    };
    let key = uuid::Uuid::now_v7().to_string();
    let (row, secret) = webhooks::create(&t.app, &t.actor, new, &key).await.unwrap();
    (row.id, secret.unwrap())
}

pub(super) async fn reload(t: &TestApp, id: WebhookEndpointId) -> webhook_endpoint::Model {
    webhooks::get(&t.app, t.actor.user_id, id).await.unwrap()
}

pub(crate) async fn deliveries(t: &TestApp, id: WebhookEndpointId) -> Vec<webhook_delivery::Model> {
    webhook_delivery::Entity::find()
        .filter(webhook_delivery::Column::EndpointId.eq(id))
        .order_by_asc(webhook_delivery::Column::Id)
        .all(t.app.db.read())
        .await
        .unwrap()
}

/// Whether one of the signatures is that of `secret`, as a receiver would check it.
pub(super) fn signed(asked: &Asked, secret: &SecretString) -> bool {
    let key = secret.expose_secret().strip_prefix("whsec_").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(key).unwrap()).unwrap();
    let (id, at) = (
        asked.header("webhook-id"),
        asked.header("webhook-timestamp"),
    );
    mac.update(format!("{id}.{at}.{}", asked.body).as_bytes());
    let right = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    asked
        .header("webhook-signature")
        .split(' ')
        .any(|one| one == right)
}

async fn every_event_is_told_once_signed_and_without_secrets(mut t: TestApp) {
    let server = Server::start(|_| taking()).await;
    t.names();
    let (id, secret) = endpoint(&t, server.url("/hook").as_str(), &[]).await;
    let start = reload(&t, id).await.cursor;
    let (account, media) = t.ready().await;
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    t.drain().await;

    let log: Vec<event::Model> = events::after(t.app.db.read(), t.actor.user_id, None, start, 1000)
        .await
        .unwrap();
    let asked = server.asked();
    let told: Vec<Value> = asked
        .iter()
        .map(|asked| serde_json::from_str(&asked.body).unwrap())
        .collect();
    // Every event of the log, each once, whatever its place on the way.
    let mut kinds_told: Vec<&str> = told
        .iter()
        .map(|body| body["type"].as_str().unwrap())
        .collect();
    let mut kinds_happened: Vec<&str> = log.iter().map(|event| event.kind.as_str()).collect();
    kinds_told.sort_unstable();
    kinds_happened.sort_unstable();
    assert_eq!(kinds_told, kinds_happened);
    let cursors: BTreeSet<&str> = told
        .iter()
        .map(|body| body["data"]["cursor"].as_str().unwrap())
        .collect();
    assert_eq!(cursors.len(), log.len());
    let ids: BTreeSet<&str> = asked
        .iter()
        .map(|asked| asked.header("webhook-id"))
        .collect();
    assert_eq!(ids.len(), log.len());
    // Every edge of the post.
    let edges: BTreeSet<String> = told
        .iter()
        .filter(|body| body["type"] == "post.state")
        .map(|body| body["data"]["to"].as_str().unwrap().to_owned())
        .collect();
    let passed: BTreeSet<String> = t.states(post.id).await.into_iter().collect();
    assert_eq!(edges, passed);
    assert!(edges.contains("published"), "{edges:?}");
    for asked in &asked {
        assert!(signed(asked, &secret), "{asked:?}");
        assert_eq!(asked.header("content-type"), "application/json");
        let at: i64 = asked.header("webhook-timestamp").parse().unwrap();
        assert!(at <= t.clock.now().as_millis() / 1000);
        // Neither tokens, nor upload addresses, nor the caption, nor the secret itself.
        let whole = format!("{asked:?}");
        for canary in [
            "A clip",
            "act.",
            "rft.",
            "upload_url",
            secret.expose_secret(),
        ] {
            assert!(!whole.contains(canary), "{canary} in {whole}");
        }
    }
    let rows = deliveries(&t, id).await;
    assert!(
        rows.iter()
            .all(|row| row.state == DeliveryState::Delivered && row.tries == 1)
    );
    // At rest the secret is sealed.
    let row = reload(&t, id).await;
    let key = secret.expose_secret().as_bytes();
    assert!(!row.secret.0.windows(key.len()).any(|part| part == key));
}

async fn an_address_that_fails_is_tried_for_three_days_and_then_disabled(mut t: TestApp) {
    let up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let open = std::sync::Arc::clone(&up);
    let server = Server::start(
        move |_| match open.load(std::sync::atomic::Ordering::SeqCst) {
            true => taking(),
            false => Answer::whole("503 Service Unavailable", "", b"later"),
        },
    )
    .await;
    t.names();
    let (id, secret) = endpoint(&t, server.url("/hook").as_str(), &["account.*"]).await;
    t.connect("creator").await;
    t.drain().await;
    let begun = t.clock.now();
    let mut tries = server.asked().len();
    assert_eq!(tries, 1);
    while reload(&t, id).await.enabled {
        assert!(
            t.clock.now().since(begun) < HOUR * 80,
            "it is never disabled"
        );
        t.clock.advance(HOUR / 2);
        t.drain().await;
    }
    let lasted = t.clock.now().since(begun);
    assert!(lasted >= HOUR * 72, "{lasted:?}");
    tries = server.asked().len();
    assert_eq!(tries, 12);
    let ids: BTreeSet<String> = server
        .asked()
        .iter()
        .map(|asked| asked.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids.len(), 1, "every try has the same id");
    let stamps: BTreeSet<String> = server
        .asked()
        .iter()
        .map(|asked| asked.header("webhook-timestamp").to_owned())
        .collect();
    assert_eq!(stamps.len(), tries, "every try is signed anew");
    let row = deliveries(&t, id).await.remove(0);
    assert_eq!(row.state, DeliveryState::Failed);
    let log = replay::attempts(&t.app, row.id).await.unwrap();
    assert_eq!(log.len(), tries);
    assert!(
        log.iter()
            .all(|one| one.status == Some(503) && one.error.as_deref() == Some("status"))
    );
    let endpoint = reload(&t, id).await;
    assert_eq!(endpoint.disabled_reason.as_deref(), Some("failing"));
    let newest = events::newest(t.app.db.read(), t.actor.user_id)
        .await
        .unwrap();
    let notice = event::Entity::find_by_id(newest)
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(notice.kind, "webhook.disabled");

    // Nothing is lost while it is disabled: enabled again, it is told of everything since.
    up.store(true, std::sync::atomic::Ordering::SeqCst);
    t.connect("another").await;
    t.drain().await;
    t.fire_crons().await;
    assert_eq!(server.asked().len(), tries);
    let refused = replay::again(&t.app, &t.actor, row.id).await;
    assert!(refused.is_err());
    let enable = EndpointChange {
        enabled: Some(true),
        ..EndpointChange::default()
    };
    webhooks::update(&t.app, &t.actor, id, enable)
        .await
        .unwrap();
    t.drain().await;
    assert_eq!(server.asked().len(), tries + 1);
    // What was given up is sent again under its id.
    let count = replay::failed_since(&t.app, &t.actor, id, begun)
        .await
        .unwrap();
    assert_eq!(count, 1);
    t.drain().await;
    let asked = server.asked();
    let last = asked.last().unwrap();
    assert_eq!(asked.len(), tries + 2);
    assert!(ids.contains(last.header("webhook-id")) && signed(last, &secret));
    assert!(reload(&t, id).await.failing_since.is_none());
    let rows = deliveries(&t, id).await;
    assert!(rows.iter().all(|row| row.state == DeliveryState::Delivered));
}

async fn events_whose_follower_was_lost_are_told_by_the_sweep(mut t: TestApp) {
    let server = Server::start(|_| taking()).await;
    t.names();
    let (id, _) = endpoint(&t, server.url("/hook").as_str(), &["account.connected"]).await;
    t.connect("creator").await;
    // As after a restore of the rows of jobs, or a follower that ended in the very moment of the event.
    job::Entity::delete_many()
        .filter(job::Column::Kind.eq("follow_events"))
        .exec(t.app.db.write())
        .await
        .unwrap();
    t.drain().await;
    assert_eq!(server.asked().len(), 0);
    t.advance(MINUTE);
    t.fire_crons().await;
    assert_eq!(server.asked().len(), 1);
    // The same for a delivery without a job.
    t.connect("another").await;
    job::Entity::delete_many()
        .filter(job::Column::Kind.eq("follow_events"))
        .exec(t.app.db.write())
        .await
        .unwrap();
    clipqueue::domain::webhooks::follow::follow(&t.app, t.actor.user_id)
        .await
        .unwrap();
    job::Entity::delete_many()
        .filter(job::Column::Kind.eq("deliver_webhook"))
        .exec(t.app.db.write())
        .await
        .unwrap();
    t.drain().await;
    assert_eq!(server.asked().len(), 1);
    t.advance(MINUTE * 2 + Duration::from_secs(1));
    t.fire_crons().await;
    assert_eq!(server.asked().len(), 2);
    assert_eq!(deliveries(&t, id).await.len(), 2);
}
