//! Requests that are refused, and judged, without anything being written.

use serde_json::{Value, json};

use super::{
    fixture::World,
    posts::{create, direct, ids},
};

#[tokio::test]
async fn refusals_name_every_field_and_write_nothing() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let mut choices = direct();
    choices["brandedContent"] = json!(true);
    let input = json!({
        "idempotencyKey": "bad",
        "caption": "x".repeat(2201),
        "direct": choices,
        "publishAt": "2020-01-01T00:00:00Z",
    });
    let answer = create(&world, &tenant, &media, input).await;
    assert_eq!(answer["post"], Value::Null);
    let errors: Vec<(String, &str)> = answer["userErrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            let field = error["field"].as_array().unwrap();
            let path: Vec<&str> = field.iter().map(|part| part.as_str().unwrap()).collect();
            (path.join("."), error["code"].as_str().unwrap())
        })
        .collect();
    for expected in [
        ("input.caption", "TOO_LONG"),
        ("input.publishAt", "INVALID"),
        ("input.direct.disclosesCommercial", "DISCLOSURE_CONFLICT"),
        ("input.creatorConsent", "CONSENT_REQUIRED"),
    ] {
        assert!(
            errors
                .iter()
                .any(|(path, code)| (path.as_str(), *code) == expected),
            "{expected:?} is missing in {errors:?}"
        );
    }
    let posts = world
        .ask(&tenant, "{ posts { edges { cursor } } }", json!({}))
        .await;
    assert_eq!(posts["posts"]["edges"], json!([]));
}

#[tokio::test]
async fn validate_only_and_preflight_judge_without_writing() {
    let world = World::new().await;
    let tenant = world.tenant("alice").await;
    let media = world.media(&tenant.actor).await;
    let input = json!({ "idempotencyKey": "dry", "validateOnly": true, "direct": direct(), "creatorConsent": true });
    let good = create(&world, &tenant, &media, input).await;
    assert_eq!(good["post"], Value::Null);
    assert_eq!(good["userErrors"], json!([]));
    let (account, media_id) = ids(&tenant, &media);
    let mut choices = direct();
    choices["privacyLevel"] = json!("FOLLOWER_OF_CREATOR");
    let answer = world
        .ask(
            &tenant,
            "query ($input: PreflightInput!) { preflight(input: $input) { ok checks { rule verdict code field message } } }",
            json!({ "input": { "accountId": account, "mediaId": media_id, "direct": choices } }),
        )
        .await;
    let preflight = &answer["preflight"];
    assert_eq!(preflight["ok"], false);
    let failed: Vec<&Value> = preflight["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "FAIL")
        .collect();
    assert_eq!(failed.len(), 1, "{preflight}");
    assert_eq!(failed[0]["code"], "PRIVACY_NOT_OFFERED");
    assert_eq!(
        failed[0]["field"],
        json!(["input", "direct", "privacyLevel"])
    );
    let posts = world
        .ask(&tenant, "{ posts { edges { cursor } } }", json!({}))
        .await;
    assert_eq!(posts["posts"]["edges"], json!([]));
}
