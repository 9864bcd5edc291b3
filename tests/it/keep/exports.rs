//! `requestExport`: everything is in the archive, nobody else's and no secret; the link ends, the archive
//! is deleted, and a writer that dies is followed by one that ends.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
};

use axum::{body::Body, http::Request};
use clipqueue::{
    domain::{
        actor::Scope,
        audit, erasure,
        error::{Code, Error},
        exports,
        exports::parts::PARTS,
        retention, sources,
        webhooks::{self, NewEndpoint},
    },
    secrets::sha256,
};
use clipqueue_entities::{
    data_export::{self, ExportState},
    job::JobState,
};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{
    app::{CLIP, TestApp},
    flows::{DAY, HOUR, MINUTE, codes},
};

crate::on_both_stacks!(
    an_export_holds_everything_and_nothing_of_others,
    a_link_ends_and_an_archive_is_deleted,
    one_export_is_written_at_a_time,
    a_writer_that_dies_anywhere_is_followed_by_one_that_ends,
    an_erasure_deletes_exports_at_once_whoever_still_writes,
    disconnecting_an_account_deletes_exports_that_hold_it,
);

pub(super) async fn get(t: &TestApp, path: &str) -> (u16, Vec<u8>) {
    let token = CancellationToken::new;
    let router = clipqueue::http::router(&t.app, None, token(), token());
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, 1 << 26).await.unwrap();
    (parts.status.as_u16(), body.to_vec())
}

pub(super) fn path_of(t: &TestApp, row: &data_export::Model) -> Option<String> {
    let (url, _) = exports::address(&t.app, row)?;
    Some(url.path().to_owned())
}

async fn request(t: &TestApp, key: &str) -> data_export::Model {
    exports::begin(&t.app, &t.actor, key).await.unwrap()
}

pub(super) async fn row(t: &TestApp, before: &data_export::Model) -> data_export::Model {
    let row = data_export::Entity::find_by_id(before.id)
        .one(t.app.db.read())
        .await;
    row.unwrap().unwrap()
}

/// Asks for an export and waits until it can be fetched.
pub(super) async fn exported(t: &mut TestApp, key: &str) -> data_export::Model {
    let begun = request(t, key).await;
    t.drain().await;
    let ready = row(t, &begun).await;
    assert_eq!(ready.state, ExportState::Ready, "{ready:?}");
    ready
}

/// The files of an archive.
pub(super) fn unpacked(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = BTreeMap::new();
    for place in 0..archive.len() {
        let mut file = archive.by_index(place).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.insert(file.name().unwrap().into_owned(), content);
    }
    files
}

pub(super) fn parsed(files: &BTreeMap<String, Vec<u8>>, table: &str) -> Vec<Value> {
    let text = &files[&format!("data/{table}.json")];
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{table}: {error}"))
}

async fn an_export_holds_everything_and_nothing_of_others(mut t: TestApp) {
    // A neighbour with things of the same kinds.
    let (bob, bobs_key) = TestApp::user(&t.app, "neighbour-bob", &Scope::ALL).await;
    let ada = std::mem::replace(&mut t.actor, bob);
    let theirs = t.connect("otto.wanderlust").await;
    let media = t.upload().await;
    t.post(TestApp::captioned(theirs.id, media, "Wanderlust now"))
        .await;
    let names = t.known_by(t.actor.user_id, None, &["Wanderlust"]).await;
    let bob = std::mem::replace(&mut t.actor, ada);

    let own = t.connect("zelda.quixote").await;
    t.busy_account(&own).await;
    let new = NewEndpoint {
        url: "https://hooks.example.com/x".to_owned(),
        description: Some("mine".to_owned()),
        kinds: Vec::new(),
    };
    let (_, secret) = webhooks::create(&t.app, &t.actor, new, "hook")
        .await
        .unwrap();
    sources::add(&t.app, &t.actor, "https://media.example.com/", "source")
        .await
        .unwrap();
    // An operator, who is somebody else, did something to her account.
    let tx = t.app.db.begin().await.unwrap();
    let subject = format!("account:{}", own.id);
    audit::record_in_tx(&t.app, &tx, &bob, "test.act", &subject, json!({}))
        .await
        .unwrap();
    audit::record_in_tx(&t.app, &tx, &bob, "test.act", "other:1", json!({}))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let ready = exported(&mut t, "mine").await;
    let (status, bytes) = get(&t, &path_of(&t, &ready).unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(ready.size, Some(bytes.len() as i64));
    assert_eq!(
        ready.sha256.as_deref(),
        Some(hex::encode(sha256(&bytes)).as_str())
    );
    let files = unpacked(&bytes);
    for part in PARTS {
        for row in parsed(&files, part.table) {
            for omitted in part.omit {
                assert_eq!(row.get(omitted), None, "{}.{omitted}", part.table);
            }
        }
    }
    let count = |table: &str| parsed(&files, table).len();
    assert_eq!(parsed(&files, "users")[0]["name"], "ada");
    assert_eq!(
        parsed(&files, "tiktok_accounts")[0]["username"],
        "zelda.quixote"
    );
    assert_eq!(count("posts"), 4);
    assert_eq!(count("post_attempts"), 2);
    assert!(count("events") > 5 && count("evidence") > 2);
    assert_eq!(count("media"), 2);
    assert_eq!(count("api_keys"), 1);
    assert_eq!(count("webhook_endpoints"), 1);
    assert_eq!(count("verified_sources"), 1);
    assert_eq!(count("account_tokens"), 1);
    assert!(count("jobs") > 0);
    let post = &parsed(&files, "posts")[0];
    assert_eq!(post["id"].as_str().unwrap().len(), 36);
    assert!(
        post["created_at"].as_str().unwrap().ends_with('Z'),
        "{post}"
    );
    let acts = parsed(&files, "audit_log");
    assert_eq!(acts.len(), 1, "{acts:?}");
    assert_eq!(acts[0]["by_you"], false);
    let clips: Vec<_> = files
        .iter()
        .filter(|(name, _)| name.starts_with("media/"))
        .collect();
    assert_eq!(clips.len(), 2);
    assert!(
        clips
            .iter()
            .all(|(name, bytes)| name.ends_with(".mp4") && bytes.as_slice() == CLIP)
    );
    let about: Value = serde_json::from_slice(&files["about.json"]).unwrap();
    assert_eq!(about["rows"]["posts"], 4);
    assert_eq!(about["media"].as_array().unwrap().len(), 2);

    let all = String::from_utf8_lossy(&bytes);
    for name in &names {
        assert!(!all.contains(name.as_str()), "{name} is somebody else's");
    }
    let secret = secrecy::ExposeSecret::expose_secret(&secret.unwrap()).to_owned();
    for word in [t.key.as_str(), bobs_key.as_str(), secret.as_str()] {
        assert!(!all.contains(word));
    }
}

async fn a_link_ends_and_an_archive_is_deleted(mut t: TestApp) {
    let ready = exported(&mut t, "mine").await;
    let path = path_of(&t, &ready).unwrap();
    assert_eq!(get(&t, &path).await.0, 200);
    for wrong in ["/exports/x", &path[..path.len() - 1], "/exports/"] {
        assert_eq!(get(&t, wrong).await.0, 404, "{wrong}");
    }
    t.advance(DAY + MINUTE);
    assert_eq!(get(&t, &path).await.0, 404, "a link is good for a day");
    let path = path_of(&t, &ready).unwrap();
    assert_eq!(get(&t, &path).await.0, 200, "and there is another");
    t.advance(DAY * 5 + HOUR * 23);
    let last = path_of(&t, &ready).unwrap();
    assert_eq!(get(&t, &last).await.0, 200);
    let plan = retention::plan(&t.app, retention::Depth::Objects)
        .await
        .unwrap();
    let rule = plan.iter().find(|due| due.rule.name == "exports").unwrap();
    assert_eq!(rule.due.count, 0);
    t.advance(HOUR * 2);
    assert_eq!(get(&t, &last).await.0, 404, "an archive is good for a week");
    assert_eq!(path_of(&t, &ready), None);
    let owner = ready.id.to_string();
    let storage = t.app.media.storage();
    assert!(storage.has_parcels(&owner).await.unwrap());
    assert_eq!(retention::prune(&t.app).await.unwrap().of("exports"), 1);
    assert!(!storage.has_parcels(&owner).await.unwrap());
    let over = row(&t, &ready).await;
    assert_eq!((over.state, over.object), (ExportState::Expired, None));
}

async fn one_export_is_written_at_a_time(mut t: TestApp) {
    let first = request(&t, "one").await;
    assert_eq!(request(&t, "one").await.id, first.id);
    let second = exports::begin(&t.app, &t.actor, "two").await;
    assert_eq!(codes(second), [Code::WrongState]);
    let (eve, _) = TestApp::user(&t.app, "eve", &Scope::ALL).await;
    let foreign = exports::get(&t.app, eve.user_id, first.id).await;
    assert!(matches!(foreign, Err(Error::NotFound)));
    t.drain().await;
    assert_eq!(request(&t, "one").await.state, ExportState::Ready);
    for number in 0..4 {
        exported(&mut t, &format!("more {number}").replace(' ', "-")).await;
    }
    let sixth = exports::begin(&t.app, &t.actor, "six").await;
    assert_eq!(codes(sixth), [Code::QuotaExceeded]);
    t.advance(DAY + MINUTE);
    exported(&mut t, "six").await;
    // A lost job is made again by the clean-up.
    t.advance(DAY + MINUTE);
    let lost = request(&t, "lost").await;
    t.lose_job(&clipqueue::job::Job::ExportData {
        export_id: lost.id,
        user_id: t.actor.user_id,
    })
    .await;
    exports::resume(&t.app).await.unwrap();
    t.drain().await;
    assert_eq!(row(&t, &lost).await.state, ExportState::Ready);
}

async fn a_writer_that_dies_anywhere_is_followed_by_one_that_ends(mut t: TestApp) {
    t.upload().await;
    let mut ended = false;
    for round in 0..30_u32 {
        // Not more than a few a day.
        t.advance(DAY);
        let begun = request(&t, &format!("round-{round}")).await;
        ended = t.die_at("export_data", 1 + round * round, MINUTE).await;
        t.drain().await;
        let ready = row(&t, &begun).await;
        assert_eq!(ready.state, ExportState::Ready, "{round}: {ready:?}");
        let (status, bytes) = get(&t, &path_of(&t, &ready).unwrap()).await;
        assert_eq!(status, 200);
        assert_eq!(
            ready.sha256.as_deref(),
            Some(hex::encode(sha256(&bytes)).as_str())
        );
        let files = unpacked(&bytes);
        let clips = files.iter().filter(|(name, _)| name.starts_with("media/"));
        assert_eq!(clips.count(), 1, "{round}");
        if ended {
            break;
        }
    }
    assert!(ended, "the writer never comes to its end");
}

async fn an_erasure_deletes_exports_at_once_whoever_still_writes(mut t: TestApp) {
    t.upload().await;
    let ready = exported(&mut t, "ready").await;
    let path = path_of(&t, &ready).unwrap();
    t.advance(MINUTE);
    let running = request(&t, "running").await;
    let names = t.known_by(t.actor.user_id, None, &[]).await;
    assert!(names.contains(&ready.id.to_string()));
    let mut steps = t.steps();
    let (held, run) = t.claim_kind(&mut steps, "export_data").await;
    // Everything is written, and not known yet.
    exports::started(&t.app, &run.lease, running.id)
        .await
        .unwrap();
    let written = exports::write::write(&t.app, &run.lease, &running)
        .await
        .unwrap();
    let storage = t.app.media.storage().clone();
    let stored = async |row: &data_export::Model| {
        let stored = storage.has_parcels(&row.id.to_string()).await;
        stored.unwrap()
    };
    assert!(stored(&ready).await && stored(&running).await);

    let accepted = erasure::delete_user(&t.app, &t.actor, "ada", "bye")
        .await
        .unwrap();
    let mut others = t.steps();
    let (erasing, erase) = t.claim_kind(&mut others, "erase").await;
    let ran = (t.runner())(erase).await;
    others.end(erasing, ran).await;
    assert_eq!(get(&t, &path).await.0, 404);
    assert!(!stored(&ready).await && !stored(&running).await);

    // The writer comes to its end, and one that begins anew does not come far.
    let known = exports::finished(&t.app, &run.lease, running.id, &written).await;
    assert!(!known.unwrap(), "nobody wants it any more");
    let again = exports::write::write(&t.app, &run.lease, &running).await;
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    let ran = (t.runner())(run).await;
    assert_eq!(steps.end(held, ran).await, Some(JobState::Cancelled));
    assert!(!stored(&running).await, "it left nothing");
    // What comes later still is found by the second look.
    t.put_object(&format!("exports/{}/late.zip", running.id))
        .await;
    let status = t.erased(&accepted).await;
    t.assert_gone(&names, &status).await;
    assert_eq!(
        data_export::Entity::find()
            .count(t.app.db.read())
            .await
            .unwrap(),
        0
    );
}

async fn disconnecting_an_account_deletes_exports_that_hold_it(mut t: TestApp) {
    let own = t.connect("zelda.quixote").await;
    let ready = exported(&mut t, "mine").await;
    let path = path_of(&t, &ready).unwrap();
    let accepted = erasure::disconnect(&t.app, &t.actor, own.id, "bye")
        .await
        .unwrap();
    let refused = exports::begin(&t.app, &t.actor, "too-early").await;
    assert_eq!(codes(refused), [Code::WrongState]);
    let names = t.known_by(t.actor.user_id, Some(own.id), &[]).await;
    let status = t.erased(&accepted).await;
    assert_eq!(get(&t, &path).await.0, 404);
    assert_eq!(row(&t, &ready).await.state, ExportState::Expired);
    t.assert_gone(&names, &status).await;
    t.advance(DAY);
    let again = exported(&mut t, "again").await;
    let (_, bytes) = get(&t, &path_of(&t, &again).unwrap()).await;
    assert!(parsed(&unpacked(&bytes), "tiktok_accounts").is_empty());
}
