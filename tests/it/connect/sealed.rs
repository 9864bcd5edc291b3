//! Tokens never lie about in the open: not in a table, not in a file, not in a log.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use clipqueue::{config::MediaPlace, domain::tokens};
use clipqueue_entities::post::PostState;
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};
use tiktok_sim::{Endpoint, FaultKind};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{
    app::{Stack, TestApp},
    flows::MINUTE,
};

crate::on_both_stacks!(no_table_holds_a_token_in_the_open);

/// What opens a simulated token, a client secret, an upload address.
const TELLTALES: [&str; 5] = [
    "act.",
    "rft.",
    "demo-client-secret",
    "upload_token",
    "Bearer ",
];

/// Everything that a log says, kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A post with every kind of trouble that a log could tell of; gives the secrets that were in use.
async fn trouble(t: &mut TestApp) -> Vec<String> {
    let (account, media) = t.ready().await;
    t.advance(MINUTE);
    let mut secrets = Vec::new();
    let mut note = async |t: &TestApp| {
        let stored = tokens::load(&t.app, account).await.unwrap().unwrap();
        secrets.push(stored.access.expose().to_owned());
        secrets.push(stored.refresh.expose().to_owned());
    };
    note(t).await;
    t.fault(Endpoint::VideoInit, FaultKind::DeadToken);
    t.fault(Endpoint::VideoInit, FaultKind::TruncatedJson);
    t.fault(Endpoint::OauthRefresh, FaultKind::Status { status: 500 });
    t.fault(Endpoint::Upload, FaultKind::LostAfterEffect);
    t.fault(Endpoint::Status, FaultKind::DeadToken);
    let post = t.post(TestApp::direct(account, media)).await;
    t.run_until(post.id, PostState::Published).await;
    note(t).await;
    t.begin_three_chunks("open address").await;
    assert_ne!(secrets[0], secrets[2], "the pair was replaced");
    secrets
}

fn assert_silent(text: &str, secrets: &[String], place: &str) {
    for secret in secrets.iter().map(String::as_str).chain(TELLTALES) {
        assert!(!text.contains(secret), "{place} holds {secret:.12}…");
    }
}

/// Every value of every table as text.
async fn dump(t: &TestApp) -> Vec<(String, String)> {
    let db = t.app.db.read();
    let backend = db.get_database_backend();
    let tables = match backend {
        DatabaseBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        _ => {
            "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    let rows = db
        .query_all_raw(Statement::from_string(backend, tables))
        .await
        .unwrap();
    let mut dumped = Vec::new();
    for row in rows {
        let table: String = row.try_get("", "name").unwrap();
        let text = match backend {
            // SQLite is read as a file below.
            DatabaseBackend::Sqlite => continue,
            _ => format!(
                "SELECT coalesce(string_agg(t::text, ' '), '') AS all_rows FROM \"{table}\" t"
            ),
        };
        let row = db
            .query_one_raw(Statement::from_string(backend, text))
            .await
            .unwrap()
            .unwrap();
        dumped.push((table, row.try_get("", "all_rows").unwrap()));
    }
    if backend == DatabaseBackend::Sqlite {
        let MediaPlace::Directory(media) = &t.app.config.media.place else {
            panic!("this stack keeps media in a directory");
        };
        let directory = media.parent().unwrap();
        for name in ["clipqueue.sqlite", "clipqueue.sqlite-wal"] {
            let bytes = std::fs::read(directory.join(name)).unwrap();
            let text = bytes.iter().map(|byte| char::from(*byte)).collect();
            dumped.push((name.to_owned(), text));
        }
    }
    dumped
}

/// PostgreSQL shows bytes as hexadecimal digits.
fn as_hex(secrets: &[String]) -> Vec<String> {
    secrets.iter().map(hex::encode).collect()
}

async fn no_table_holds_a_token_in_the_open(mut t: TestApp) {
    let secrets = trouble(&mut t).await;
    let dumped = dump(&t).await;
    assert!(dumped.iter().map(|(_, text)| text.len()).sum::<usize>() > 1_000);
    for (table, text) in dumped {
        assert_silent(&text, &secrets, &table);
        for secret in as_hex(&secrets) {
            assert!(
                !text.contains(&secret),
                "{table} holds a token as hexadecimal digits"
            );
        }
    }
}

/// On one thread, so that everything that is said is said to this test's log.
#[tokio::test(flavor = "current_thread")]
async fn no_log_holds_a_token_in_the_open() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(kept.clone())
        .finish();
    // As long as there is one subscriber alone, a place that another test's thread is the first to reach is
    // judged by that thread, which has none, and is silent from then on.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    let mut t = TestApp::start(Stack::Embedded).await;
    let secrets = trouble(&mut t).await;
    drop(guard);
    let said = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("clipqueue"), "the log was heard");
    let ours: String = said
        .lines()
        // The simulator stands in for TikTok and may say what it likes; so may the HTTP library about
        // addresses at its lowest level, which no installation turns on.
        .filter(|line| line.contains("clipqueue") || line.contains(" tiktok::"))
        .collect();
    assert!(ours.len() > 1_000);
    assert_silent(&ours, &secrets, "the log");
    for secret in &secrets {
        assert!(!said.contains(secret), "a library says a token");
    }
}
