//! Jobs and queues, as operators see and steer them.

use serde_json::{Value, json};

use super::{
    fixture::{World, codes},
    posts::inbox_post,
};

#[tokio::test]
async fn a_job_is_found_stopped_and_run_again() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    inbox_post(&world, &tenant, &media, "a").await;
    let lane = tenant.account.id.to_string();
    let list = "query ($filter: JobFilter) { jobs(filter: $filter) { edges { node { id kind queue state lane args runAt failedAttempts { error } } } } }";
    let found = world
        .ask(&tenant, list, json!({ "filter": { "lane": lane, "kind": "upload_post", "state": "SCHEDULED", "queue": "uploads" } }))
        .await;
    let job = &found["jobs"]["edges"][0]["node"];
    assert_eq!(job["args"]["account_id"], json!(lane), "{found}");
    let id = job["id"].clone();
    let none = world
        .ask(
            &tenant,
            list,
            json!({ "filter": { "lane": lane, "state": "RUNNING" } }),
        )
        .await;
    assert_eq!(none["jobs"]["edges"], json!([]));

    let act = |name: &str, input: &str| {
        format!(
            "mutation ($input: {input}!) {{ {name}(input: $input) {{ job {{ id state }} userErrors {{ code field }} }} }}"
        )
    };
    let cancel = act("cancelJob", "CancelJobInput");
    let retry = act("retryJob", "RetryJobInput");
    let stopped = world
        .ask(&tenant, &cancel, json!({ "input": { "id": id } }))
        .await;
    assert_eq!(stopped["cancelJob"]["job"]["state"], "CANCELLED");
    let due = world
        .ask(&tenant, &retry, json!({ "input": { "id": id } }))
        .await;
    assert_eq!(due["retryJob"]["job"]["state"], "AVAILABLE");
    let twice = world
        .ask(&tenant, &retry, json!({ "input": { "id": id } }))
        .await;
    assert_eq!(twice["retryJob"]["userErrors"][0]["code"], "WRONG_STATE");
    let nothing = world
        .ask(&tenant, &retry, json!({ "input": { "id": "nothing" } }))
        .await;
    assert_eq!(
        nothing["retryJob"]["userErrors"][0],
        json!({ "code": "NOT_FOUND", "field": ["input", "id"] })
    );
    let nothing = world
        .run(
            Some(&tenant.actor),
            "{ job(id: \"nothing\") { id } }",
            json!({}),
        )
        .await;
    assert_eq!(codes(&nothing), ["NOT_FOUND"]);
}

#[tokio::test]
async fn a_queue_is_paused_and_resumed() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    inbox_post(&world, &tenant, &media, "a").await;
    let set = |name: &str, input: &str, queue: &str| {
        (
            format!(
                "mutation ($input: {input}!) {{ {name}(input: $input) {{ queue {{ name paused }} userErrors {{ code field }} }} }}"
            ),
            json!({ "input": { "queue": queue } }),
        )
    };
    let (document, variables) = set("pauseQueue", "PauseQueueInput", "uploads");
    let paused = world.ask(&tenant, &document, variables).await;
    assert_eq!(
        paused["pauseQueue"]["queue"],
        json!({ "name": "uploads", "paused": true })
    );

    world.clock.advance(std::time::Duration::from_secs(3601));
    world.drain().await;
    let queues = world
        .ask(&tenant, "{ queues { name paused running depth { state jobs capped } oldestWaitingAt oldestWaitingSeconds } }", json!({}))
        .await;
    let queues = queues["queues"].as_array().unwrap();
    assert_eq!(queues.len(), 4);
    let uploads = queues
        .iter()
        .find(|queue| queue["name"] == "uploads")
        .unwrap();
    assert_eq!(uploads["paused"], true);
    assert_eq!(uploads["oldestWaitingSeconds"], 1.0, "{uploads}");

    let (document, variables) = set("resumeQueue", "ResumeQueueInput", "uploads");
    let resumed = world.ask(&tenant, &document, variables).await;
    assert_eq!(resumed["resumeQueue"]["queue"]["paused"], false);
    let (document, variables) = set("pauseQueue", "PauseQueueInput", "nothing");
    let nothing = world.ask(&tenant, &document, variables).await;
    assert_eq!(nothing["pauseQueue"]["queue"], Value::Null);
    assert_eq!(
        nothing["pauseQueue"]["userErrors"][0],
        json!({ "code": "NOT_FOUND", "field": ["input", "queue"] })
    );
}
