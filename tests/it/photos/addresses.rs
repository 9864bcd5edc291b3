//! The addresses that TikTok fetches from: what they give, to whom, and how long.

use clipqueue_entities::post::PostState;
use reqwest::{Client, Method, StatusCode, header};
use tiktok_sim::{Endpoint, FaultKind};

use super::gallery::{JPEG, PATIENCE, WEBP, addresses, attempts, direct, open, three};
use crate::support::{
    app::{Stack, TestApp},
    eventually,
    flows::HOUR,
};

crate::on_both_stacks_by_hand!(
    an_address_gives_its_photo_as_http_says,
    anything_else_is_nothing_at_all,
    a_fetch_that_breaks_off_is_on_record_as_such,
);

/// A post in doubt that nobody has come for, and the addresses of its photos.
async fn doubted(t: &mut TestApp) -> (clipqueue_entities::PostId, Vec<String>) {
    let (account, photos) = three(t).await;
    t.fault(Endpoint::PhotoInit, FaultKind::LostBeforeEffect);
    let post = t.post(direct(account, &photos, "doubted")).await;
    t.drain().await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
    let (attempt, photos) = attempts(t, post.id).await.pop().unwrap();
    (post.id, addresses(t, &attempt, &photos))
}

async fn an_address_gives_its_photo_as_http_says(stack: Stack) {
    let mut t = open(stack).await;
    let (id, urls) = doubted(&mut t).await;
    let http = Client::builder().no_proxy().build().unwrap();
    assert!(
        urls[0].ends_with("/1.jpg") && urls[1].ends_with("/2.webp"),
        "{urls:?}"
    );

    let head = http.head(&urls[1]).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()[header::CONTENT_TYPE], "image/webp");
    assert_eq!(
        head.headers()[header::CONTENT_LENGTH],
        WEBP.len().to_string().as_str()
    );
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(head.headers()[name], value);
    }
    assert!(head.bytes().await.unwrap().is_empty());
    let (_, photos) = attempts(&t, id).await.pop().unwrap();
    assert_eq!((photos[1].heads, photos[1].fetches), (1, 0));
    assert!(photos[1].first_asked_at.is_some());

    let whole = http.get(&urls[0]).send().await.unwrap();
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "image/jpeg");
    assert_eq!(whole.bytes().await.unwrap(), JPEG);

    // In two pieces, the second of which makes it whole.
    let size = WEBP.len();
    for (range, part, of) in [
        ("bytes=0-99", 0..100, format!("bytes 0-99/{size}")),
        (
            "bytes=100-",
            100..size,
            format!("bytes 100-{}/{size}", size - 1),
        ),
    ] {
        let got = http
            .get(&urls[1])
            .header(header::RANGE, range)
            .send()
            .await
            .unwrap();
        assert_eq!(got.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(got.headers()[header::CONTENT_RANGE], of.as_str());
        assert_eq!(got.bytes().await.unwrap(), &WEBP[part]);
        eventually(PATIENCE, "the piece is on record", async || {
            let (_, photos) = attempts(&t, id).await.pop()?;
            (photos[1].bytes_served > 0).then_some(())
        })
        .await;
    }
    let outside = http
        .get(&urls[1])
        .header(header::RANGE, format!("bytes={size}-"))
        .send()
        .await
        .unwrap();
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(
        outside.headers()[header::CONTENT_RANGE],
        format!("bytes */{size}").as_str()
    );
    eventually(PATIENCE, "two photos are whole", async || {
        let (_, photos) = attempts(&t, id).await.pop()?;
        let whole = photos.iter().filter(|photo| photo.completed_at.is_some());
        (whole.count() == 2).then_some(())
    })
    .await;
    let (_, photos) = attempts(&t, id).await.pop().unwrap();
    assert_eq!(photos[1].fetches, 2);
    assert!(photos[2].first_asked_at.is_none());
    let post = t.reload(id).await;
    assert_eq!(post.bytes_sent, photos[0].size + photos[1].size);
    assert!(clipqueue::domain::pulls::summary(&photos).starts_with("TikTok fetched 2 of 3 photos"));
}

async fn anything_else_is_nothing_at_all(stack: Stack) {
    let mut t = open(stack).await;
    let (id, urls) = doubted(&mut t).await;
    let http = Client::builder().no_proxy().build().unwrap();
    let (base, _) = urls[0].rsplit_once('/').unwrap();
    let (root, token) = base.rsplit_once('/').unwrap();
    let mut turned = token.to_owned();
    let last = if turned.pop() == Some('A') { 'Q' } else { 'A' };
    turned.push(last);
    for url in [
        format!("{base}/4.jpg"),
        format!("{base}/0.jpg"),
        format!("{base}/1.webp"),
        format!("{base}/1.jpg.png"),
        format!("{base}/01.jpg"),
        format!("{base}/"),
        base.to_owned(),
        format!("{root}/{turned}/1.jpg"),
        format!("{root}/{}/1.jpg", &token[..20]),
        format!("{root}/x/1.jpg"),
        format!("{root}/%2e%2e/1.jpg"),
        root.to_owned(),
    ] {
        let answer = http.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{url}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = http.request(method, &urls[0]).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    let (_, photos) = attempts(&t, id).await.pop().unwrap();
    assert!(photos.iter().all(|photo| photo.first_asked_at.is_none()));

    // Its time is over, whatever becomes of the post.
    t.clock.advance(HOUR * 2);
    let late = http.get(&urls[0]).send().await.unwrap();
    assert_eq!(late.status(), StatusCode::NOT_FOUND);
}

async fn a_fetch_that_breaks_off_is_on_record_as_such(stack: Stack) {
    let mut t = open(stack).await;
    // Larger than what a socket buffers, so that not all of it can have gone out.
    let account = t.connect("creator").await.id;
    let mut bytes = JPEG.to_vec();
    bytes.resize(16_000_000, 0);
    let photo = t.upload_bytes(Vec::leak(bytes)).await;
    t.fault(Endpoint::PhotoInit, FaultKind::LostBeforeEffect);
    let post = t.post(direct(account, &[photo], "broken off")).await;
    t.drain().await;
    let (attempt, photos) = attempts(&t, post.id).await.pop().unwrap();
    let url = addresses(&t, &attempt, &photos).remove(0);
    let mut answer = reqwest::get(&url).await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    drop(answer);
    let photo = eventually(PATIENCE, "what went out is on record", async || {
        let (_, mut photos) = attempts(&t, post.id).await.pop()?;
        let photo = photos.remove(0);
        (photo.bytes_served > 0).then_some(photo)
    })
    .await;
    assert_eq!(photo.fetches, 1);
    assert!(photo.bytes_served < photo.size, "{photo:?}");
    assert!(photo.completed_at.is_none());
    // That somebody came is enough for the doubt to stay.
    t.pass(HOUR * 3, 6).await;
    assert_eq!(t.reload(post.id).await.state, PostState::Unconfirmed);
}
