//! Somebody else comes, posts, and deletes their account: what was deleted, the proof, and a search
//! that finds nothing else.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    client::Client,
    stage::{LEAVER, LEAVING_CREATOR, Stage},
    story::{connect, direct_post, text, upload_clip},
};
use crate::domain::erasure::receipt;

/// How often it is asked how the erasure stands.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is asked whether the post has ended.
const GLANCE: Duration = Duration::from_millis(100);

/// Comes, posts, leaves, and shows the receipt.
pub(super) async fn tell(stage: &Stage) -> anyhow::Result<()> {
    println!("\nAnother user, {LEAVER}, comes, posts once, and deletes their account");
    let (user, key) = stage.another_user().await?;
    let client = stage.client_of(&key)?;
    let account = connect(stage, &client, LEAVING_CREATOR).await?;
    let video = upload_clip(&client).await?;
    let post = direct_post(&client, &account, &video).await?;
    published(&client, &post).await?;
    let identifiers = stage.identifiers(user).await?;

    let data = client
        .run(
            "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
               erasure { code statusUrl } userErrors { field message } } }",
            json!({ "input": {
                "idempotencyKey": Uuid::now_v7().to_string(),
                "confirmName": LEAVER,
            } }),
        )
        .await?;
    let address = text(&data, "/deleteAccount/erasure/statusUrl")?;
    println!("It is accepted; anybody with this address sees how it stands: {address}");
    let document = receipt_of(&client, &address).await?;
    let keys = client
        .json(&stage.address(crate::http::erasure::KEYS_PATH))
        .await?;
    let body = receipt::verify(&document, &keys)?;
    for step in body["steps"].as_array().into_iter().flatten() {
        println!(
            "  {:<14} {}",
            step["step"].as_str().unwrap_or("?"),
            step["counts"]
        );
    }
    println!(
        "The receipt is genuine. At TikTok before, and still there: {}",
        body["handed_to_tiktok_before"]
            .as_array()
            .map_or(0, Vec::len)
    );
    let looked = stage.assert_gone(&identifiers, &body).await?;
    println!(
        "A search for {} names of theirs in {looked} stored values finds nothing but what the receipt names",
        identifiers.len()
    );
    anyhow::ensure!(
        !stage.sim.is_connected(LEAVING_CREATOR),
        "TikTok still lists the permission"
    );
    Ok(())
}

async fn published(client: &Client, post: &str) -> anyhow::Result<()> {
    loop {
        let data = client
            .run(
                "query($id: ID!) { node(id: $id) { ... on Post { state } } }",
                json!({ "id": post }),
            )
            .await?;
        match data["node"]["state"].as_str() {
            Some("PUBLISHED") => return Ok(()),
            Some(state @ ("FAILED" | "MISSED" | "CANCELLED" | "UNCONFIRMED")) => {
                anyhow::bail!("the leaver's post became {state}")
            }
            _ => tokio::time::sleep(GLANCE).await,
        }
    }
}

async fn receipt_of(client: &Client, address: &str) -> anyhow::Result<Value> {
    loop {
        let status = client.json(&format!("{address}.json")).await?;
        if status["state"] == "completed" {
            return status
                .get("receipt")
                .cloned()
                .context("a completed erasure without a receipt");
        }
        tokio::time::sleep(LOOK).await;
    }
}
