//! An import that breaks goes on behind what is stored, or begins anew when that is not the same file.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clipqueue_entities::media_import::ImportState;

use super::{
    imports::{begin, reload, verified},
    server::{Answer, Asked, Server},
};
use crate::support::app::{CLIP, Stack, TestApp};

/// Where the server breaks off.
const CUT: usize = 100_000;

/// The first part of the clip under a head that promises all of it.
fn cut(mark: &str) -> Answer {
    let head = format!(
        "HTTP/1.1 200 OK\r\nETag: {mark}\r\nContent-Length: {}\r\n\r\n",
        CLIP.len()
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&CLIP[..CUT]);
    Answer::Bytes(bytes)
}

fn from(asked: &Asked) -> Option<usize> {
    let range = asked.header("range").strip_prefix("bytes=")?;
    range.strip_suffix('-')?.parse().ok()
}

/// Runs an import against a server that answers each request by its number.
async fn run(
    mut t: TestApp,
    answer: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static,
) -> (TestApp, clipqueue_entities::media_import::Model, Vec<Asked>) {
    let number = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/clip.mp4" => answer(number.fetch_add(1, Ordering::SeqCst), asked),
        _ => Answer::whole("404 Not Found", "", b""),
    })
    .await;
    t.names();
    verified(&t, &server).await;
    let row = begin(&t, server.url("/clip.mp4").as_str()).await;
    for _ in 0..40 {
        t.drain().await;
        if reload(&t, &row).await.ended_at.is_some() {
            break;
        }
        t.clock.advance(Duration::from_secs(1200));
    }
    let row = reload(&t, &row).await;
    let mut asked = server.asked();
    asked.retain(|asked| asked.path == "/clip.mp4");
    (t, row, asked)
}

async fn whole(t: &TestApp, row: &clipqueue_entities::media_import::Model) {
    assert_eq!(row.state, ImportState::Ready, "{row:?}");
    let media = t
        .app
        .media
        .get(t.actor.user_id, row.media_id.unwrap())
        .await
        .unwrap();
    let digest = hex::encode(clipqueue::secrets::sha256(CLIP));
    assert_eq!(media.sha256.as_deref(), Some(digest.as_str()));
}

crate::on_both_stacks!(a_broken_import_asks_for_the_rest);

async fn a_broken_import_asks_for_the_rest(t: TestApp) {
    let (t, row, asked) = run(t, |number, asked| match (number, from(asked)) {
        (0, None) => cut("\"one\""),
        (1, Some(at)) => {
            let all = CLIP.len();
            let headers = format!(
                "ETag: \"one\"\r\nContent-Range: bytes {at}-{}/{all}\r\n",
                all - 1
            );
            Answer::whole("206 Partial Content", &headers, &CLIP[at..])
        }
        _ => Answer::whole("500 Oops", "", b""),
    })
    .await;
    whole(&t, &row).await;
    assert_eq!(asked.len(), 2);
    assert_eq!(from(&asked[1]), Some(CUT));
    assert_eq!(asked[1].header("if-range"), "\"one\"");
    assert_eq!(row.restarts, 0);
}

#[tokio::test]
async fn a_server_without_ranges_sends_all_and_the_stored_part_is_skipped() {
    let t = TestApp::start(Stack::Embedded).await;
    let (t, row, asked) = run(t, |number, _| match number {
        0 => cut("\"one\""),
        _ => Answer::whole("200 OK", "ETag: \"one\"\r\n", CLIP),
    })
    .await;
    whole(&t, &row).await;
    assert_eq!((asked.len(), row.restarts), (2, 0));
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_fetched_anew() {
    let t = TestApp::start(Stack::Embedded).await;
    let (t, row, asked) = run(t, |number, _| match number {
        0 => cut("\"one\""),
        _ => Answer::whole("200 OK", "ETag: \"two\"\r\n", CLIP),
    })
    .await;
    whole(&t, &row).await;
    assert_eq!((asked.len(), row.restarts), (3, 1));
    assert_eq!(from(&asked[2]), None);
}

#[tokio::test]
async fn parts_that_lie_are_not_joined() {
    let t = TestApp::start(Stack::Embedded).await;
    let (_t, row, _) = run(t, |_, asked| match from(asked) {
        None => cut("\"one\""),
        // Another place than was asked for, and another mark.
        Some(at) => {
            let headers = format!(
                "ETag: \"two\"\r\nContent-Range: bytes {}-{}/{}\r\n",
                at - 1,
                CLIP.len() - 1,
                CLIP.len()
            );
            Answer::whole("206 Partial Content", &headers, &CLIP[at - 1..])
        }
    })
    .await;
    assert_eq!(row.failure_code.as_deref(), Some("changed"));
}

#[tokio::test]
async fn a_server_that_is_away_is_given_up_in_the_end() {
    let t = TestApp::start(Stack::Embedded).await;
    let (_t, row, asked) = run(t, |_, _| Answer::whole("503 Later", "", b"")).await;
    assert_eq!(row.state, ImportState::Failed);
    assert_eq!(row.failure_code.as_deref(), Some("status"));
    assert_eq!(asked.len(), 12);
}
