//! The protocol, request by request.

use std::time::Duration;

use axum::{body::Body, http::Method};
use base64::{Engine, engine::general_purpose::STANDARD};
use clipqueue::{http::uploads::Origins, media::MediaState};
use clipqueue_entities::MediaId;
use sha1::{Digest, Sha1};

use super::{
    client::Client,
    fixture::{Fixture, file, sha256},
};

fn id(location: &str) -> MediaId {
    location.rsplit('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_server_says_what_it_can_do() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let answer = client
        .send(Method::OPTIONS, "/uploads", &[], Body::empty())
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("tus-resumable"), "1.0.0");
    assert_eq!(answer.header("tus-version"), "1.0.0");
    assert_eq!(answer.header("tus-max-size"), "4000000000");
    assert_eq!(answer.header("tus-checksum-algorithm"), "sha1,sha256");
    assert_eq!(
        answer.header("tus-extension"),
        "creation,creation-with-upload,expiration,checksum,termination"
    );
}

#[tokio::test]
async fn an_upload_in_pieces() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let clip = file("clip.mp4");
    let metadata = format!(
        "filename {},filetype {},mine {},empty",
        STANDARD.encode("Ein Füchslein.mp4"),
        STANDARD.encode("video/mp4"),
        STANDARD.encode("x"),
    );
    let size = clip.len().to_string();
    let made = client
        .tus(
            Method::POST,
            "/uploads",
            &[("upload-length", &size), ("upload-metadata", &metadata)],
        )
        .await;
    assert_eq!(made.status, 201);
    // 2027-01-15 08:00 by the fixture's clock, and a day.
    assert_eq!(
        made.header("upload-expires"),
        "Sat, 16 Jan 2027 08:00:00 GMT"
    );
    let path = made.header("location").to_owned();
    let first = client.patch(&path, 0, &clip[..100_000], &[]).await;
    assert_eq!(first.status, 204);
    assert_eq!(first.header("upload-offset"), "100000");
    let head = client.tus(Method::HEAD, &path, &[]).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("upload-offset"), "100000");
    assert_eq!(head.header("upload-length"), size);
    assert_eq!(head.header("upload-metadata"), metadata);
    assert_eq!(head.header("cache-control"), "no-store");
    client
        .patch(&path, 0, &clip, &[])
        .await
        .refuses(409, "OFFSET_CONFLICT");
    let last = client.patch(&path, 100_000, &clip[100_000..], &[]).await;
    assert_eq!(last.status, 204);
    assert_eq!(last.header("upload-offset"), size);
    let media = fixture.store.get(fixture.user, id(&path)).await.unwrap();
    assert_eq!(media.state, MediaState::Ready);
    assert_eq!(media.filename.as_deref(), Some("Ein Füchslein.mp4"));
    assert_eq!(media.declared_type.as_deref(), Some("video/mp4"));
    assert_eq!(media.sha256, Some(sha256(&clip)));
    let head = client.tus(Method::HEAD, &path, &[]).await;
    assert_eq!(head.header("upload-offset"), size);
    client
        .tus(Method::DELETE, &path, &[])
        .await
        .refuses(409, "UPLOAD_COMPLETE");
}

#[tokio::test]
async fn bytes_with_the_announcement() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let clip = file("clip.mp4");
    let size = clip.len().to_string();
    let headers = [
        ("tus-resumable", "1.0.0"),
        ("upload-length", size.as_str()),
        ("content-type", "application/offset+octet-stream"),
    ];
    let part = client
        .send(Method::POST, "/uploads", &headers, clip[..5000].to_vec())
        .await;
    assert_eq!(part.status, 201);
    assert_eq!(part.header("upload-offset"), "5000");
    let whole = client
        .send(Method::POST, "/uploads", &headers, clip.clone())
        .await;
    assert_eq!(whole.status, 201);
    assert_eq!(whole.header("upload-offset"), size);
    let media = fixture
        .store
        .get(fixture.user, id(whole.header("location")))
        .await
        .unwrap();
    assert_eq!(media.state, MediaState::Ready);
    let mut wrong = headers.to_vec();
    wrong.push(("upload-checksum", "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    client
        .send(Method::POST, "/uploads", &wrong, clip.clone())
        .await
        .refuses(460, "CHECKSUM_MISMATCH");
    let newest = &fixture
        .store
        .list(fixture.user, None, false, 1)
        .await
        .unwrap()[0];
    assert_eq!(newest.state, MediaState::Deleted);
}

#[tokio::test]
async fn announcements_that_cannot_be_taken() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let post = |headers: Vec<(&'static str, &'static str)>| {
        let client = &client;
        async move { client.tus(Method::POST, "/uploads", &headers).await }
    };
    for (headers, status, code) in [
        (vec![], 400, "BAD_HEADER"),
        (vec![("upload-length", "-1")], 400, "BAD_HEADER"),
        (vec![("upload-length", "+1")], 400, "BAD_HEADER"),
        (vec![("upload-length", "ten")], 400, "BAD_HEADER"),
        (vec![("upload-length", "0")], 400, "FILE_EMPTY"),
        (vec![("upload-length", "4000000001")], 413, "FILE_TOO_LARGE"),
        (vec![("upload-defer-length", "1")], 400, "BAD_HEADER"),
        (
            vec![("upload-length", "5"), ("upload-concat", "partial")],
            400,
            "BAD_HEADER",
        ),
        (
            vec![("upload-length", "5"), ("upload-metadata", "filename !!")],
            400,
            "BAD_HEADER",
        ),
        (
            vec![("upload-length", "5"), ("upload-metadata", "sha256 YWJj")],
            400,
            "INVALID_UPLOAD",
        ),
    ] {
        post(headers).await.refuses(status, code);
    }
    client
        .send(
            Method::POST,
            "/uploads",
            &[("upload-length", "5")],
            Body::empty(),
        )
        .await
        .refuses(412, "TUS_VERSION");
    let other = [("tus-resumable", "0.2.2"), ("upload-length", "5")];
    let answer = client
        .send(Method::POST, "/uploads", &other, Body::empty())
        .await;
    answer.refuses(412, "TUS_VERSION");
    assert_eq!(answer.header("tus-version"), "1.0.0");
    client
        .tus(Method::GET, "/uploads", &[])
        .await
        .refuses(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn pieces_that_cannot_be_taken() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let clip = file("clip.mp4");
    let path = client.create(clip.len()).await;
    let send = |headers: Vec<(&'static str, &'static str)>| {
        let (client, path) = (&client, path.as_str());
        async move { client.tus(Method::PATCH, path, &headers).await }
    };
    send(vec![("upload-offset", "0")])
        .await
        .refuses(415, "CONTENT_TYPE");
    let stream = ("content-type", "application/offset+octet-stream");
    send(vec![stream]).await.refuses(400, "BAD_HEADER");
    for checksum in ["md5 xx", "sha1", "sha1 YWJj", "sha1 !"] {
        send(vec![
            stream,
            ("upload-offset", "0"),
            ("upload-checksum", checksum),
        ])
        .await
        .refuses(400, "BAD_HEADER");
    }
    let length = (clip.len() + 1).to_string();
    client
        .patch(&path, 0, &clip, &[("content-length", &length)])
        .await
        .refuses(413, "BODY_TOO_LONG");
    client
        .patch(&path, 1, &clip[1..], &[])
        .await
        .refuses(409, "OFFSET_CONFLICT");
    let unknown = format!("/uploads/{}", MediaId::new());
    client
        .patch(&unknown, 0, &clip, &[])
        .await
        .refuses(404, "NOT_FOUND");
    client.refuses_head("/uploads/nonsense", 404).await;
}

#[tokio::test]
async fn checksums() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let clip = file("clip.mp4");
    let path = client.create(clip.len()).await;
    let sha1 = |bytes: &[u8]| format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)));
    let wrong = sha1(b"other bytes");
    let (front, rest) = clip.split_at(70_000);
    client
        .patch(&path, 0, front, &[("upload-checksum", &wrong)])
        .await
        .refuses(460, "CHECKSUM_MISMATCH");
    let head = client.tus(Method::HEAD, &path, &[]).await;
    assert_eq!(head.header("upload-offset"), "0");
    let right = sha1(front);
    let taken = client
        .patch(&path, 0, front, &[("upload-checksum", &right)])
        .await;
    assert_eq!(taken.status, 204);
    let digest = STANDARD.encode(hex::decode(sha256(rest)).unwrap());
    let right = format!("sha256 {digest}");
    let taken = client
        .patch(&path, 70_000, rest, &[("upload-checksum", &right)])
        .await;
    assert_eq!(taken.status, 204);
    let media = fixture.store.get(fixture.user, id(&path)).await.unwrap();
    assert_eq!(media.sha256, Some(sha256(&clip)));
}

#[tokio::test]
async fn a_refused_video_says_why() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let slow = file("fps15.mp4");
    let path = client.create(slow.len()).await;
    let answer = client.patch(&path, 0, &slow, &[]).await;
    answer.refuses(422, "MEDIA_REJECTED");
    let message = answer.body["message"].as_str().unwrap();
    assert!(
        message.contains("15 frames per second") && message.contains("23 to 60"),
        "{message}"
    );
    client.refuses_head(&path, 410).await;
}

#[tokio::test]
async fn termination_and_expiry() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let path = client.create(10_000).await;
    client.patch(&path, 0, &[0; 5000], &[]).await;
    assert_eq!(client.tus(Method::DELETE, &path, &[]).await.status, 204);
    assert_eq!(fixture.stored_files(), Vec::<String>::new());
    client.refuses_head(&path, 410).await;
    let path = client.create(10_000).await;
    fixture.clock.advance(Duration::from_secs(25 * 3600));
    client
        .patch(&path, 0, &[0; 5000], &[])
        .await
        .refuses(410, "MEDIA_GONE");
    fixture.store.sweep(10).await.unwrap();
    client.refuses_head(&path, 410).await;
}

#[tokio::test]
async fn keys_and_capabilities() {
    let fixture = Fixture::new().await;
    let mut client = Client::new(&fixture);
    let clip = file("clip.mp4");
    let path = client.create(clip.len()).await;
    let ends = fixture.clock.now() + Duration::from_secs(3600);
    let capability = Fixture::capabilities().issue(fixture.user, id(&path), ends);
    let address = format!("/uploads/{capability}");

    client.key = Some(fixture.another_user().await.to_string());
    client
        .patch(&path, 0, &clip, &[])
        .await
        .refuses(404, "NOT_FOUND");
    client.key = None;
    let refused = client.patch(&path, 0, &clip, &[]).await;
    refused.refuses(401, "UNAUTHENTICATED");
    assert!(refused.header("www-authenticate").starts_with("Bearer"));
    client
        .tus(Method::POST, "/uploads", &[("upload-length", "5")])
        .await
        .refuses(401, "UNAUTHENTICATED");

    // The address alone is enough, for this upload only and while it lasts.
    assert_eq!(client.tus(Method::HEAD, &address, &[]).await.status, 200);
    let part = client.patch(&address, 0, &clip[..9000], &[]).await;
    assert_eq!(part.status, 204);
    let mut forged = capability.clone().into_bytes();
    forged[3] = if forged[3] == b'A' { b'B' } else { b'A' };
    let forged = format!("/uploads/{}", String::from_utf8(forged).unwrap());
    client.refuses_head(&forged, 404).await;
    fixture.clock.advance(Duration::from_secs(3600));
    client.refuses_head(&address, 410).await;
}

#[tokio::test]
async fn browsers_are_told_what_they_may() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let preflight = |origin: &'static str| {
        let client = &client;
        async move {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", "PATCH"),
            ];
            client
                .send(Method::OPTIONS, "/uploads/x", &headers, Body::empty())
                .await
        }
    };
    let good = preflight("https://app.example").await;
    assert_eq!(good.status, 204);
    assert_eq!(
        good.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert!(
        good.header("access-control-allow-methods")
            .contains("PATCH")
    );
    let allowed = good.header("access-control-allow-headers").to_lowercase();
    for header in ["upload-offset", "tus-resumable", "authorization"] {
        assert!(allowed.contains(header), "{header}");
    }
    let bad = preflight("https://evil.example").await;
    assert!(!bad.headers.contains_key("access-control-allow-origin"));

    // Errors are readable too.
    let headers = [("origin", "https://app.example")];
    let error = client.tus(Method::POST, "/uploads", &headers).await;
    error.refuses(400, "BAD_HEADER");
    assert_eq!(
        error.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert!(
        error
            .header("access-control-expose-headers")
            .contains("Upload-Offset")
    );
    assert_eq!(error.header("vary"), "Origin");

    let open = Client {
        router: fixture.router_for(Origins::Any),
        key: client.key.clone(),
    };
    let any = open.tus(Method::POST, "/uploads", &headers).await;
    assert_eq!(any.header("access-control-allow-origin"), "*");
}
