//! What an export holds that is easily forgotten: the address for letters, and jobs with their tries. And
//! that rows which go meanwhile hide no others.

use clipqueue::domain::{
    erasure,
    exports::{
        self,
        parts::{PARTS, Whose},
    },
    webhooks::{self, NewEndpoint},
};
use clipqueue_entities::{
    MediaId,
    data_export::{self, ExportState},
    job,
    job_attempt::{self, AttemptOutcome},
    media_label,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _,
};
use serde_json::Value;

use super::exports::{exported, get, parsed, path_of, row, unpacked};
use crate::{
    pay::paypal::with_paypal,
    support::{
        app::{Stack, TestApp},
        flows::{DAY, MINUTE},
    },
};

crate::on_both_stacks_by_hand!(the_address_for_letters_and_all_jobs_are_given);
crate::on_both_stacks!(
    rows_that_go_meanwhile_hide_no_others,
    a_new_archive_ends_the_older_ones,
);

async fn the_address_for_letters_and_all_jobs_are_given(stack: Stack) {
    let mut t = with_paypal(stack, &[]).await;
    let ready = exported(&mut t, "without").await;
    let (_, bytes) = get(&t, &path_of(&t, &ready).unwrap()).await;
    let contact = &unpacked(&bytes)["data/billing_contact.json"];
    let contact: Value = serde_json::from_slice(contact).unwrap();
    assert_eq!(contact["email"], Value::Null);

    t.custom_id(Some("quixote.reader@example.com")).await;
    let new = NewEndpoint {
        url: "https://hooks.example.com/x".to_owned(),
        description: None,
        kinds: Vec::new(),
    };
    let (endpoint, _) = webhooks::create(&t.app, &t.actor, new, "hook")
        .await
        .unwrap();
    t.connect("zelda.quixote").await;
    t.drain().await;
    let lane = endpoint.id.to_string();
    let job = job::Entity::find()
        .filter(job::Column::Lane.eq(&lane))
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap();
    job_attempt::ActiveModel {
        job_id: Set(job.id),
        fence: Set(1_000),
        attempt: Set(1),
        outcome: Set(AttemptOutcome::Failed),
        error: Set("quixotic".to_owned()),
        worker: Set(None),
        started_at: Set(None),
        finished_at: Set(t.clock.now()),
    }
    .insert(t.app.db.write())
    .await
    .unwrap();
    t.advance(MINUTE);
    let ready = exported(&mut t, "with").await;
    let (_, bytes) = get(&t, &path_of(&t, &ready).unwrap()).await;
    let files = unpacked(&bytes);
    let contact: Value = serde_json::from_slice(&files["data/billing_contact.json"]).unwrap();
    assert_eq!(contact["email"], "quixote.reader@example.com");
    let jobs = parsed(&files, "jobs");
    assert!(jobs.iter().any(|job| job["lane"] == lane), "{jobs:?}");
    let tries = parsed(&files, "job_attempts");
    assert!(tries.iter().any(|attempt| attempt["error"] == "quixotic"));
    for attempt in &tries {
        assert!(
            jobs.iter().any(|job| job["id"] == attempt["job_id"]),
            "{attempt}"
        );
    }
    let about: Value = serde_json::from_slice(&files["about.json"]).unwrap();
    let omitted = about["columns_left_out"]["billing_links"].as_array();
    assert!(omitted.unwrap().iter().any(|name| name == "contact_sealed"));
}

async fn rows_that_go_meanwhile_hide_no_others(t: TestApp) {
    let media: MediaId = t.upload().await;
    let labels: Vec<String> = (0..1_200)
        .map(|number| format!("label-{number:04}"))
        .collect();
    let rows = labels.iter().map(|label| media_label::ActiveModel {
        media_id: Set(media),
        label: Set(label.clone()),
        user_id: Set(t.actor.user_id),
    });
    media_label::Entity::insert_many(rows)
        .exec_without_returning(t.app.db.write())
        .await
        .unwrap();
    let lanes = erasure::lanes_of(&t.app, t.actor.user_id).await.unwrap();
    let whose = Whose::new(t.app.db.backend(), t.actor.user_id.0, &lanes);
    let part = PARTS.iter().find(|part| part.table == "media_labels");
    let part = part.unwrap();
    let mut seen = Vec::new();
    let mut last = None;
    loop {
        let page = part.page(t.app.db.read(), &whose, last).await.unwrap();
        let found = page.rows.iter().map(|row| row["label"].as_str().unwrap());
        let found: Vec<String> = found.map(str::to_owned).collect();
        // What was read goes, as retention may have it.
        media_label::Entity::delete_many()
            .filter(media_label::Column::Label.is_in(found.iter().take(300)))
            .exec(t.app.db.write())
            .await
            .unwrap();
        seen.extend(found);
        last = page.last;
        if last.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), labels.len());
    seen.sort();
    assert_eq!(seen, labels);
}

async fn a_new_archive_ends_the_older_ones(mut t: TestApp) {
    t.upload().await;
    let first = exported(&mut t, "one").await;
    let path = path_of(&t, &first).unwrap();
    assert_eq!(get(&t, &path).await.0, 200);
    t.advance(DAY);
    let second = exported(&mut t, "two").await;
    let storage = t.app.media.storage();
    let has = async |of: &data_export::Model| {
        let has = storage.has_parcels(&of.id.to_string()).await;
        has.unwrap()
    };
    assert!(has(&second).await && !has(&first).await);
    let over = row(&t, &first).await;
    assert_eq!((over.state, over.object), (ExportState::Expired, None));
    assert_eq!(get(&t, &path).await.0, 404);
    assert_eq!(get(&t, &path_of(&t, &second).unwrap()).await.0, 200);
    // A worker that comes back for an archive that is there leaves it alone.
    assert!(!exports::clear(&t.app, second.id).await.unwrap());
    assert!(has(&second).await);
}
