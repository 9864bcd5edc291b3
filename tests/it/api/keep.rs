//! Exports and retention by GraphQL.

use serde_json::{Value, json};

use super::fixture::World;

#[tokio::test]
async fn an_export_is_asked_for_followed_and_linked() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    world.media(&tenant.actor).await;
    let ask = "mutation ($input: RequestExportInput!) { requestExport(input: $input) {
        dataExport { id state downloadUrl } userErrors { field code } } }";
    let input = json!({ "input": { "idempotencyKey": "one" } });
    let begun = world.ask(&tenant, ask, input.clone()).await;
    let begun = &begun["requestExport"];
    assert_eq!(begun["userErrors"], json!([]));
    assert_eq!(begun["dataExport"]["state"], "WAITING");
    assert_eq!(begun["dataExport"]["downloadUrl"], Value::Null);
    let other = json!({ "input": { "idempotencyKey": "two" } });
    let refused = world.ask(&tenant, ask, other).await;
    let errors = &refused["requestExport"]["userErrors"];
    assert_eq!(errors, &json!([{ "field": [], "code": "WRONG_STATE" }]));
    world.drain().await;
    let again = world.ask(&tenant, ask, input).await;
    assert_eq!(again["requestExport"]["dataExport"]["state"], "READY");

    let list =
        "{ dataExports { id state downloadUrl downloadUrlExpiresAt size sha256 expiresAt } }";
    let listed = world.ask(&tenant, list, json!({})).await;
    let export = &listed["dataExports"][0];
    assert_eq!(export["id"], begun["dataExport"]["id"]);
    let url = export["downloadUrl"].as_str().unwrap();
    assert!(url.contains("/exports/"), "{url}");
    assert_ne!(export["downloadUrlExpiresAt"], Value::Null);
    assert_eq!(export["sha256"].as_str().unwrap().len(), 64);
    let node = "query ($id: ID!) { node(id: $id) { ... on DataExport { state } } }";
    let found = world
        .ask(&tenant, node, json!({ "id": export["id"] }))
        .await;
    assert_eq!(found["node"]["state"], "READY");
}

#[tokio::test]
async fn operators_see_what_would_go_and_what_went() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    world
        .clock
        .advance(std::time::Duration::from_secs(3 * 86_400));
    let query = "{ retentionPlan { name what setting keepSeconds due oldest }
        retentionDays(days: 3) { day rule removed } }";
    let before = world.ask(&tenant, query, json!({})).await;
    let rule = |answer: &Value, name: &str| {
        let rules = answer["retentionPlan"].as_array().unwrap().clone();
        rules.into_iter().find(|rule| rule["name"] == name).unwrap()
    };
    // The consent by which the account was connected.
    let consents = rule(&before, "oauth_states");
    assert_eq!(consents["due"], "1");
    assert_ne!(consents["oldest"], Value::Null);
    let media = rule(&before, "media");
    assert_eq!(media["setting"], "plans.*.media_retention");
    assert_eq!(media["keepSeconds"], (90 * 86_400).to_string());
    assert_eq!(before["retentionDays"], json!([]));

    clipqueue::domain::retention::prune(&world.app)
        .await
        .unwrap();
    let after = world.ask(&tenant, query, json!({})).await;
    assert_eq!(rule(&after, "oauth_states")["due"], "0");
    let days = after["retentionDays"].as_array().unwrap();
    assert!(
        days.iter()
            .any(|day| day["rule"] == "oauth_states" && day["removed"] == "1"),
        "{days:?}"
    );
}
