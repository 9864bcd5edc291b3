//! Jobs and queues, as operators see and steer them.

use clipqueue::job::Jobs;
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
    assert_eq!(queues.len(), Jobs::QUEUES.len());
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

#[tokio::test]
async fn an_act_on_many_jobs_is_previewed_carried_out_and_on_record() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    inbox_post(&world, &tenant, &media, "a").await;
    inbox_post(&world, &tenant, &media, "b").await;
    let filter = json!({ "kind": "upload_post", "state": "SCHEDULED" });
    let preview = "query ($filter: JobFilter!) { bulkPreview(action: CANCEL, filter: $filter) { matched capped asOf sample { kind state } } }";
    let seen = world
        .ask(&tenant, preview, json!({ "filter": filter }))
        .await;
    assert_eq!(seen["bulkPreview"]["matched"], 2, "{seen}");
    assert_eq!(seen["bulkPreview"]["sample"][0]["kind"], "upload_post");
    let start = "mutation ($input: StartBulkActInput!) { startBulkAct(input: $input) { bulkAct { id total state filter } userErrors { code field } } }";
    let input = json!({ "action": "CANCEL", "filter": filter, "asOf": seen["bulkPreview"]["asOf"], "idempotencyKey": "one" });
    let started = world.ask(&tenant, start, json!({ "input": input })).await;
    let act = &started["startBulkAct"]["bulkAct"];
    assert_eq!(act["total"], 2, "{started}");
    assert_eq!(act["filter"]["state"], "scheduled");
    world.drain().await;
    let done = world
        .ask(
            &tenant,
            "query ($id: ID!) { bulkAct(id: $id) { state done failed job { kind state } } node(id: $id) { __typename } bulkActs { edges { node { id } } } }",
            json!({ "id": act["id"] }),
        )
        .await;
    assert_eq!(done["bulkAct"]["state"], "COMPLETED", "{done}");
    assert_eq!(done["bulkAct"]["done"], 2);
    assert_eq!(done["bulkAct"]["job"]["state"], "COMPLETED");
    assert_eq!(done["node"]["__typename"], "BulkAct");
    assert_eq!(done["bulkActs"]["edges"][0]["node"]["id"], act["id"]);
    let empty = world
        .run(Some(&tenant.actor), preview, json!({ "filter": {} }))
        .await;
    assert_eq!(codes(&empty), ["BAD_USER_INPUT"]);

    let drain = "mutation { drainQueue(input: { queue: \"status\" }) { queue { paused draining drained } userErrors { code } } }";
    let drained = world.ask(&tenant, drain, json!({})).await;
    assert_eq!(
        drained["drainQueue"]["queue"],
        json!({ "paused": true, "draining": true, "drained": true })
    );
    let log = world
        .ask(
            &tenant,
            "{ auditLog { edges { node { id action subject outcome userName details } } } canaries { queue stale } overdue { posts jobs leases tokens } driftReports { at } }",
            json!({}),
        )
        .await;
    let entries = log["auditLog"]["edges"].as_array().unwrap();
    let actions: Vec<&str> = entries
        .iter()
        .map(|edge| edge["node"]["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["queue.drain", "bulk.completed", "bulk.start"]);
    assert_eq!(entries[0]["node"]["subject"], "queue:status");
    assert_eq!(entries[0]["node"]["userName"], "alice");
    assert_eq!(
        log["canaries"].as_array().unwrap().len(),
        Jobs::QUEUES.len()
    );
    assert_eq!(
        log["overdue"],
        json!({ "posts": 0, "jobs": 0, "leases": 0, "tokens": 0 })
    );
}
