//! A file is fetched from its owner's server, which breaks off and has another file at the second try, and
//! the process is killed before and after each step in turn. The next one ends the import: the file is there
//! once, whole, and as it is at its address now.

use std::{
    os::unix::process::ExitStatusExt as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clipqueue::crash::{Commit, Point, Side, Step};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    client::{Client, text},
    clock::Steering,
    world::World,
};
use crate::{
    outbound::server::{Answer, Asked, Server},
    support::{
        app::{CLIP, Stack},
        eventually,
    },
};

/// Runs at the same time: much of each is waiting for a lease to run out.
const AT_ONCE: usize = 4;
/// How long a death or an end may take.
const LIMIT: Duration = Duration::from_secs(180);
/// Where the server breaks off.
const CUT: usize = 100_000;
/// The mark of the file that was there first.
const FIRST: &str = "\"first\"";
/// The mark of the file that is there since.
const SECOND: &str = "\"second\"";

fn deaths() -> Vec<Point> {
    let commits = [
        Commit::ImportAccepted,
        Commit::ImportReserved,
        Commit::ImportRestarted,
        Commit::ImportEnded,
    ];
    [Step::Fetch]
        .into_iter()
        .chain(commits.map(Step::Commit))
        .flat_map(|step| [Side::Before, Side::After].map(|side| Point { step, side }))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_survives_every_death() {
    everywhere(Stack::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_on_servers_survives_every_death() {
    everywhere(Stack::Servers).await;
}

async fn everywhere(stack: Stack) {
    stream::iter(deaths())
        .map(|point| live_through(stack, point))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
}

/// The file that is there since: as long as the first, and another.
fn second_file() -> Vec<u8> {
    let mut file = CLIP.to_vec();
    // The last byte is media data, which no check reads.
    *file.last_mut().unwrap() ^= 1;
    file
}

/// A server whose first answer breaks off, and that has another file from then on.
async fn server(proof: Arc<Mutex<String>>) -> Server {
    let began = AtomicBool::new(false);
    Server::start(move |asked: &Asked| match asked.path.as_str() {
        "/clip.mp4" if !began.swap(true, Ordering::SeqCst) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\nETag: {FIRST}\r\nContent-Length: {}\r\n\r\n",
                CLIP.len()
            );
            let mut bytes = head.into_bytes();
            bytes.extend_from_slice(&CLIP[..CUT]);
            Answer::Bytes(bytes)
        }
        "/clip.mp4" => Answer::whole("200 OK", &format!("ETag: {SECOND}\r\n"), &second_file()),
        "/.well-known/clipqueue-verification.txt" => {
            Answer::whole("200 OK", "", proof.lock().unwrap().as_bytes())
        }
        _ => Answer::whole("404 Not Found", "", b""),
    })
    .await
}

async fn live_through(stack: Stack, point: Point) {
    let directory = tempfile::tempdir().unwrap();
    let mut clock = Steering::new(directory.path());
    let file = clock.file.display().to_string();
    let settings = [("debug.clock", file.as_str()), ("fetch.loopback", "true")];
    let world = World::new(stack, &settings).await;
    clock.hurry(&world).await;

    let mut daemon = world.daemon("first").await;
    let (server, url) = verified(&daemon.client).await;
    daemon.process.kill();

    let input = json!({ "url": url, "idempotencyKey": Uuid::now_v7().to_string() });
    let at = point.to_string();
    let mut armed = world.daemon_with("armed", &[("debug.crash_at", &at)]).await;
    let _ = ask(&armed.client, &input).await;
    let ended = armed.process.ended(LIMIT).await;
    assert_eq!(ended.signal(), Some(9), "{at}: {ended}");

    let again = world.daemon("again").await;
    let id = eventually(LIMIT, "the import is accepted", async || {
        ask(&again.client, &input).await.ok()
    })
    .await;
    let import = eventually(LIMIT, &format!("{at}: the import is over"), async || {
        let import = look(&again.client, &id).await;
        (!import["endedAt"].is_null()).then_some(import)
    })
    .await;
    assert_eq!(import["state"], "READY", "{at}: {import}");
    let sha256 = hex::encode(Sha256::digest(second_file()));
    assert_eq!(import["media"]["sha256"], json!(sha256), "{at}: {import}");
    let all = again.client.run(ALL, json!({})).await;
    let imports = all["mediaImports"]["edges"].as_array().unwrap();
    assert_eq!(imports.len(), 1, "{at}: {all}");
    let ready: Vec<&Value> = all["media"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|edge| edge["node"]["state"] == "READY")
        .collect();
    assert_eq!(ready.len(), 1, "{at}: {all}");
    assert!(server.asked().len() < 20, "{at}: it asks again and again");
}

const ALL: &str = "{ mediaImports(first: 50) { edges { node { id } } }
    media(first: 50) { edges { node { state } } } }";

/// A server whose owner has proved that it is theirs, and the address of a file there.
async fn verified(client: &Client) -> (Server, String) {
    let proof = Arc::new(Mutex::new(String::new()));
    let server = server(Arc::clone(&proof)).await;
    let origin = format!("http://127.0.0.1:{}/", server.port);
    let query = "mutation($input: AddVerifiedSourceInput!) { addVerifiedSource(input: $input) {
        source { id proof } userErrors { field code message } } }";
    let key = Uuid::now_v7().to_string();
    let input = json!({ "url": origin, "idempotencyKey": key });
    let added = client.run(query, json!({ "input": input })).await;
    let source = &added["addVerifiedSource"]["source"];
    *proof.lock().unwrap() = text(&source["proof"]);
    let query = "mutation($id: ID!) { checkVerifiedSource(input: { id: $id }) {
        source { id } userErrors { field code message } } }";
    client.run(query, json!({ "id": source["id"] })).await;
    eventually(LIMIT, "the source is verified", async || {
        let query = "query($id: ID!) { node(id: $id) { ... on VerifiedSource { state } } }";
        let seen = client.run(query, json!({ "id": source["id"] })).await;
        (seen["node"]["state"] == "VERIFIED").then_some(())
    })
    .await;
    (server, format!("{origin}clip.mp4"))
}

async fn ask(client: &Client, input: &Value) -> Result<String, String> {
    let query = "mutation($input: ImportMediaInput!) { importMedia(input: $input) {
        mediaImport { id } userErrors { field code message } } }";
    let data = client.try_run(query, json!({ "input": input })).await?;
    Ok(text(&data["importMedia"]["mediaImport"]["id"]))
}

async fn look(client: &Client, id: &str) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on MediaImport {
        state endedAt failureCode restarts media { sha256 state } } } }";
    client.run(query, json!({ "id": id })).await["node"].clone()
}
