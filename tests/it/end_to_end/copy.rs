//! A plain HTTP copy, to hold uploads against.
//!
//! A server that writes what is posted to it into one file and syncs it before it answers; the sender
//! is the same client that uploads by tus, with the same bytes. It hashes nothing and keeps no rows.

use std::path::{Path, PathBuf};

use axum::{Router, body::Body, extract::State, http::StatusCode, routing::post};
use futures::StreamExt as _;
use tokio::{fs::File, io::AsyncWriteExt as _, net::TcpListener, time::Instant};

use super::{client::http, movie::Movie};

/// What the server gathers before it writes, in bytes; more did not make it faster.
const BUFFER: usize = 1024 * 1024;

/// Copies the movie once over the loopback into a file in `directory`; gives bytes per second.
pub(super) async fn speed(movie: &Movie, directory: &Path) -> f64 {
    let path = directory.join("copy");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", post(store))
        .with_state(path.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let started = Instant::now();
    let answer = http()
        .post(format!("http://{address}/"))
        .header("Content-Length", movie.size())
        .body(reqwest::Body::wrap_stream(movie.stream()))
        .send()
        .await
        .unwrap();
    let speed = movie.size() as f64 / started.elapsed().as_secs_f64();
    assert!(answer.status().is_success());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), movie.size());
    std::fs::remove_file(&path).unwrap();
    server.abort();
    speed
}

async fn store(State(path): State<PathBuf>, body: Body) -> StatusCode {
    let mut file = File::create(path).await.unwrap();
    file.set_max_buf_size(BUFFER);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        file.write_all(&piece.unwrap()).await.unwrap();
    }
    file.flush().await.unwrap();
    file.sync_all().await.unwrap();
    StatusCode::NO_CONTENT
}
