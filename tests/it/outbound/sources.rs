//! Sources are verified by a record or a file, looked for again, and lapse when the proof is gone.

use std::sync::{Arc, Mutex};

use clipqueue::domain::{
    error::Error,
    imports::{self, NewImport},
    sources::{self, proof},
};
use clipqueue_entities::{VerifiedSourceId, event, verified_source, verified_source::SourceState};
use sea_orm::EntityTrait as _;

use super::server::{Answer, HOST, Server};
use crate::support::{
    app::{Stack, TestApp},
    flows::HOUR,
};

crate::on_both_stacks!(a_source_is_proved_by_a_file_or_a_record_and_lapses_without);

pub(super) async fn add(t: &TestApp, url: &str) -> verified_source::Model {
    let key = uuid::Uuid::now_v7().to_string();
    sources::add(&t.app, &t.actor, url, &key).await.unwrap()
}

pub(super) async fn source(t: &TestApp, id: VerifiedSourceId) -> verified_source::Model {
    sources::get(&t.app, t.actor.user_id, id).await.unwrap()
}

async fn a_source_is_proved_by_a_file_or_a_record_and_lapses_without(mut t: TestApp) {
    let text = Arc::new(Mutex::new("nothing".to_owned()));
    let shown = Arc::clone(&text);
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/.well-known/clipqueue-verification.txt" => {
            Answer::whole("200 OK", "", shown.lock().unwrap().as_bytes())
        }
        // A proof that is somewhere else does not count.
        "/clips/clipqueue-verification.txt" => Answer::whole(
            "302 Found",
            "Location: /.well-known/clipqueue-verification.txt\r\n",
            b"",
        ),
        _ => Answer::whole("404 Not Found", "", b""),
    })
    .await;
    let names = t.names();
    let whole = add(&t, server.url("/").as_str()).await;
    let part = add(&t, server.url("/clips").as_str()).await;
    assert_eq!(part.prefix, "/clips/");
    assert_eq!(add(&t, server.url("/clips/").as_str()).await.id, part.id);
    t.drain().await;
    let row = source(&t, whole.id).await;
    assert_eq!(
        (row.state, row.failure.as_deref()),
        (SourceState::Pending, Some("other_text"))
    );

    // Another source's proof is not this one's.
    *text.lock().unwrap() = format!("{}\n", proof::of(&part).text);
    sources::check_now(&t.app, &t.actor, whole.id)
        .await
        .unwrap();
    sources::check_now(&t.app, &t.actor, part.id).await.unwrap();
    t.drain().await;
    assert_eq!(source(&t, whole.id).await.state, SourceState::Pending);
    let row = source(&t, part.id).await;
    assert_eq!(
        (row.state, row.failure.as_deref()),
        (SourceState::Pending, Some("redirects"))
    );

    *text.lock().unwrap() = format!("# ours\r\n{}\r\n", proof::of(&whole).text);
    sources::check_now(&t.app, &t.actor, whole.id)
        .await
        .unwrap();
    names.text(
        &format!("_clipqueue.{HOST}"),
        &["v=spf1 -all", &proof::of(&part).text],
    );
    sources::check_now(&t.app, &t.actor, part.id).await.unwrap();
    t.drain().await;
    let row = source(&t, whole.id).await;
    assert_eq!(
        (row.state, row.method.as_deref()),
        (SourceState::Verified, Some("file"))
    );
    let row = source(&t, part.id).await;
    assert_eq!(
        (row.state, row.method.as_deref()),
        (SourceState::Verified, Some("dns"))
    );

    // The file goes. For a day it is looked for every hour, then the source lapses.
    *text.lock().unwrap() = String::new();
    let gone = t.clock.now();
    while source(&t, whole.id).await.state == SourceState::Verified {
        assert!(t.clock.now().since(gone) < HOUR * 72, "it never lapses");
        t.clock.advance(HOUR);
        t.fire_crons().await;
    }
    let lasted = t.clock.now().since(gone);
    assert!(lasted >= HOUR * 47 && lasted <= HOUR * 51, "{lasted:?}");
    let row = source(&t, whole.id).await;
    assert_eq!((row.state, row.next_check_at), (SourceState::Lapsed, None));
    assert_eq!(source(&t, part.id).await.state, SourceState::Verified);
    let kinds: Vec<String> = event::Entity::find()
        .all(t.app.db.read())
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        kinds,
        ["source.verified", "source.verified", "source.lapsed"]
    );
    let new = NewImport {
        url: server.url("/a.mp4").into(),
        filename: None,
    };
    let refused = imports::begin(&t.app, &t.actor, new, "lapsed").await;
    assert!(matches!(refused, Err(Error::Refused(_))));

    // It comes back when its owner asks.
    *text.lock().unwrap() = proof::of(&whole).text;
    sources::check_now(&t.app, &t.actor, whole.id)
        .await
        .unwrap();
    t.drain().await;
    assert_eq!(source(&t, whole.id).await.state, SourceState::Verified);
}

#[tokio::test]
async fn a_source_is_a_host_of_the_public_internet() {
    // As in production, where this machine may not be asked.
    let t = TestApp::start(Stack::Embedded).await;
    for url in [
        "http://media.example.com/",
        "https://8.8.8.8/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://media.example.com/?all=1",
        "https://media.example.com/#all",
        "https://media.example.com/%2e%2e%2f",
    ] {
        let key = uuid::Uuid::now_v7().to_string();
        let refused = sources::add(&t.app, &t.actor, url, &key).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{url}");
    }
    let row = add(&t, "https://MEDIA.example.com:443/Clips").await;
    assert_eq!(
        (row.origin.as_str(), row.prefix.as_str()),
        ("https://media.example.com", "/Clips/")
    );
    assert_eq!(
        proof::of(&row).file,
        "https://media.example.com/Clips/clipqueue-verification.txt"
    );
}
