//! Requests for deletion that an operator looks at by the API.

use clipqueue::domain::{
    actor::{Actor, Scope},
    audit::{self, AuditFilter},
    deletions::{self, NewRequest},
};
use serde_json::json;

use super::fixture::{World, codes};

const LIST: &str = "query ($all: Boolean) { deletionRequests(all: $all) { id state username jobIds toldByLetter proof
    candidates { accountId userName } } }";
const ONE: &str = "query ($id: ID!) { deletionRequest(id: $id) { state username endedAt } }";
const APPROVE: &str = "mutation ($input: ApproveDeletionInput!) { approveDeletion(input: $input) {
    request { state proof username } userErrors { field code } } }";
const REFUSE: &str = "mutation ($input: RefuseDeletionInput!) { refuseDeletion(input: $input) {
    request { state } userErrors { field code } } }";

#[tokio::test]
async fn an_operator_decides_about_requests_and_is_on_record() {
    let world = World::new().await;
    let (admin, bob) = (world.tenant("alice").await, world.tenant("bob").await);
    for name in ["zelda.quixote", "somebody.else"] {
        let new = NewRequest {
            username: name.to_owned(),
            email: Some("reader@example.com".to_owned()),
            ..NewRequest::default()
        };
        deletions::ask(&world.app, None, new, name).await.unwrap();
    }
    let listed = world.ask(&admin, LIST, json!({})).await;
    let listed = listed["deletionRequests"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    let id = |name: &str| {
        let found = listed.iter().find(|one| one["username"] == name).unwrap();
        assert_eq!(found["state"], "OPEN");
        assert_eq!(found["toldByLetter"], true);
        assert_eq!(found["candidates"], json!([]));
        found["id"].clone()
    };
    let (mine, other) = (id("zelda.quixote"), id("somebody.else"));

    // Whoever steers jobs does not decide about people, nor reads what they wrote.
    let operator = Actor {
        scopes: vec![Scope::OpsRead, Scope::OpsWrite],
        ..admin.actor.clone()
    };
    let input = |id: &serde_json::Value, user: &str| json!({ "input": { "id": id, "userName": user, "reason": "a video call" } });
    for (document, variables) in [
        (LIST, json!({})),
        (ONE, json!({ "id": mine })),
        (APPROVE, input(&mine, "bob")),
    ] {
        let answer = world.run(Some(&operator), document, variables).await;
        assert_eq!(codes(&answer), ["FORBIDDEN"], "{document}");
    }

    let nobody = world.ask(&admin, APPROVE, input(&mine, "nobody")).await;
    assert_eq!(
        nobody["approveDeletion"]["userErrors"],
        json!([{ "field": ["input", "userName"], "code": "NOT_FOUND" }])
    );
    let unknown = world
        .ask(&admin, APPROVE, input(&json!("nothing"), "bob"))
        .await;
    assert_eq!(
        unknown["approveDeletion"]["userErrors"],
        json!([{ "field": ["input", "id"], "code": "NOT_FOUND" }])
    );
    let name = bob.actor.user_name.clone();
    let approved = world.ask(&admin, APPROVE, input(&mine, &name)).await;
    assert_eq!(
        approved["approveDeletion"],
        json!({
            "request": { "state": "PROVEN", "proof": "OPERATOR", "username": null },
            "userErrors": [],
        })
    );
    let refuse = json!({ "input": { "id": other, "reason": "the profile says no" } });
    let refused = world.ask(&admin, REFUSE, refuse.clone()).await;
    assert_eq!(refused["refuseDeletion"]["request"]["state"], "REFUSED");
    let twice = world.ask(&admin, REFUSE, refuse).await;
    assert_eq!(
        twice["refuseDeletion"]["userErrors"][0]["code"],
        "WRONG_STATE"
    );
    let one = world.ask(&admin, ONE, json!({ "id": other })).await;
    assert_eq!(one["deletionRequest"]["state"], "REFUSED");
    let open = world.ask(&admin, LIST, json!({})).await;
    assert_eq!(open["deletionRequests"].as_array().unwrap().len(), 1);
    let all = world.ask(&admin, LIST, json!({ "all": true })).await;
    assert_eq!(all["deletionRequests"].as_array().unwrap().len(), 2);

    for action in ["deletion.approve", "deletion.refuse"] {
        let filter = AuditFilter {
            action: Some(action.to_owned()),
            ..AuditFilter::default()
        };
        let entries = audit::list(&world.app, &filter, None, false, 10).await;
        let entries = entries.unwrap();
        let done = entries.iter().find(|entry| entry.row.outcome == "done");
        let by = done.unwrap().row.user_id;
        assert_eq!(by, Some(admin.actor.user_id), "{action}");
    }
}
