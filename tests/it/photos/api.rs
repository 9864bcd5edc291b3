//! Photos as a front end sees them, over GraphQL and HTTP.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clipqueue_entities::post::PostState;
use serde_json::{Value, json};

use super::gallery::{open, recorded, run_until, three};
use crate::support::app::{Stack, TestApp};

crate::on_both_stacks_by_hand!(a_front_end_posts_photos_and_sees_what_tiktok_fetched);

async fn ask(t: &TestApp, query: &str, variables: Value) -> Value {
    let url = format!("{}graphql", t.app.config.http.public_url);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http
        .post(url)
        .bearer_auth(&t.key)
        .json(&json!({ "query": query, "variables": variables }))
        .send()
        .await
        .unwrap();
    let mut answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"].take()
}

fn global(kind: &str, id: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}:{id}"))
}

async fn a_front_end_posts_photos_and_sees_what_tiktok_fetched(stack: Stack) {
    let mut t = open(stack).await;
    let (account, photos) = three(&t).await;
    let ids: Vec<String> = photos.iter().map(|id| global("Media", id)).collect();
    let direct = json!({
        "privacyLevel": "PUBLIC_TO_EVERYONE", "allowComment": true, "allowDuet": false,
        "allowStitch": false, "disclosesCommercial": false, "yourBrand": false,
        "brandedContent": false, "aiGenerated": false,
    });
    let set = json!({ "mediaIds": ids, "coverIndex": 2, "title": "Three", "autoAddMusic": false });
    let plan =
        json!({ "accountId": global("TikTokAccount", account), "photos": set, "direct": direct });
    let checked = ask(
        &t,
        "query ($input: PreflightInput!) { preflight(input: $input) { ok checks { rule verdict message } } }",
        json!({ "input": plan }),
    )
    .await;
    assert_eq!(checked["preflight"]["ok"], true, "{checked}");

    let mut input = plan;
    input["idempotencyKey"] = json!("one");
    input["caption"] = json!("Three pictures");
    input["creatorConsent"] = json!(true);
    let create = "mutation ($input: CreatePostInput!) { createPost(input: $input) {
        post { id kind title autoAddMusic captionHandoff { text } photos { position isCover mediaId media { contentType photo { format width height } facts { container } } } }
        userErrors { field code message } } }";
    let made = ask(&t, create, json!({ "input": input })).await;
    assert_eq!(made["createPost"]["userErrors"], json!([]), "{made}");
    let post = &made["createPost"]["post"];
    assert_eq!(
        (&post["kind"], &post["title"]),
        (&json!("PHOTO"), &json!("Three"))
    );
    assert_eq!(post["photos"][0]["mediaId"], ids[0].as_str());
    assert_eq!(post["photos"][2]["isCover"], true);
    assert_eq!(
        post["photos"][1]["media"],
        json!({ "contentType": "image/webp", "photo": { "format": "WebP", "width": 720, "height": 540 }, "facts": null })
    );
    let again = ask(&t, create, json!({ "input": input })).await;
    assert_eq!(again["createPost"]["post"]["id"], post["id"]);
    input["photos"]["coverIndex"] = json!(0);
    let other = ask(&t, create, json!({ "input": input })).await;
    assert_eq!(
        other["createPost"]["userErrors"][0]["code"],
        "IDEMPOTENCY_MISMATCH"
    );

    let id = post["id"].as_str().unwrap();
    let row = URL_SAFE_NO_PAD.decode(id).unwrap();
    let row = String::from_utf8(row).unwrap();
    let row = row.split_once(':').unwrap().1.parse().unwrap();
    run_until(&mut t, row, PostState::Published).await;
    recorded(&t, row).await;
    let shown = ask(
        &t,
        "query ($id: ID!) { node(id: $id) { ... on Post { state progress { percent }
           attempts { phase photoPull { summary fetched total addressesEndAt photos { position fetches complete firstAskedAt } } } } } }",
        json!({ "id": id }),
    )
    .await;
    let pull = &shown["node"]["attempts"][0]["photoPull"];
    assert_eq!(
        (&pull["fetched"], &pull["total"]),
        (&json!(3), &json!(3)),
        "{shown}"
    );
    let summary = pull["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("TikTok fetched 3 of 3 photos"),
        "{summary}"
    );
    assert_eq!(pull["photos"][1]["complete"], true);
    assert!(pull["photos"][1]["firstAskedAt"].is_string());
}
