//! Connections that end in the middle, over real sockets.

use clipqueue::media::MediaError;
use clipqueue_entities::MediaId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::fixture::{Fixture, PATIENCE, file, sha256};

/// Waits until the upload has stored at least so much.
async fn stored(fixture: &Fixture, id: MediaId, at_least: u64) {
    tokio::time::timeout(PATIENCE, async {
        loop {
            let media = fixture.store.status(fixture.user, id).await.unwrap();
            if media.received >= at_least {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("what arrived was not stored");
}

/// Waits until nobody holds the upload, and says where it stands.
async fn let_go(fixture: &Fixture, id: MediaId) -> usize {
    tokio::time::timeout(PATIENCE, async {
        loop {
            let media = fixture.store.status(fixture.user, id).await.unwrap();
            let at = usize::try_from(media.received).unwrap();
            match fixture.append(id, at, b"").await {
                Ok(_) => return at,
                Err(MediaError::Busy | MediaError::OffsetConflict { .. }) => {
                    tokio::task::yield_now().await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
    .expect("the dead connection kept the upload")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_before_a_cut_is_kept() {
    let fixture = Fixture::new().await;
    let address = fixture.serve().await;
    let clip = file("clip.mp4");
    let media = fixture.create(clip.len()).await;
    let head = |offset: usize| {
        format!(
            "PATCH /uploads/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n\
             Upload-Offset: {offset}\r\nContent-Length: {}\r\n\r\n",
            media.id,
            fixture.user,
            clip.len() - offset,
        )
    };
    let mut at = 0;
    // A connection that is closed, one that is reset, and again.
    for (linger, cut) in [(None, 50_001), (Some(0), 120_000), (None, 200_777)] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(head(at).as_bytes()).await.unwrap();
        connection.write_all(&clip[at..cut]).await.unwrap();
        if linger.is_some() {
            // A reset throws away what the server has not read: whole segments are sure by then.
            stored(&fixture, media.id, at as u64 + 1).await;
            connection.set_zero_linger().unwrap();
        }
        drop(connection);
        if linger.is_none() {
            stored(&fixture, media.id, cut as u64).await;
        }
        let found = let_go(&fixture, media.id).await;
        match linger {
            None => assert_eq!(found, cut),
            Some(_) => assert!((at + 1..=cut).contains(&found), "{found}"),
        }
        at = found;
    }
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(head(at).as_bytes()).await.unwrap();
    connection.write_all(&clip[at..]).await.unwrap();
    let mut answer = [0; 512];
    let read = connection.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let done = fixture.store.get(fixture.user, media.id).await.unwrap();
    assert_eq!(done.sha256, Some(sha256(&clip)));
}
