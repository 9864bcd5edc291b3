//! The public tus clients for JavaScript and Python against a real server.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use clipqueue::media::{Media, MediaSettings, MediaState};
use serde_json::Value;

use super::fixture::{Fixture, file, settings, sha256, video_of};

/// A file that takes several requests of every client.
const SIZE: usize = 3 * 1024 * 1024 + 12_345;

fn clients() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients/tus")
}

/// Runs a client and reads the line that it prints. The clients end themselves when they hang.
async fn run(program: PathBuf, script: &str, arguments: &[&str]) -> Value {
    let mut command = Command::new(&program);
    command
        .arg(clients().join(script))
        .args(arguments)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    assert!(
        output.status.success(),
        "{script} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn javascript(arguments: &[&str]) -> Value {
    assert!(
        clients().join("node_modules/tus-js-client").is_dir(),
        "tus-js-client is missing: run `make test`, which installs it"
    );
    run("node".into(), "upload.mjs", arguments).await
}

async fn python(arguments: &[&str]) -> Value {
    let python = clients().join(".venv/bin/python");
    assert!(
        python.is_file(),
        "tuspy is missing: run `make test`, which installs it"
    );
    run(python, "upload.py", arguments).await
}

struct Server {
    fixture: Fixture,
    endpoint: String,
    key: String,
    video: Vec<u8>,
    path: String,
}

impl Server {
    async fn with(video: Vec<u8>) -> Self {
        let fixture = Fixture::with(MediaSettings {
            segment_bytes: 1024 * 1024,
            ..settings()
        })
        .await;
        let endpoint = format!("http://{}/uploads", fixture.serve().await);
        let path = fixture.dir.path().join("video.mp4");
        std::fs::write(&path, &video).unwrap();
        Self {
            key: fixture.user.to_string(),
            path: path.to_str().unwrap().to_owned(),
            fixture,
            endpoint,
            video,
        }
    }

    /// The file that the client's answer names, which must be whole and right.
    async fn ready(&self, answer: &Value) -> Media {
        let url = answer["url"].as_str().unwrap();
        let id = url.rsplit('/').next().unwrap().parse().unwrap();
        let media = self.fixture.store.get(self.fixture.user, id).await.unwrap();
        assert_eq!(media.state, MediaState::Ready);
        assert_eq!(media.sha256, Some(sha256(&self.video)));
        assert_eq!(media.filename.as_deref(), Some("clip.mp4"));
        media
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_js_client_uploads_in_pieces() {
    let server = Server::with(video_of(SIZE)).await;
    let answer = javascript(&["whole", &server.endpoint, &server.path, &server.key]).await;
    assert_eq!(answer["patches"], 4);
    server.ready(&answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_js_client_goes_on_after_a_cut() {
    let server = Server::with(video_of(8 * SIZE)).await;
    let answer = javascript(&["resume", &server.endpoint, &server.path, &server.key]).await;
    server.ready(&answer).await;
    let from = answer["from"].as_u64().unwrap();
    let cut = answer["cut"].as_u64().unwrap();
    let sent = answer["sent"].as_u64().unwrap();
    assert!(from > 0, "nothing of the cut request was kept: {answer}");
    assert!(from <= cut, "more than was sent: {answer}");
    assert_eq!(from + sent, answer["size"].as_u64().unwrap(), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_js_client_needs_nothing_but_a_capability() {
    let server = Server::with(video_of(SIZE)).await;
    let new = clipqueue::media::NewUpload {
        size: SIZE as u64,
        filename: Some("clip.mp4".to_owned()),
        ..Default::default()
    };
    let user = server.fixture.user;
    let media = server.fixture.store.create(user, new).await.unwrap();
    let ends = server.fixture.clock.now() + Duration::from_secs(60);
    let capability = Fixture::capabilities().issue(user, media.id, ends);
    let address = format!("{}/{capability}", server.endpoint);
    javascript(&["whole", &address, &server.path]).await;
    let id = media.id.to_string();
    server
        .ready(&serde_json::json!({ "url": format!("/uploads/{id}") }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_js_client_hears_why_a_file_is_refused() {
    let server = Server::with(file("fps15.mp4")).await;
    let answer = javascript(&["refused", &server.endpoint, &server.path, &server.key]).await;
    assert_eq!(answer["status"], 422);
    assert_eq!(answer["body"]["code"], "MEDIA_REJECTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn tuspy_uploads_with_checksums() {
    let server = Server::with(video_of(SIZE)).await;
    let answer = python(&["whole", &server.endpoint, &server.path, &server.key]).await;
    assert_eq!(answer["offset"], SIZE);
    server.ready(&answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tuspy_goes_on_where_it_stopped() {
    let server = Server::with(video_of(SIZE)).await;
    let answer = python(&["resume", &server.endpoint, &server.path, &server.key]).await;
    let from = answer["from"].as_u64().unwrap();
    assert!(from >= SIZE as u64 / 2 && from < SIZE as u64, "{answer}");
    server.ready(&answer).await;
}
