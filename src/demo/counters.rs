//! What became of the posts: the creator's public counters, read within TikTok's budget.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use super::{client::Client, stage::Stage};

/// How often it is asked whether the counters were read.
const LOOK: Duration = Duration::from_millis(100);
const QUERY: &str = "query($id: ID!) { accountMetrics(accountId: $id) {
    plan { nextDueAt wholeBy } videos { caption latest { views likes comments shares } } } }";

/// Has them read now, and shows them.
pub(super) async fn show(stage: &Stage, client: &Client, account: &str) -> anyhow::Result<()> {
    stage.read_counters().await?;
    let metrics = loop {
        let data = client.run(QUERY, json!({ "id": account })).await?;
        let metrics = &data["accountMetrics"];
        let videos = metrics["videos"].as_array().map_or(&[][..], Vec::as_slice);
        let are_read = videos
            .iter()
            .all(|video| !video["latest"]["views"].is_null());
        if !videos.is_empty() && are_read {
            break metrics.clone();
        }
        tokio::time::sleep(LOOK).await;
    };
    println!("\nThe counters of the creator's own videos, as TikTok shows them now");
    for video in metrics["videos"].as_array().context("no videos")? {
        let count = |name: &str| video["latest"][name].as_str().unwrap_or("?").to_owned();
        println!(
            "{:>6} views {:>5} likes {:>4} comments {:>4} shares  {}",
            count("views"),
            count("likes"),
            count("comments"),
            count("shares"),
            video["caption"].as_str().unwrap_or_default(),
        );
    }
    println!(
        "They are read again at {}",
        metrics["plan"]["nextDueAt"].as_str().unwrap_or("?")
    );
    Ok(())
}
