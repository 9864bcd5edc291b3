//! Subscriptions: what comes is complete, in order, and can be resumed.

use std::time::Duration;

use clipqueue::{
    domain::events::{self, NewEvent},
    job::Jobs,
};
use clipqueue_entities::{PostId, event};
use futures::StreamExt as _;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    fixture::{Tenant, World, codes, next, next_by, quiet},
    posts::inbox_post,
};

const EVENTS: &str = "subscription ($after: String, $post: ID) { postEvents(after: $after, postId: $post) { cursor kind from to postId post { state } bytesSent } }";

async fn cancel(world: &World, tenant: &Tenant, id: &str) {
    let document =
        "mutation ($input: CancelPostInput!) { cancelPost(input: $input) { userErrors { code } } }";
    world
        .ask(tenant, document, json!({ "input": { "id": id } }))
        .await;
}

/// Appends an event as another process would whose signal got lost.
async fn silently(world: &World, tenant: &Tenant, post: PostId, sent: i64) {
    let new = NewEvent {
        user_id: tenant.actor.user_id,
        account_id: Some(tenant.account.id),
        post_id: Some(post),
        kind: "post.progress",
        data: json!({ "bytes_sent": sent }),
        evidence_id: None,
    };
    events::append_in_tx(world.app.db.write(), world.clock.now(), new)
        .await
        .unwrap();
}

fn inner(id: &str) -> PostId {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap();
    PostId(Uuid::parse_str(text.split_once(':').unwrap().1).unwrap())
}

#[tokio::test]
async fn a_post_is_given_at_once_and_after_each_change() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let id = inbox_post(&world, &tenant, &media, "a").await;
    let document =
        "subscription ($id: ID) { postUpdated(postId: $id) { cursor post { id state } } }";
    let mut stream = world.watch(Some(&tenant.actor), document, json!({ "id": id }));
    let first = next(&mut stream).await;
    assert_eq!(
        first["data"]["postUpdated"]["post"]["state"], "SCHEDULED",
        "{first}"
    );
    cancel(&world, &tenant, &id).await;
    let second = next(&mut stream).await;
    assert_eq!(
        second["data"]["postUpdated"]["post"],
        json!({ "id": id, "state": "CANCELLED" })
    );
    assert_ne!(
        second["data"]["postUpdated"]["cursor"],
        first["data"]["postUpdated"]["cursor"]
    );
}

#[tokio::test]
async fn posts_of_one_account_are_watched_without_those_of_others() {
    let world = World::new().await;
    let alice = world.tenant("alice").await;
    let bob = world.tenant("bob").await;
    let start = world
        .ask(
            &alice,
            "{ viewer { eventCursor } tiktokAccounts { id } }",
            json!({}),
        )
        .await;
    let theirs = world.media(&bob.actor).await;
    inbox_post(&world, &bob, &theirs, "bob's").await;
    let own = world.media(&alice.actor).await;
    inbox_post(&world, &alice, &own, "alice's").await;
    let document = "subscription ($account: ID, $after: String) { postUpdated(accountId: $account, after: $after) { post { experimentLabel } } }";
    let variables = json!({
        "account": start["tiktokAccounts"][0]["id"],
        "after": start["viewer"]["eventCursor"],
    });
    let mut stream = world.watch(Some(&alice.actor), document, variables);
    let first = next(&mut stream).await;
    assert_eq!(
        first["data"]["postUpdated"]["post"]["experimentLabel"],
        "alice's"
    );
    quiet(&mut stream).await;
}

#[tokio::test]
async fn nothing_is_missed_over_a_reconnect() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let viewer = world
        .ask(&tenant, "{ viewer { eventCursor } }", json!({}))
        .await;
    let start = viewer["viewer"]["eventCursor"].clone();
    let id = inbox_post(&world, &tenant, &media, "a").await;

    let mut stream = world.watch(Some(&tenant.actor), EVENTS, json!({ "after": start }));
    let created = next(&mut stream).await["data"]["postEvents"].take();
    assert_eq!(created["kind"], "post.created");
    drop(stream);
    // While nobody listens.
    cancel(&world, &tenant, &id).await;
    let mut stream = world.watch(
        Some(&tenant.actor),
        EVENTS,
        json!({ "after": created["cursor"] }),
    );
    let submitted = next(&mut stream).await["data"]["postEvents"].take();
    assert_eq!(
        (&submitted["from"], &submitted["to"]),
        (&json!("DRAFT"), &json!("SCHEDULED"))
    );
    let cancelled = next(&mut stream).await["data"]["postEvents"].take();
    assert_eq!(cancelled["to"], "CANCELLED");
    assert_eq!(cancelled["post"]["state"], "CANCELLED");
    // And live from there on.
    inbox_post(&world, &tenant, &media, "b").await;
    let live = next(&mut stream).await["data"]["postEvents"].take();
    assert_eq!(live["kind"], "post.created");
    assert_ne!(live["postId"], json!(id));
}

#[tokio::test]
async fn events_come_in_order_across_many_scans() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let id = inbox_post(&world, &tenant, &media, "a").await;
    let viewer = world
        .ask(&tenant, "{ viewer { eventCursor } }", json!({}))
        .await;
    for sent in 0..250 {
        silently(&world, &tenant, inner(&id), sent).await;
    }
    let after = viewer["viewer"]["eventCursor"].clone();
    let stream = world.watch(
        Some(&tenant.actor),
        EVENTS,
        json!({ "after": after, "post": id }),
    );
    let seen: Vec<Value> = stream
        .take(250)
        .map(|mut event| event["data"]["postEvents"]["bytesSent"].take())
        .collect()
        .await;
    let expected: Vec<Value> = (0..250).map(|sent| json!(sent.to_string())).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_lost_signal_costs_time_and_no_event() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let id = inbox_post(&world, &tenant, &media, "a").await;
    let document = "subscription ($id: ID) { postUpdated(postId: $id) { cursor post { state } } }";
    let mut stream = world.watch(Some(&tenant.actor), document, json!({ "id": id }));
    let first = next(&mut stream).await;
    quiet(&mut stream).await;
    silently(&world, &tenant, inner(&id), 7).await;
    let second = next_by(&world.clock, Duration::from_secs(15), &mut stream).await;
    assert_ne!(
        second["data"]["postUpdated"]["cursor"],
        first["data"]["postUpdated"]["cursor"]
    );
}

#[tokio::test]
async fn an_expired_or_foreign_cursor_is_told_apart_from_an_empty_stream() {
    let world = World::new().await;
    let alice = world.tenant("alice").await;
    let bob = world.tenant("bob").await;
    let media = world.media(&alice.actor).await;
    inbox_post(&world, &alice, &media, "a").await;
    let viewer = world
        .ask(&alice, "{ viewer { eventCursor } }", json!({}))
        .await;
    let cursor = viewer["viewer"]["eventCursor"].clone();
    let mut stream = world.watch(Some(&bob.actor), EVENTS, json!({ "after": cursor }));
    assert_eq!(codes(&next(&mut stream).await), ["CURSOR_EXPIRED"]);
    event::Entity::delete_many()
        .exec(world.app.db.write())
        .await
        .unwrap();
    let mut stream = world.watch(Some(&alice.actor), EVENTS, json!({ "after": cursor }));
    assert_eq!(codes(&next(&mut stream).await), ["CURSOR_EXPIRED"]);
    let mut stream = world.watch(Some(&alice.actor), EVENTS, json!({ "after": "nonsense" }));
    assert_eq!(codes(&next(&mut stream).await), ["BAD_USER_INPUT"]);
}

#[tokio::test]
async fn jobs_are_seen_as_they_change() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    inbox_post(&world, &tenant, &media, "a").await;
    let jobs = world
        .ask(
            &tenant,
            "{ jobs(filter: { kind: \"upload_post\" }) { edges { node { id } } } }",
            json!({}),
        )
        .await;
    let id = jobs["jobs"]["edges"][0]["node"]["id"].clone();
    let by_id = "subscription ($id: ID) { jobUpdated(id: $id) { id state } }";
    let mut stream = world.watch(Some(&tenant.actor), by_id, json!({ "id": id }));
    let first = next(&mut stream).await;
    assert_eq!(first["data"]["jobUpdated"]["state"], "SCHEDULED");
    let cancel =
        "mutation ($input: CancelJobInput!) { cancelJob(input: $input) { userErrors { code } } }";
    world
        .ask(&tenant, cancel, json!({ "input": { "id": id } }))
        .await;
    let second = next(&mut stream).await;
    assert_eq!(
        second["data"]["jobUpdated"],
        json!({ "id": id, "state": "CANCELLED" })
    );
}

#[tokio::test]
async fn every_watcher_sees_the_queues_change() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let document = "subscription { queueStats { name paused } }";
    let mut one = world.watch(Some(&tenant.actor), document, json!({}));
    let mut two = world.watch(Some(&tenant.actor), document, json!({}));
    let first = next(&mut one).await;
    assert_eq!(first, next(&mut two).await);
    assert_eq!(
        first["data"]["queueStats"].as_array().unwrap().len(),
        Jobs::QUEUES.len()
    );
    let pause = "mutation { pauseQueue(input: { queue: \"status\" }) { userErrors { code } } }";
    world.ask(&tenant, pause, json!({})).await;
    let changed = next_by(&world.clock, Duration::from_secs(2), &mut one).await;
    let paused = |answer: &Value| {
        let queues = answer["data"]["queueStats"].as_array().unwrap().clone();
        queues
            .iter()
            .any(|queue| queue["name"] == "status" && queue["paused"] == true)
    };
    assert!(paused(&changed), "{changed}");
    assert!(paused(&next(&mut two).await));
    drop((one, two));
    // The last watcher is gone; the next one gets a fresh sample.
    let mut later = world.watch(Some(&tenant.actor), document, json!({}));
    assert!(paused(&next(&mut later).await));
}
