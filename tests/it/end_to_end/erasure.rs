//! A user is deleted while workers and webhooks go on, and the process is killed before and after each
//! step in turn. The next one ends the erasure; the search finds nothing but what the receipt names, the
//! receipt verifies, and the simulator shows that the grant is over.
//!
//! `CLIPQUEUE_ERASURE_POSTS` and `CLIPQUEUE_ERASURE_FILES` make it larger.

use std::{
    any::Any, os::unix::process::ExitStatusExt as _, panic::AssertUnwindSafe, time::Duration,
};

use clipqueue::{
    crash::{Commit, Point, Side, Step},
    domain::erasure,
};
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Value, json};
use tiktok::Endpoint;
use tiktok_sim::{Endpoint as SimEndpoint, FaultKind, Rule};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    client::{Kind, http},
    movie::Movie,
    world::{Daemon, World, free_address},
};
use crate::support::{
    app::{CLIP, Stack},
    eventually,
};

/// Runs at the same time: much of each is waiting for a lease to run out.
const AT_ONCE: usize = 6;
/// How long a death or an end may take.
const LIMIT: Duration = Duration::from_secs(180);
const CREATOR: &str = "zelda.quixote";
const CAPTION: &str = "Quixotic windmills";

fn number(name: &str, usual: usize) -> usize {
    std::env::var_os(name).map_or(usual, |text| text.to_str().unwrap().parse().unwrap())
}

/// Where the process dies, and which time it passes there.
fn deaths(stack: Stack) -> Vec<String> {
    let steps = u32::try_from(erasure::Step::ALL.len()).unwrap();
    let mut passed = vec![
        (Step::Commit(Commit::ErasureAccepted), 1),
        (Step::Call(Endpoint::Revoke), 1),
        (Step::Commit(Commit::RowsErased), 3),
        (Step::Commit(Commit::RowsErased), 9),
        (Step::Commit(Commit::RowsErased), 27),
        (Step::Commit(Commit::ErasureCompleted), 1),
    ];
    passed.extend((1..=steps).map(|nth| (Step::Commit(Commit::ErasureStepDone), nth)));
    // The other stack differs in how it commits; that it was lost is met by one side.
    let sides: &[Side] = match stack {
        Stack::Embedded => &[Side::Before, Side::After],
        Stack::Servers => &[Side::After],
    };
    passed
        .into_iter()
        .flat_map(|(step, nth)| {
            let at = move |side: &Side| format!("{}:{nth}", Point { step, side: *side });
            sides.iter().map(at)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_survives_every_death() {
    everywhere(Stack::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_on_servers_survives_every_death() {
    everywhere(Stack::Servers).await;
}

async fn everywhere(stack: Stack) {
    let started = Instant::now();
    let deaths = deaths(stack);
    let count = deaths.len();
    let failed: Vec<String> = stream::iter(deaths)
        .map(|at| async move {
            let run = live_through(stack, &at);
            match AssertUnwindSafe(run).catch_unwind().await {
                Ok(()) => None,
                Err(panic) => Some(format!("{at}: {}", text(&*panic))),
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(async |failed| failed)
        .collect()
        .await;
    let took = started.elapsed().as_secs();
    println!("{stack:?}: {count} deaths of erasures, {took} s");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}

async fn live_through(stack: Stack, at: &str) {
    let settings = [("erasure.look_again_after", "1s"), ("queue.lease", "5s")];
    let world = World::new(stack, &settings).await;
    let place = free_address();
    let url = format!("http://{place}{}", clipqueue::http::webhooks::PATH);
    let hooks = json!({ "webhooks": { "url": url }, "caps": { "posts_per_creator": 10_000 } });
    world.sim.configure(hooks).await;
    // Who dies with TikTok's answer in its hands asks once more, and is told.
    let twice = [Rule::DeadRefreshTokenUsed];
    world.sim.expect(&["invalid_grant"], &twice).await;
    let own = [("http.listen", &*place)];
    let armed = [own[0], ("debug.crash_at", at)];
    let mut first = world.daemon_with("armed", &armed).await;
    let identifiers = be_busy(&world, &first).await;

    let key = Uuid::now_v7().to_string();
    let _ = first.client.try_delete_account(&key).await;
    let ended = first.process.ended(LIMIT).await;
    assert_eq!(ended.signal(), Some(9), "{ended}");

    let second = world.daemon_with("again", &own).await;
    let code = match code(&world) {
        Some(code) => code,
        None => {
            second.client.try_delete_account(&key).await.unwrap();
            code(&world).unwrap()
        }
    };
    let address = format!("http://{place}/erasure/{code}.json");
    let status = eventually(LIMIT, "the erasure is complete", async || {
        let answer = http().get(&address).send().await.ok()?;
        let status: Value = answer.json().await.ok()?;
        (status["state"] == "completed").then_some(status)
    })
    .await;
    judge(&world, &second, &place, &identifiers, &status).await;
}

/// Posts that are over, that wait, and that are on their way, a file whose bytes are coming in, and a
/// refresh that TikTok does not answer yet; gives what the user is known by.
async fn be_busy(world: &World, daemon: &Daemon) -> String {
    let account = world.connect(daemon, CREATOR).await;
    let client = &daemon.client;
    let mut files = Vec::new();
    for number in 0..number("CLIPQUEUE_ERASURE_FILES", 2) {
        files.push(
            client
                .upload(&Movie::of(CLIP.len() as u64 + 1_000 + number as u64))
                .await,
        );
    }
    let published = client.post(&account, &files[0], Kind::Direct).await;
    client.until(&published, Kind::Direct.end()).await;
    let now = world.sim.now_ms().await;
    for number in 0..number("CLIPQUEUE_ERASURE_POSTS", 3) {
        let mut input = super::client::request(&Uuid::now_v7().to_string(), &account, Kind::Inbox);
        input["mediaId"] = json!(files[number % files.len()]);
        input["caption"] = json!(format!("{CAPTION} {number}"));
        // The first goes at once, and may be on its way when the end comes.
        if number > 0 {
            let at = chrono::DateTime::from_timestamp_millis(now + 3_600_000).unwrap();
            input["publishAt"] = json!(at.to_rfc3339());
        }
        client.try_create(input).await.unwrap();
    }
    let half = Movie::of(CLIP.len() as u64 + 100_000);
    let (_, address) = client.announce(&half).await;
    client.send_for_ever(&address, &half).await;
    let slow = FaultKind::Stall { ms: 3_000 };
    world
        .sim
        .fault_of_app(SimEndpoint::OauthRefresh, slow)
        .await;
    let sql = "UPDATE account_tokens SET state = 'suspect'";
    assert_eq!(world.damage(sql).await, 1);
    // A file of its own: an inbox post has no caption, so that two of one file would look like one sent twice.
    let own = Movie::of(CLIP.len() as u64 + 900);
    let mut input = super::client::request(&Uuid::now_v7().to_string(), &account, Kind::Inbox);
    input["mediaId"] = json!(client.upload(&own).await);
    input["caption"] = json!(format!("{CAPTION} with a fresh token"));
    client.try_create(input).await.unwrap();
    eventually(LIMIT, "a refresh is under way", async || {
        world.sim.has_hit().await.then_some(())
    })
    .await;
    let mut known = world.output(&["erasure", "identifiers", "--user", "ada"]);
    known.push_str(CAPTION);
    known
}

/// The code of the erasure, as operators see it.
fn code(world: &World) -> Option<String> {
    let listed = world.output(&["erasure", "list"]);
    let code = listed.lines().next()?.split_whitespace().last()?;
    Some(code.to_owned())
}

async fn judge(world: &World, daemon: &Daemon, place: &str, identifiers: &str, status: &Value) {
    let keys = http().get(format!(
        "http://{place}/.well-known/clipqueue-receipt-keys.json"
    ));
    let keys = keys.send().await.unwrap().text().await.unwrap();
    let file = |name: &str, text: &str| {
        let path = world.directory().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let receipt = file("receipt.json", &status.to_string());
    let keys = file("keys.json", &keys);
    let subjects = file("subjects", identifiers);
    let log = |name: &str| world.directory().join(name).display().to_string();
    let says = world.output(&["receipt", "verify", &receipt, "--keys", &keys]);
    assert!(says.contains("genuine"), "{says}");
    let (armed, again) = (log("armed.log"), log("again.log"));
    // It fails, and shows where, when it finds what the receipt does not name.
    let says = world.output(&[
        "erasure",
        "scan",
        "--subjects",
        &subjects,
        "--receipt",
        &receipt,
        "--log",
        &armed,
        "--log",
        &again,
    ]);
    assert!(says.contains(" 0 others"), "{says}");
    let steps = status["steps"].as_array().unwrap();
    assert_eq!(steps.len(), erasure::Step::ALL.len());
    // Who dies with a new pair in its hands takes along what could end the grant: the receipt says so.
    let revoke = steps.iter().find(|step| step["step"] == "revoke").unwrap();
    let left = revoke["counts"]["left_at_tiktok"].as_u64().unwrap_or(0);
    let over = world.sim.has_revoked().await;
    assert_eq!(left, u64::from(!over), "{revoke}");
    assert!(
        over || world.sim.has_lost_a_pair().await,
        "the grant is over at TikTok"
    );
    world.sim.assert_content().await;
    assert!(!daemon.client.is_known().await, "the key is unknown");
}
