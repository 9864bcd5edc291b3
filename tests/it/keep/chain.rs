//! The audit log is one chain: whatever was done to it afterwards is found, several writers make one, and
//! an erasure leaves one that holds.

use clipqueue::domain::{
    audit::{
        self,
        chain::{self, Head},
        verify::{self, Verified},
    },
    erasure, operators, retention,
};
use clipqueue_entities::{JobId, audit_entry, audit_head};
use futures::future::join_all;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _,
    EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
};
use serde_json::json;

use crate::support::{app::TestApp, flows::DAY};

crate::on_both_stacks!(
    an_untouched_chain_holds_and_so_does_its_export,
    whatever_is_done_to_an_entry_is_found,
    a_cut_tail_is_found_against_an_exported_head,
    writers_in_several_processes_make_one_chain,
    an_erasure_leaves_a_chain_that_holds_without_names,
    names_that_go_without_a_word_are_found,
    entries_of_an_older_version_are_taken_into_the_chain,
    old_entries_go_from_the_start_and_the_rest_holds,
);

/// Records an act of the actor's.
async fn act(t: &TestApp, subject: &str) {
    let tx = t.app.db.begin().await.unwrap();
    let details = json!({ "because": "a test", "count": 3, "inner": { "b": [1, 2], "a": null } });
    audit::record_in_tx(&t.app, &tx, &t.actor, "test.act", subject, details)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn acts(t: &TestApp, count: usize) {
    for number in 0..count {
        act(t, &format!("thing:{number}")).await;
    }
}

async fn verified(t: &TestApp, known: Option<Head>) -> Verified {
    verify::verify(&t.app, known).await.unwrap()
}

async fn row(t: &TestApp, seq: i64) -> audit_entry::Model {
    audit_entry::Entity::find()
        .filter(audit_entry::Column::Seq.eq(seq))
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap()
}

async fn overwrite(t: &TestApp, seq: i64, edit: impl FnOnce(&mut audit_entry::ActiveModel)) {
    let mut change = row(t, seq).await.into_active_model();
    edit(&mut change);
    change.update(t.app.db.write()).await.unwrap();
}

async fn an_untouched_chain_holds_and_so_does_its_export(t: TestApp) {
    let empty = verified(&t, None).await;
    assert_eq!((empty.entries, empty.problems.len()), (0, 0));
    acts(&t, 5).await;
    // A refused act is recorded by itself.
    operators::retry_job(&t.app, &t.actor, JobId::new())
        .await
        .unwrap_err();
    let whole = verified(&t, None).await;
    assert_eq!(whole.problems, []);
    assert_eq!((whole.entries, whole.head.seq, whole.cleared), (6, 6, 0));

    let mut out = Vec::new();
    let head = verify::export(&t.app, &mut out).await.unwrap();
    assert_eq!(head, whole.head);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 8);
    let lines = |text: &str| -> Vec<std::io::Result<String>> {
        text.lines().map(|line| Ok(line.to_owned())).collect()
    };
    let read = verify::verify_export(lines(&text).into_iter(), Some(head.clone())).unwrap();
    assert_eq!(read.problems, []);
    assert_eq!(read.compared, Some(true));
    let edited = text.replacen("thing:3", "thing:9", 1);
    let read = verify::verify_export(lines(&edited).into_iter(), None).unwrap();
    assert_eq!(read.problems.len(), 1);
    let mut swapped = lines(&text);
    swapped.swap(3, 4);
    let read = verify::verify_export(swapped.into_iter(), None).unwrap();
    assert!(!read.problems.is_empty());
    let cut = lines(&text).into_iter().take(4);
    assert!(verify::verify_export(cut, None).is_err());
    // Later entries do not disturb what was exported.
    acts(&t, 2).await;
    assert_eq!(verified(&t, Some(head)).await.problems, []);
}

async fn whatever_is_done_to_an_entry_is_found(t: TestApp) {
    acts(&t, 6).await;
    let before = row(&t, 3).await;
    let found = async |what: &str| {
        let problems = verified(&t, None).await.problems;
        assert!(
            problems.iter().any(|one| one.seq == 3 || one.seq == 4),
            "{what}: {problems:?}"
        );
    };
    type Edit = fn(&mut audit_entry::ActiveModel);
    let edits: [(&str, Edit); 7] = [
        ("subject", |row| row.subject = Set("thing:x".to_owned())),
        ("details", |row| {
            row.details = Set(json!({ "because": "another" }))
        }),
        ("action", |row| row.action = Set("test.other".to_owned())),
        ("outcome", |row| row.outcome = Set("forbidden".to_owned())),
        ("time", |row| {
            row.created_at = Set(clipqueue_entities::Timestamp::from_millis(1))
        }),
        ("actor", |row| row.user_id = Set(None)),
        ("hash", |row| row.hash = Set(Some("0".repeat(64)))),
    ];
    for (what, edit) in edits {
        overwrite(&t, 3, edit).await;
        found(what).await;
        overwrite(&t, 3, |row| {
            *row = before.clone().into_active_model().reset_all()
        })
        .await;
        assert_eq!(verified(&t, None).await.problems, [], "{what} is as it was");
    }
    // Two entries change places.
    overwrite(&t, 3, |row| row.seq = Set(Some(1_000))).await;
    overwrite(&t, 4, |row| row.seq = Set(Some(3))).await;
    overwrite(&t, 1_000, |row| row.seq = Set(Some(4))).await;
    found("order").await;
    overwrite(&t, 3, |row| row.seq = Set(Some(1_000))).await;
    overwrite(&t, 4, |row| row.seq = Set(Some(3))).await;
    overwrite(&t, 1_000, |row| row.seq = Set(Some(4))).await;
    assert_eq!(verified(&t, None).await.problems, []);
    // One is deleted.
    audit_entry::Entity::delete_by_id(before.id)
        .exec(t.app.db.write())
        .await
        .unwrap();
    found("deletion").await;
}

async fn a_cut_tail_is_found_against_an_exported_head(t: TestApp) {
    acts(&t, 5).await;
    let exported = verified(&t, None).await.head;
    let fourth = row(&t, 4).await;
    audit_entry::Entity::delete_many()
        .filter(audit_entry::Column::Seq.eq(5))
        .exec(t.app.db.write())
        .await
        .unwrap();
    let problems = verified(&t, None).await.problems;
    assert!(
        !problems.is_empty(),
        "the head on record lies behind the end"
    );
    // Whoever is thorough sets the head back, and even goes on.
    let head = audit_head::Entity::find_by_id(1)
        .one(t.app.db.read())
        .await
        .unwrap();
    let mut head = head.unwrap().into_active_model();
    head.seq = Set(4);
    head.hash = Set(fourth.hash.unwrap());
    head.update(t.app.db.write()).await.unwrap();
    assert_eq!(verified(&t, None).await.problems, []);
    let problems = verified(&t, Some(exported.clone())).await.problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    act(&t, "thing:forged").await;
    let found = verified(&t, Some(exported)).await;
    assert_eq!(found.compared, Some(true));
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
}

async fn writers_in_several_processes_make_one_chain(t: TestApp) {
    const EACH: usize = 12;
    // A second process on the same database.
    let other = clipqueue::app::App::build(
        (*t.app.config).clone(),
        clipqueue::clock::Clock::Manual(t.clock.clone()),
    )
    .await
    .unwrap();
    let writers = [&t.app, &t.app, &other, &other].map(|app| {
        let actor = t.actor.clone();
        async move {
            for number in 0..EACH {
                let tx = app.db.begin().await.unwrap();
                let subject = format!("thing:{number}");
                audit::record_in_tx(app, &tx, &actor, "test.act", &subject, json!({}))
                    .await
                    .unwrap();
                if number % 4 == 3 {
                    tx.rollback().await.unwrap();
                } else {
                    tx.commit().await.unwrap();
                }
            }
        }
    });
    join_all(writers).await;
    let chain = verified(&t, None).await;
    assert_eq!(chain.problems, []);
    let kept = 4 * EACH * 3 / 4;
    assert_eq!(
        chain.entries, kept as u64,
        "what was rolled back left no place"
    );
    assert_eq!(chain.head.seq, kept as i64);
}

async fn an_erasure_leaves_a_chain_that_holds_without_names(mut t: TestApp) {
    let own = t.connect("zelda.quixote").await;
    acts(&t, 2).await;
    act(&t, &format!("account:{}", own.id)).await;
    let exported = verified(&t, None).await.head;
    let (bob, _) = TestApp::user(&t.app, "bob", &clipqueue::domain::actor::Scope::ALL).await;
    let names = t.known_by(t.actor.user_id, None, &[]).await;
    let ada = std::mem::replace(&mut t.actor, bob);
    // Somebody else's act on what is hers.
    act(&t, &format!("account:{}", own.id)).await;
    act(&t, "thing:of bob").await;

    let accepted = erasure::delete_user(&t.app, &ada, "ada", "bye")
        .await
        .unwrap();
    let status = t.erased(&accepted).await;
    t.assert_gone(&names, &status).await;
    let chain = verified(&t, Some(exported)).await;
    assert_eq!(
        chain.problems,
        [],
        "the chain holds, and the old head is still its own"
    );
    // Of three acts of hers the actor, and of two on her account what they were on.
    assert_eq!(chain.cleared, 5);
    let rows = audit_entry::Entity::find()
        .order_by_asc(audit_entry::Column::Seq)
        .all(t.app.db.read())
        .await
        .unwrap();
    assert_eq!(rows[0].user_id, None);
    assert_eq!(rows[0].subject, "thing:0", "what it was on is nobody");
    assert_eq!(rows[3].subject, "erased");
    assert_eq!(rows[3].user_id, Some(t.actor.user_id), "bob did it");
    assert!(rows[0].by_commitment.is_some() && rows[0].by_salt.is_none());
    assert_eq!(rows[4].subject, "thing:of bob");
    assert_eq!(rows[5].action, verify::CLEARED);
    let mut out = Vec::new();
    verify::export(&t.app, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    // A short name may stand in a hash by chance.
    let long = names.iter().filter(|name| name.len() > 8);
    assert!(long.clone().count() > 5);
    assert!(long.clone().all(|name| !text.contains(name.as_str())));
}

async fn names_that_go_without_a_word_are_found(t: TestApp) {
    acts(&t, 3).await;
    overwrite(&t, 2, |row| {
        row.user_id = Set(None);
        row.key_id = Set(None);
        row.by_salt = Set(None);
    })
    .await;
    let problems = verified(&t, None).await.problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].seq, 2);
}

async fn entries_of_an_older_version_are_taken_into_the_chain(t: TestApp) {
    acts(&t, 2).await;
    for number in 0..3 {
        let mut old = row(&t, 1).await;
        old.id = clipqueue_entities::AuditId::new();
        old.subject = format!("old:{number}");
        (old.seq, old.hash) = (None, None);
        (old.by_salt, old.by_commitment) = (None, None);
        (old.on_salt, old.on_commitment) = (None, None);
        audit_entry::Entity::insert(old.into_active_model().reset_all())
            .exec_without_returning(t.app.db.write())
            .await
            .unwrap();
    }
    assert_eq!(chain::adopt(&t.app).await.unwrap(), 3);
    assert_eq!(chain::adopt(&t.app).await.unwrap(), 0);
    act(&t, "thing:new").await;
    let chain = verified(&t, None).await;
    assert_eq!(chain.problems, []);
    assert_eq!(chain.entries, 6);
    assert_eq!(row(&t, 3).await.subject, "old:0");
    assert_eq!(row(&t, 5).await.subject, "old:2");
}

async fn old_entries_go_from_the_start_and_the_rest_holds(t: TestApp) {
    acts(&t, 3).await;
    let early = verified(&t, None).await.head;
    t.advance(DAY * 300);
    acts(&t, 2).await;
    let late = verified(&t, None).await.head;
    t.advance(DAY * 66);
    let pruned = retention::prune(&t.app).await.unwrap();
    assert_eq!(pruned.of("audit_log"), 3);
    let left = audit_entry::Entity::find()
        .count(t.app.db.read())
        .await
        .unwrap();
    assert_eq!(left, 2);
    let chain = verified(&t, Some(late)).await;
    assert_eq!(
        (chain.problems.len(), chain.floor.seq, chain.compared),
        (0, 3, Some(true))
    );
    assert_eq!(chain.floor, early);
    // A deletion from the middle is still no deletion by age.
    t.app
        .db
        .write()
        .execute_unprepared("DELETE FROM audit_log WHERE seq = 4")
        .await
        .unwrap();
    assert!(!verified(&t, None).await.problems.is_empty());
}
