//! The product with its routes on a port of this machine, and photos to post.

use std::time::Duration;

use clipqueue::{
    domain::{
        posts::{NewPost, Photos},
        pulls,
    },
    http,
};
use clipqueue_entities::{
    AccountId, MediaId, PostId, attempt_photo, post, post::PostState, post_attempt,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{
    app::{Stack, TestApp},
    eventually,
};

pub(super) const JPEG: &[u8] = include_bytes!("../../media/photo.jpg");
pub(super) const WEBP: &[u8] = include_bytes!("../../media/photo.webp");
pub(super) const PNG: &[u8] = include_bytes!("../../media/picture.png");

/// How long real work may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The product, reachable by the simulator.
pub(super) async fn open(stack: Stack) -> TestApp {
    open_with(stack, &[]).await
}

/// The same with further settings.
pub(super) async fn open_with(stack: Stack, settings: &[(&str, &str)]) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut all = vec![("http.public_url", url.as_str())];
    all.extend_from_slice(settings);
    let t = TestApp::start_with(stack, &all).await;
    t.sim.configure(|config| {
        config.pulls.allow = true;
        config.pulls.loopback_http = true;
    });
    let router = http::router(
        &t.app,
        None,
        CancellationToken::new(),
        CancellationToken::new(),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    t
}

/// The JPEG with other dimensions in its header.
pub(super) fn sized(width: u16, height: u16) -> &'static [u8] {
    let mut bytes = JPEG.to_vec();
    let frame = bytes
        .windows(4)
        .position(|four| four[0] == 0xFF && matches!(four[1], 0xC0 | 0xC2) && four[2] == 0)
        .unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    Vec::leak(bytes)
}

/// A creator, and three photos.
pub(super) async fn three(t: &TestApp) -> (AccountId, Vec<MediaId>) {
    three_of(t, "creator").await
}

/// The same for a creator of that name.
pub(super) async fn three_of(t: &TestApp, creator: &str) -> (AccountId, Vec<MediaId>) {
    let account = t.connect(creator).await.id;
    let photos = vec![
        t.upload_bytes(JPEG).await,
        t.upload_bytes(WEBP).await,
        t.upload_bytes(sized(1080, 1350)).await,
    ];
    (account, photos)
}

/// A request for a direct post of photos.
pub(super) fn direct(account: AccountId, photos: &[MediaId], title: &str) -> NewPost {
    NewPost {
        media_id: None,
        photos: Some(Photos {
            media_ids: photos.to_vec(),
            cover_index: 0,
            title: Some(title.to_owned()),
            auto_add_music: Some(true),
        }),
        caption: format!("About {title} #photos"),
        ..TestApp::direct(account, photos[0])
    }
}

/// A request for a draft of photos.
pub(super) fn draft(account: AccountId, photos: &[MediaId], title: &str) -> NewPost {
    let mut new = direct(account, photos, title);
    new.direct = None;
    new.creator_consent = false;
    if let Some(photos) = &mut new.photos {
        photos.auto_add_music = None;
    }
    new
}

/// Waits until the simulator has fetched what it was told to fetch, or has given up.
pub(super) async fn pulled(t: &TestApp) {
    eventually(PATIENCE, "the simulator's pulls are over", async || {
        let waiting = t
            .sim
            .inits()
            .iter()
            .any(|init| init.stage == "awaiting_pull");
        (!waiting).then_some(())
    })
    .await;
}

/// Runs until the post is in `state`, with real time for the pulls in between.
pub(super) async fn run_until(t: &mut TestApp, id: PostId, state: PostState) -> post::Model {
    t.drain().await;
    pulled(t).await;
    t.run_until(id, state).await
}

/// The attempts of a post with what was fetched of each.
pub(super) async fn attempts(
    t: &TestApp,
    id: PostId,
) -> Vec<(post_attempt::Model, Vec<attempt_photo::Model>)> {
    let mut all = Vec::new();
    for attempt in t.attempts(id).await {
        let photos = pulls::of_attempt(t.app.db.read(), attempt.id)
            .await
            .unwrap();
        all.push((attempt, photos));
    }
    all
}

/// Waits until every photo of the newest attempt is on record as fetched.
pub(super) async fn recorded(t: &TestApp, id: PostId) -> Vec<attempt_photo::Model> {
    eventually(PATIENCE, "the record is whole", async || {
        let (_, photos) = attempts(t, id).await.pop()?;
        photos
            .iter()
            .all(|photo| photo.completed_at.is_some())
            .then_some(photos)
    })
    .await
}

/// The addresses of an attempt's photos.
pub(super) fn addresses(
    t: &TestApp,
    attempt: &post_attempt::Model,
    photos: &[attempt_photo::Model],
) -> Vec<String> {
    photos
        .iter()
        .map(|photo| {
            let end = attempt.pull_ends_at.unwrap();
            pulls::address(&t.app, attempt.id, end, photo.position, &photo.content_type).to_string()
        })
        .collect()
}
