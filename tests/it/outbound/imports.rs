//! Files that are fetched from verified sources become media like uploads, or fail with a word.

use clipqueue::domain::{
    error::Error,
    imports::{self, NewImport},
};
use clipqueue_entities::{
    event, media_import, media_import::ImportState, verified_source, verified_source::SourceState,
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _};

use super::{
    server::{Answer, Names, Server},
    sources::add,
};
use crate::support::app::{CLIP, Stack, TestApp};

crate::on_both_stacks!(a_file_is_fetched_judged_and_ready);

/// A source that covers the whole server, verified.
pub(crate) async fn verified(t: &TestApp, server: &Server) -> verified_source::Model {
    let row = add(t, server.url("/").as_str()).await;
    verified_source::ActiveModel {
        id: Set(row.id),
        state: Set(SourceState::Verified),
        next_check_at: Set(None),
        ..Default::default()
    }
    .update(t.app.db.write())
    .await
    .unwrap()
}

pub(crate) async fn begin(t: &TestApp, url: &str) -> media_import::Model {
    let new = NewImport {
        url: url.to_owned(),
        filename: None,
    };
    let key = uuid::Uuid::now_v7().to_string();
    imports::begin(&t.app, &t.actor, new, &key).await.unwrap()
}

pub(crate) async fn reload(t: &TestApp, row: &media_import::Model) -> media_import::Model {
    imports::get(&t.app, t.actor.user_id, row.id).await.unwrap()
}

async fn a_file_is_fetched_judged_and_ready(mut t: TestApp) {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/clips/summer.mp4?signature=top-secret" => Answer::whole("200 OK", "", CLIP),
        _ => Answer::whole("404 Not Found", "", b""),
    })
    .await;
    t.names();
    verified(&t, &server).await;
    let url = server.url("/clips/summer.mp4?signature=top-secret");
    let new = NewImport {
        url: url.to_string(),
        filename: None,
    };
    let row = imports::begin(&t.app, &t.actor, new.clone(), "key")
        .await
        .unwrap();
    let same = imports::begin(&t.app, &t.actor, new.clone(), "key")
        .await
        .unwrap();
    assert_eq!(row.id, same.id);
    let other = NewImport {
        filename: Some("other.mp4".to_owned()),
        ..new
    };
    assert!(
        imports::begin(&t.app, &t.actor, other, "key")
            .await
            .is_err()
    );
    // What may be a secret is sealed, and forgotten afterwards.
    assert!(!format!("{row:?}").contains("top-secret"));
    t.drain().await;
    let row = reload(&t, &row).await;
    assert_eq!(row.state, ImportState::Ready, "{row:?}");
    assert!(row.url.is_none());
    let media = t
        .app
        .media
        .get(t.actor.user_id, row.media_id.unwrap())
        .await
        .unwrap();
    assert_eq!(media.filename.as_deref(), Some("summer.mp4"));
    assert_eq!(media.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(media.received, CLIP.len() as u64);
    assert!(media.facts.is_some());
    assert_eq!(server.asked().len(), 1, "the file, once");
    let log = event::Entity::find().all(t.app.db.read()).await.unwrap();
    assert_eq!(log.last().unwrap().kind, "media.imported");
    // It can be posted like any other.
    let account = t.connect("creator").await;
    let post = t.post(TestApp::direct(account.id, media.id)).await;
    t.run_until(post.id, clipqueue_entities::post::PostState::Published)
        .await;
}

#[tokio::test]
async fn what_cannot_be_fetched_fails_with_a_word() {
    let mut t = TestApp::start(Stack::Embedded).await;
    let server = Server::start(|asked| match asked.path.as_str() {
        "/page.html" => Answer::whole(
            "200 OK",
            "Content-Type: video/mp4\r\n",
            b"<html>no film</html>",
        ),
        "/chunked.mp4" => {
            Answer::text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        }
        "/huge.mp4" => Answer::text("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n"),
        "/empty.mp4" => Answer::whole("200 OK", "", b""),
        "/gzip.mp4" => Answer::whole("200 OK", "Content-Encoding: gzip\r\n", CLIP),
        "/part.mp4" => Answer::whole("206 Partial", "Content-Range: bytes 0-1/2\r\n", b"ab"),
        "/inside.mp4" => Answer::whole("302 Found", "Location: http://169.254.169.254/\r\n", b""),
        "/rebound.mp4" => {
            Answer::whole("302 Found", "Location: http://inside.example.com/\r\n", b"")
        }
        "/loop.mp4" => Answer::whole("302 Found", "Location: /loop.mp4\r\n", b""),
        _ => Answer::whole("404 Not Found", "", b""),
    })
    .await;
    let names: std::sync::Arc<Names> = t.names();
    names.lead("inside.example.com", &[&["127.0.0.1", "10.0.0.1"]]);
    verified(&t, &server).await;
    for (path, code) in [
        ("/page.html", "media_rejected"),
        ("/chunked.mp4", "no_length"),
        ("/huge.mp4", "too_large"),
        ("/empty.mp4", "empty"),
        ("/gzip.mp4", "encoded"),
        ("/part.mp4", "changed"),
        ("/inside.mp4", "url_refused"),
        ("/rebound.mp4", "address_refused"),
        ("/loop.mp4", "redirects"),
        ("/none.mp4", "status"),
    ] {
        let row = begin(&t, server.url(path).as_str()).await;
        t.drain().await;
        let row = reload(&t, &row).await;
        assert_eq!(row.state, ImportState::Failed, "{path}: {row:?}");
        assert_eq!(row.failure_code.as_deref(), Some(code), "{path}");
        let text = row.failure_message.unwrap();
        assert!(!text.is_empty() && !text.contains(path), "{path}: {text}");
    }
    let kept = t
        .app
        .media
        .list(t.actor.user_id, None, false, 100)
        .await
        .unwrap();
    assert!(
        kept.iter()
            .all(|media| media.state != clipqueue::media::MediaState::Uploading)
    );
}

#[tokio::test]
async fn only_what_lies_below_a_verified_source_is_fetched() {
    let mut t = TestApp::start(Stack::Embedded).await;
    let server = Server::start(|_| Answer::whole("200 OK", "", CLIP)).await;
    t.names();
    let source = add(&t, server.url("/mine/").as_str()).await;
    let attempt = async |path: &str| {
        let new = NewImport {
            url: server.url(path).into(),
            filename: None,
        };
        let key = uuid::Uuid::now_v7().to_string();
        imports::begin(&t.app, &t.actor, new, &key).await
    };
    // Named is not verified.
    assert!(matches!(
        attempt("/mine/a.mp4").await,
        Err(Error::Refused(_))
    ));
    let verified = verified_source::ActiveModel {
        id: Set(source.id),
        state: Set(SourceState::Verified),
        next_check_at: Set(None),
        ..Default::default()
    };
    verified.update(t.app.db.write()).await.unwrap();
    for path in ["/", "/mine", "/yours/a.mp4", "/mine/..%2fyours/a.mp4"] {
        assert!(
            matches!(attempt(path).await, Err(Error::Refused(_))),
            "{path}"
        );
    }
    let row = attempt("/mine/a.mp4").await.unwrap();
    // Somebody else's source is nobody's but theirs.
    let (eve, _) = TestApp::user(&t.app, "eve", &clipqueue::domain::actor::Scope::ALL).await;
    let new = NewImport {
        url: server.url("/mine/a.mp4").into(),
        filename: None,
    };
    assert!(imports::begin(&t.app, &eve, new, "eve").await.is_err());
    // It is forgotten before the file is fetched.
    clipqueue::domain::sources::remove(&t.app, &t.actor, source.id)
        .await
        .unwrap();
    t.drain().await;
    let row = reload(&t, &row).await;
    assert_eq!(row.failure_code.as_deref(), Some("source_not_verified"));
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.path != "/mine/a.mp4")
    );
}
