//! Chunks: what is sent, what the answers mean, and what happens when something stops.

use bytes::Bytes;
use futures::stream;
use tiktok::upload::{Accepted, ChunkBody, VideoType};
use tiktok::{Chunk, Class, Error, Outcome, Sent, UploadUrl, chunks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Fake, Reply, SOON, assert_discreet, client, hasty_client};

/// The smallest file that goes in two chunks.
const BIG: u64 = 64_000_001;

fn url(fake: &Fake) -> UploadUrl {
    UploadUrl::parse(format!(
        "{}/video/?upload_id=1&upload_token=s3cret",
        fake.base
    ))
    .unwrap()
}

fn small() -> Chunk {
    chunks::plan(5).unwrap().range(0).unwrap()
}

fn status(status: u16) -> Reply {
    Reply::Full(status, vec![], String::new())
}

fn progress(status: u16, range: &str) -> Reply {
    Reply::Full(
        status,
        vec![("content-range", range.to_owned())],
        String::new(),
    )
}

async fn send_small(fake: &Fake) -> Result<Accepted, Error> {
    let body = ChunkBody::bytes("hello");
    let sent = client(&fake.base)
        .upload_chunk(&url(fake), small(), VideoType::Mp4, body)
        .await;
    if let Err(error) = &sent {
        assert_discreet(error);
    }
    sent.map(|answer| answer.value)
}

#[tokio::test]
async fn a_chunk_is_sent_as_it_is() {
    let fake = Fake::new([status(201)]).await;
    let pieces = ["he", "", "llo"].map(|p| Ok::<_, std::io::Error>(Bytes::from(p)));
    let body = ChunkBody::stream(stream::iter(pieces));
    let answer = client(&fake.base)
        .upload_chunk(&url(&fake), small(), VideoType::QuickTime, body)
        .await
        .unwrap();
    assert_eq!(answer.http_status, 201);
    assert_eq!(
        answer.value,
        Accepted {
            next_offset: 5,
            complete: true,
            reported_offset: None
        }
    );
    let seen = fake.only();
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("PUT", "/video/")
    );
    assert_eq!(
        seen.query.as_deref(),
        Some("upload_id=1&upload_token=s3cret")
    );
    assert_eq!(seen.header("content-type"), Some("video/quicktime"));
    assert_eq!(seen.header("content-length"), Some("5"));
    assert_eq!(seen.header("content-range"), Some("bytes 0-4/5"));
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(&seen.body[..], b"hello");
}

#[tokio::test]
async fn large_chunks_keep_their_order_and_report_progress() {
    let plan = chunks::plan(BIG).unwrap();
    let all: Bytes = (0..BIG).map(|i| (i % 251) as u8).collect();
    let fake = Fake::new([
        progress(206, "bytes 0-31999999/64000001"),
        progress(201, "bytes 0-64000001/64000001"),
    ])
    .await;
    let client = client(&fake.base);
    let mut accepted = Vec::new();
    for chunk in plan.ranges() {
        let bytes = all.slice(chunk.first() as usize..=chunk.last() as usize);
        let answer = client
            .upload_chunk(&url(&fake), chunk, VideoType::Mp4, ChunkBody::bytes(bytes))
            .await
            .unwrap();
        accepted.push(answer.value);
    }
    let expected = [
        Accepted {
            next_offset: 32_000_000,
            complete: false,
            reported_offset: Some(32_000_000),
        },
        Accepted {
            next_offset: BIG,
            complete: true,
            reported_offset: Some(BIG),
        },
    ];
    assert_eq!(accepted, expected);
    let bodies = fake.bodies();
    assert!(bodies.concat() == all, "the bytes arrived changed");
}

#[tokio::test]
async fn refusals_are_told_by_the_status() {
    let table = [
        (400, Class::BadRequest),
        (403, Class::UploadDead),
        (404, Class::UploadDead),
        (416, Class::UploadOutOfStep { next_offset: None }),
        (429, Class::RateLimited),
        (405, Class::BadRequest),
        (302, Class::OurFault),
        (408, Class::Ambiguous),
        (500, Class::Ambiguous),
        (502, Class::Ambiguous),
    ];
    for (code, class) in table {
        let fake = Fake::new([status(code)]).await;
        let error = send_small(&fake).await.unwrap_err();
        assert_eq!((error.class(), error.http_status()), (class, Some(code)));
    }
    for code in [200, 201, 204, 206] {
        let fake = Fake::new([status(code)]).await;
        assert!(send_small(&fake).await.unwrap().complete);
    }
}

#[tokio::test]
async fn out_of_step_says_where_to_go_on() {
    let chunk = chunks::plan(BIG).unwrap().range(0).unwrap();
    let headers = [
        ("bytes 0-32000000/64000001", Some(32_000_000)),
        ("bytes 0-31999999/64000001", Some(32_000_000)),
        ("bytes 0-0/64000001", Some(0)),
        ("bytes */64000001", None),
        ("nonsense", None),
    ];
    for (header, next_offset) in headers {
        let fake = Fake::new([progress(416, header)]).await;
        let body = ChunkBody::bytes(vec![0; chunk.len() as usize]);
        let error = client(&fake.base)
            .upload_chunk(&url(&fake), chunk, VideoType::Mp4, body)
            .await
            .unwrap_err();
        assert_eq!(
            error.class(),
            Class::UploadOutOfStep { next_offset },
            "{header}"
        );
    }
}

#[tokio::test]
async fn a_source_of_another_length_is_our_failure() {
    let failing = || {
        let pieces = [
            Ok(Bytes::from("he")),
            Err(std::io::Error::other("disk gone")),
        ];
        ChunkBody::stream(stream::iter(pieces))
    };
    let cases = [
        (ChunkBody::bytes("hell"), 4, "1 bytes early"),
        (ChunkBody::bytes("hello!"), 0, "more bytes"),
        (failing(), 2, "disk gone"),
    ];
    for (body, expected, cause) in cases {
        let fake = Fake::new([]).await;
        let error = client(&fake.base)
            .upload_chunk(&url(&fake), small(), VideoType::Mp4, body)
            .await
            .unwrap_err();
        assert_eq!(
            (error.class(), error.outcome()),
            (Class::SourceFailed, Outcome::NotProcessed)
        );
        let Error::Source { read, source } = error else {
            panic!("{error:?}")
        };
        assert_eq!(read, expected);
        assert!(source.to_string().contains(cause), "{source}");
        assert_eq!(fake.count(), 0, "no whole request arrived");
    }
}

#[tokio::test]
async fn foreign_hosts_get_nothing() {
    let fake = Fake::new([]).await;
    let foreign = UploadUrl::parse(format!(
        "{}/?upload_token=s3cret",
        fake.base.replace("127.0.0.1", "localhost")
    ))
    .unwrap();
    let error = client(&fake.base)
        .upload_chunk(&foreign, small(), VideoType::Mp4, ChunkBody::bytes("hello"))
        .await
        .unwrap_err();
    let Error::HostNotAllowed { host } = &error else {
        panic!("{error:?}")
    };
    assert!(host.starts_with("localhost:"));
    assert_eq!(error.class(), Class::OurFault);
    assert_discreet(&error);
    assert_eq!(fake.count(), 0);
}

#[tokio::test]
async fn a_receiver_that_stops_reading_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let hold = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
        drop(socket);
    });
    let chunk = chunks::plan(64_000_000).unwrap().range(0).unwrap();
    let piece = Bytes::from(vec![7; 1_000_000]);
    let body = ChunkBody::stream(stream::iter(
        (0..64).map(move |_| Ok::<_, std::io::Error>(piece.clone())),
    ));
    let to = UploadUrl::parse(format!("{base}/?upload_token=s3cret")).unwrap();
    let error = hasty_client(&base, |timeouts| timeouts.upload_stall = SOON)
        .upload_chunk(&to, chunk, VideoType::Mp4, body)
        .await
        .unwrap_err();
    let Error::Stalled { sent_bytes } = error else {
        panic!("{error:?}")
    };
    assert!(sent_bytes < chunk.len());
    hold.abort();
}

#[tokio::test]
async fn a_source_or_an_answer_that_never_comes_is_noticed() {
    let fake = Fake::new([Reply::Silence]).await;
    let client = hasty_client(&fake.base, |timeouts| timeouts.upload_stall = SOON);
    let never = ChunkBody::stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let error = client
        .upload_chunk(&url(&fake), small(), VideoType::Mp4, never)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Stalled { sent_bytes: 0 }),
        "{error:?}"
    );

    let client = hasty_client(&fake.base, |timeouts| timeouts.upload_answer = SOON);
    let error = client
        .upload_chunk(
            &url(&fake),
            small(),
            VideoType::Mp4,
            ChunkBody::bytes("hello"),
        )
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Stalled { sent_bytes: 5 }),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn an_absent_upload_host_is_told_without_its_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let to = UploadUrl::parse(format!("{base}/?upload_token=s3cret")).unwrap();
    let error = client(&base)
        .upload_chunk(&to, small(), VideoType::Mp4, ChunkBody::bytes("hello"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Transport {
                sent: Sent::NotSent,
                ..
            }
        ),
        "{error:?}"
    );
    assert_discreet(&error);
}

/// A server that answers as soon as it has the headers, and then neither reads nor closes.
async fn hasty_server(status_line: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = [0; 64];
        let _ = socket.read(&mut head).await.unwrap();
        let answer = format!("HTTP/1.1 {status_line}\r\ncontent-length: 0\r\n\r\n");
        socket.write_all(answer.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    base
}

#[tokio::test]
async fn an_early_refusal_counts_and_an_early_success_does_not() {
    let chunk = chunks::plan(64_000_000).unwrap().range(0).unwrap();
    for (status_line, class) in [
        ("403 Forbidden", Class::UploadDead),
        ("201 Created", Class::Ambiguous),
    ] {
        let base = hasty_server(status_line).await;
        let to = UploadUrl::parse(format!("{base}/?upload_token=s3cret")).unwrap();
        let body = ChunkBody::bytes(vec![7; 64_000_000]);
        let error = client(&base)
            .upload_chunk(&to, chunk, VideoType::Mp4, body)
            .await
            .unwrap_err();
        assert_eq!(error.class(), class, "{error:?}");
        assert!(error.http_status().is_some(), "{error:?}");
    }
}
