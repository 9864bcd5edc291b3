//! Bytes: chunks in order, resume, refusals, hashes.

use sha2::{Digest, Sha256};
use tiktok_sim::{Endpoint, LedgerFilter, ProgressHeader, Rule};

use crate::support::{World, chunked, mp4, one_chunk};

const CHUNK: usize = 5_000_000;
const SIZE: usize = 17_000_001;

fn progress(response: &reqwest::Response) -> &str {
    response.headers()["content-range"].to_str().unwrap()
}

#[tokio::test]
async fn three_chunks_in_order_become_one_file() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let bytes = mp4(SIZE);
    let opened = world.draft(&token, &chunked(SIZE, CHUNK, 3)).await;
    let url = opened.data("upload_url").as_str().unwrap();
    assert!(url.len() <= 256);
    let id = opened.data("publish_id").as_str().unwrap();
    let cut = |first: usize, last: usize| bytes[first..=last].to_vec();

    let put = world
        .put(url, cut(0, CHUNK - 1), (0, CHUNK - 1), SIZE)
        .await;
    assert_eq!(
        (put.status().as_u16(), progress(&put)),
        (206, "bytes 0-5000000/17000001")
    );
    // Resume: what status says is where to go on; a repeat is told where things stand.
    let told = world.status(&token, id).await;
    assert_eq!(told.data("uploaded_bytes"), CHUNK);
    let again = world
        .put(url, cut(0, CHUNK - 1), (0, CHUNK - 1), SIZE)
        .await;
    assert_eq!(
        (again.status().as_u16(), progress(&again)),
        (416, "bytes 0-5000000/17000001")
    );
    let range = (CHUNK, 2 * CHUNK - 1);
    assert_eq!(
        world
            .put(url, cut(range.0, range.1), range, SIZE)
            .await
            .status(),
        206
    );
    let range = (2 * CHUNK, SIZE - 1);
    let last = world.put(url, cut(range.0, range.1), range, SIZE).await;
    assert_eq!(
        (last.status().as_u16(), progress(&last)),
        (201, "bytes 0-17000001/17000001")
    );

    let hash = hex::encode(Sha256::digest(&bytes));
    let uploads = world.sim.uploads();
    assert_eq!(uploads[0].sha256.as_deref(), Some(hash.as_str()));
    let filter = LedgerFilter {
        endpoint: Some(Endpoint::Upload),
        ..LedgerFilter::default()
    };
    let puts = world.sim.ledger(&filter);
    assert_eq!(puts.last().unwrap().sha256.as_deref(), Some(hash.as_str()));
    let read: u64 = puts.iter().map(|put| put.bytes_in).sum();
    assert_eq!(read as usize, SIZE + CHUNK);
    world.assert_clean();
}

#[tokio::test]
async fn order_headers_age_and_task_are_checked() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let opened = world.draft(&token, &chunked(SIZE, CHUNK, 3)).await;
    let url = opened.data("upload_url").as_str().unwrap();
    let skip = world
        .put(url, vec![0; CHUNK], (CHUNK, 2 * CHUNK - 1), SIZE)
        .await;
    assert_eq!(
        (skip.status().as_u16(), progress(&skip)),
        (416, "bytes 0-0/17000001")
    );
    let odd = world.put(url, vec![0; 100], (0, 99), SIZE).await;
    assert_eq!(odd.status(), 416);
    let length = world.put(url, vec![0; 99], (0, CHUNK - 1), SIZE).await;
    assert_eq!(length.status(), 400);
    let total = world
        .put(url, vec![0; CHUNK], (0, CHUNK - 1), SIZE + 1)
        .await;
    assert_eq!(total.status(), 400);
    let typed = world
        .http
        .put(url)
        .header("Content-Range", "bytes 0-0/1")
        .body("x");
    assert_eq!(typed.send().await.unwrap().status(), 400);
    let other = format!("{url}x");
    assert_eq!(world.put(&other, vec![0; 1], (0, 0), 1).await.status(), 404);
    world.advance(3_600);
    let late = world.put(url, vec![0; CHUNK], (0, CHUNK - 1), SIZE).await;
    assert_eq!(late.status(), 403);
    let rules: Vec<Rule> = world
        .sim
        .broken()
        .iter()
        .map(|broken| broken.rule)
        .collect();
    assert_eq!(
        rules,
        [
            Rule::ChunkOutOfOrder,
            Rule::ChunkOutOfOrder,
            Rule::BadUploadHeaders,
            Rule::BadUploadHeaders,
            Rule::BadUploadHeaders,
            Rule::UnknownUpload,
        ]
    );
}

#[tokio::test]
async fn the_progress_number_may_be_an_index_and_tokens_stay_home() {
    let world = World::new().await;
    world
        .sim
        .configure(|config| config.uploads.progress = ProgressHeader::LastIndex);
    let token = world.connect("mia").await;
    let opened = world.draft(&token, &one_chunk(100)).await;
    let url = opened.data("upload_url").as_str().unwrap();
    let put = world
        .http
        .put(url)
        .bearer_auth(&token)
        .header("Content-Type", "video/mp4")
        .header("Content-Range", "bytes 0-99/100")
        .body(mp4(100))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (put.status().as_u16(), progress(&put)),
        (201, "bytes 0-99/100")
    );
    assert_eq!(world.sim.broken()[0].rule, Rule::AuthorizationOnUpload);
    let written = serde_json::to_string(&world.sim.ledger(&LedgerFilter::default())).unwrap();
    assert!(!written.contains(&token) && !written.contains("upload_token"));
}

#[tokio::test]
async fn a_client_that_leaves_mid_chunk_can_send_it_again() {
    let world = World::new().await;
    let token = world.connect("mia").await;
    let opened = world.draft(&token, &one_chunk(1_000_000)).await;
    let url = opened.data("upload_url").as_str().unwrap();
    let (sender, receiver) = futures::channel::mpsc::unbounded::<std::io::Result<Vec<u8>>>();
    let body = reqwest::Body::wrap_stream(receiver);
    let half = world
        .http
        .put(url)
        .header("Content-Type", "video/mp4")
        .header("Content-Range", "bytes 0-999999/1000000")
        .header("Content-Length", "1000000")
        .body(body)
        .send();
    sender.unbounded_send(Ok(mp4(500_000))).unwrap();
    let broken = std::io::Error::other("the client dies");
    sender.unbounded_send(Err(broken)).unwrap();
    assert!(half.await.is_err());
    let filter = LedgerFilter {
        code: Some("body_cut".into()),
        ..LedgerFilter::default()
    };
    crate::support::until("the cut is noticed", || {
        !world.sim.ledger(&filter).is_empty()
    })
    .await;
    assert_eq!(world.sim.uploads()[0].received, 0);
    let range = (0, 999_999);
    assert_eq!(
        world
            .put(url, mp4(1_000_000), range, 1_000_000)
            .await
            .status(),
        201
    );
    world.assert_clean();
}

#[tokio::test]
async fn two_puts_for_one_place_cannot_both_count() {
    let world = World::new().await;
    world
        .sim
        .configure(|config| config.uploads.bytes_per_second = Some(10_000_000));
    let token = world.connect("mia").await;
    let size = 1_000_000;
    let opened = world.draft(&token, &one_chunk(size)).await;
    let url = opened.data("upload_url").as_str().unwrap();
    let range = (0, size - 1);
    let start = std::time::Instant::now();
    let (a, b) = tokio::join!(
        world.put(url, mp4(size), range, size),
        world.put(url, mp4(size), range, size)
    );
    assert!(start.elapsed() >= std::time::Duration::from_millis(90));
    let mut statuses = [a.status().as_u16(), b.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 416]);
    assert_eq!(world.sim.broken()[0].rule, Rule::ParallelPut);
    assert_eq!(world.sim.uploads()[0].received, size as u64);
}
