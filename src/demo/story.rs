//! What the demo does, step by step, and how it shows it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    client::Client,
    counters,
    stage::{CREATOR, Stage},
};

/// The video that the repository ships: H.264 and AAC, 720x1280, three seconds.
const CLIP: &[u8] = include_bytes!("../../tests/media/clip.mp4");
/// The photo that the repository ships: a JPEG of 540x720.
const PHOTO: &[u8] = include_bytes!("../../tests/media/photo.jpg");
/// How far ahead the scheduled post is.
const AHEAD_S: i64 = 3;

/// One of the posts.
struct Plan {
    label: &'static str,
    ends: &'static str,
    photo: bool,
}

const PLANS: [Plan; 4] = [
    Plan {
        label: "inbox draft",
        ends: "IN_INBOX",
        photo: false,
    },
    Plan {
        label: "direct post",
        ends: "PUBLISHED",
        photo: false,
    },
    Plan {
        label: "photo post",
        ends: "PUBLISHED",
        photo: true,
    },
    Plan {
        label: "scheduled",
        ends: "PUBLISHED",
        photo: false,
    },
];

/// Does everything, and ends when every post has ended as planned.
pub(super) async fn tell(stage: &Stage) -> anyhow::Result<()> {
    let client = stage.client()?;
    let started = Instant::now();
    let account = connect(stage, &client, CREATOR).await?;
    let video = upload_clip(&client).await?;
    let photo = upload(&client, "photo", "photo.jpg", PHOTO).await?;
    // The subscription starts at the beginning of the log, so it cannot miss an event.
    let events = client
        .subscribe(
            "subscription($after: String) { postEvents(after: $after) {
               kind postId from to reason message bytesSent bytesTotal createdAt
               evidence { source subject code logId } } }",
            json!({ "after": newest_cursor(&client).await? }),
        )
        .await
        .context("subscribing to the events of posts")?;
    let posts = ask_for_posts(stage, &client, &account, &video, &photo).await?;
    watch(events, &posts, started).await?;
    show(&client, &posts).await?;
    counters::show(stage, &client, &account).await
}

async fn newest_cursor(client: &Client) -> anyhow::Result<Option<String>> {
    let data = client.run("{ viewer { eventCursor } }", json!({})).await?;
    Ok(data["viewer"]["eventCursor"].as_str().map(str::to_owned))
}

/// Connects a creator; gives the account's id.
pub(super) async fn connect(
    stage: &Stage,
    client: &Client,
    creator: &str,
) -> anyhow::Result<String> {
    println!("\nConnecting the creator @{creator} through the simulated consent page");
    let data = client
        .run(
            "mutation { connectTikTok(input: {}) { authorizeUrl userErrors { message } } }",
            json!({}),
        )
        .await?;
    let url = text(&data, "/connectTikTok/authorizeUrl")?;
    let callback = stage
        .sim
        .consent(&url, creator, &tiktok_sim::Consent::All)
        .map_err(|error| anyhow::anyhow!("the consent page refused: {error:?}"))?;
    let page = client.open(&callback).await?;
    anyhow::ensure!(
        page.contains("is connected"),
        "the callback page says: {page}"
    );
    let data = client
        .run(
            "{ tiktokAccounts { id status username displayName } }",
            json!({}),
        )
        .await?;
    text(&data, "/tiktokAccounts/0/id")
}

/// Uploads the video that the repository ships.
pub(super) async fn upload_clip(client: &Client) -> anyhow::Result<String> {
    upload(client, "video", "clip.mp4", CLIP).await
}

async fn upload(
    client: &Client,
    what: &str,
    filename: &str,
    bytes: &'static [u8],
) -> anyhow::Result<String> {
    println!(
        "Uploading a {what} of {} kB by tus, in two pieces",
        bytes.len() / 1000
    );
    let data = client
        .run(
            "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
               media { id } uploadUrl userErrors { message } } }",
            json!({ "input": {
                "idempotencyKey": Uuid::now_v7().to_string(),
                "filename": filename,
                "size": bytes.len().to_string(),
            } }),
        )
        .await?;
    let url = text(&data, "/createUpload/uploadUrl")?;
    client.upload(&url, bytes).await?;
    let id = text(&data, "/createUpload/media/id")?;
    let data = client
        .run(
            "query($id: ID!) { node(id: $id) { ... on Media { state contentType
               facts { videoCodec width height durationMs } verdicts { rule outcome } } } }",
            json!({ "id": id }),
        )
        .await?;
    let verdicts = data["node"]["verdicts"].as_array().map_or(0, Vec::len);
    println!(
        "It is {} ({}), with {verdicts} verdicts of TikTok's rules",
        data["node"]["state"].as_str().unwrap_or("?"),
        data["node"]["contentType"].as_str().unwrap_or("?"),
    );
    Ok(id)
}

async fn ask_for_posts(
    stage: &Stage,
    client: &Client,
    account: &str,
    video: &str,
    photo: &str,
) -> anyhow::Result<BTreeMap<String, &'static Plan>> {
    println!(
        "Asking for an inbox draft, a direct post, a photo post, and one in {AHEAD_S} seconds\n"
    );
    let now = DateTime::from_timestamp_millis(stage.sim.clock().now_ms()).unwrap_or_default();
    let mut posts = BTreeMap::new();
    for plan in &PLANS {
        let mut input = json!({
            "idempotencyKey": Uuid::now_v7().to_string(),
            "accountId": account,
            "caption": format!("Posted by Clipqueue: {} #demo", plan.label),
            "uploadReference": plan.label,
        });
        if plan.photo {
            input["photos"] = json!({ "mediaIds": [photo], "autoAddMusic": true });
        } else {
            input["mediaId"] = json!(video);
        }
        if plan.ends == "PUBLISHED" {
            make_direct(&mut input);
        }
        if plan.label == "scheduled" {
            let at: DateTime<Utc> = now + chrono::TimeDelta::seconds(AHEAD_S);
            input["publishAt"] = json!(at.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
        posts.insert(create(client, input).await?, plan);
    }
    Ok(posts)
}

/// Posts a video at once; gives the post's id.
pub(super) async fn direct_post(
    client: &Client,
    account: &str,
    video: &str,
) -> anyhow::Result<String> {
    let mut input = json!({
        "idempotencyKey": Uuid::now_v7().to_string(),
        "accountId": account,
        "mediaId": video,
        "caption": "Posted by Clipqueue, before leaving #demo",
    });
    make_direct(&mut input);
    create(client, input).await
}

/// With what a creator decides of a direct post.
fn make_direct(input: &mut Value) {
    input["creatorConsent"] = json!(true);
    input["direct"] = json!({
        "privacyLevel": "PUBLIC_TO_EVERYONE",
        "allowComment": true,
        "allowDuet": false,
        "allowStitch": false,
        "disclosesCommercial": false,
        "yourBrand": false,
        "brandedContent": false,
        "aiGenerated": false,
    });
}

async fn create(client: &Client, input: Value) -> anyhow::Result<String> {
    let data = client
        .run(
            "mutation($input: CreatePostInput!) { createPost(input: $input) {
               post { id state } userErrors { field code message } } }",
            json!({ "input": input }),
        )
        .await?;
    text(&data, "/createPost/post/id")
}

/// Prints what happens until every post has ended as planned.
async fn watch(
    mut events: futures::stream::BoxStream<'static, anyhow::Result<Value>>,
    posts: &BTreeMap<String, &'static Plan>,
    started: Instant,
) -> anyhow::Result<()> {
    let mut open: Vec<&String> = posts.keys().collect();
    while !open.is_empty() {
        let event = events
            .next()
            .await
            .context("the subscription ended before the posts did")??;
        let event = &event["postEvents"];
        let Some((id, plan)) = event["postId"]
            .as_str()
            .and_then(|id| posts.get_key_value(id))
        else {
            continue;
        };
        println!(
            "{:>7.3} s  {:<12} {}",
            started.elapsed().as_secs_f64(),
            plan.label,
            line(event)
        );
        let state = event["to"].as_str().unwrap_or_default();
        anyhow::ensure!(
            !matches!(state, "FAILED" | "MISSED" | "UNCONFIRMED" | "CANCELLED"),
            "the {} became {state}",
            plan.label
        );
        if state == plan.ends {
            open.retain(|open| *open != id);
        }
    }
    Ok(())
}

/// One event as a line.
fn line(event: &Value) -> String {
    let number = |name: &str| {
        event[name]
            .as_str()
            .and_then(|text| text.parse::<u64>().ok())
    };
    if let (Some(sent), Some(total)) = (number("bytesSent"), number("bytesTotal")) {
        let percent = (sent * 100).checked_div(total).unwrap_or(100);
        return format!("sent {percent} % ({sent} of {total} bytes)");
    }
    let mut line = match event["to"].as_str() {
        Some(state) => state.to_owned(),
        None => event["kind"].as_str().unwrap_or("?").to_owned(),
    };
    let evidence = &event["evidence"];
    if let Some(subject) = evidence["subject"].as_str() {
        line.push_str(&format!("  by {subject}"));
        if let Some(code) = evidence["code"].as_str() {
            line.push_str(&format!(" = {code}"));
        }
        if let Some(log_id) = evidence["logId"].as_str() {
            line.push_str(&format!(" (log id {log_id})"));
        }
    }
    line
}

/// Prints how each post stands and who acts next.
async fn show(client: &Client, posts: &BTreeMap<String, &'static Plan>) -> anyhow::Result<()> {
    println!();
    for (id, plan) in posts {
        let data = client
            .run(
                "query($id: ID!) { node(id: $id) { ... on Post { state phase shareUrl
                   nextAction { actor text } attempts { publishId } captionHandoff { text } } } }",
                json!({ "id": id }),
            )
            .await?;
        let post = &data["node"];
        println!(
            "{:<12} {} ({}), {} attempt(s)",
            plan.label,
            post["state"].as_str().unwrap_or("?"),
            post["phase"].as_str().unwrap_or("?"),
            post["attempts"].as_array().map_or(0, Vec::len),
        );
        if let Some(next) = post["nextAction"]["text"].as_str() {
            let actor = post["nextAction"]["actor"].as_str().unwrap_or("?");
            println!("{:<12} next: {actor}: {next}", "");
        }
    }
    Ok(())
}

/// A text of an answer.
pub(super) fn text(data: &Value, pointer: &str) -> anyhow::Result<String> {
    data.pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("the answer lacks {pointer}: {data}"))
}
