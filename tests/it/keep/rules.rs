//! Each rule removes what is old enough and nothing else; the plan says the same before and changes
//! nothing; what went is counted by day.

use clipqueue::domain::{
    post_change,
    retention::{self, Count, Depth, RULES},
    webhooks::{self, NewEndpoint},
};
use clipqueue_entities::{
    AccountId, PostId, console_session, drift_report, event, evidence, idempotency_key,
    oauth_state, post::PostState, webhook_endpoint,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _,
    PaginatorTrait as _,
};
use serde_json::json;

use crate::support::{
    app::TestApp,
    flows::{DAY, HOUR, MINUTE},
};

crate::on_both_stacks!(
    rows_go_by_their_age_and_the_plan_says_so_before,
    events_go_from_the_oldest_on_and_not_before_a_webhook_was_told,
    evidence_loses_its_words_when_its_post_is_long_over,
    the_hourly_job_does_it,
);

/// What the plan says of a rule.
pub(super) async fn due(t: &TestApp, rule: &str) -> Count {
    let plan = retention::plan(&t.app, Depth::Objects).await.unwrap();
    plan.into_iter()
        .find(|due| due.rule.name == rule)
        .unwrap()
        .due
}

async fn rows_go_by_their_age_and_the_plan_says_so_before(t: TestApp) {
    let now = t.clock.now();
    let db = t.app.db.write();
    let at = |ago: std::time::Duration| now - ago;
    for (name, ago) in [("old", DAY * 31), ("young", DAY * 29)] {
        idempotency_key::ActiveModel {
            user_id: Set(t.actor.user_id),
            key: Set(name.to_owned()),
            operation: Set("test".to_owned()),
            request_hash: Set(vec![1]),
            result_id: Set(uuid::Uuid::now_v7()),
            created_at: Set(at(ago)),
        }
        .insert(db)
        .await
        .unwrap();
    }
    for (name, ago) in [("old", HOUR * 25), ("young", HOUR * 23)] {
        oauth_state::ActiveModel {
            state_hash: Set(name.to_owned()),
            user_id: Set(Some(t.actor.user_id)),
            purpose: Set(oauth_state::ConsentPurpose::Connect),
            request_id: Set(None),
            browser_hash: Set(None),
            verifier_sealed: Set(clipqueue_entities::Sealed(vec![1])),
            scopes: Set(String::new()),
            return_to: Set(None),
            created_at: Set(at(ago)),
            expires_at: Set(at(ago)),
            used_at: Set(None),
        }
        .insert(db)
        .await
        .unwrap();
    }
    for end in [at(MINUTE), now + MINUTE] {
        console_session::ActiveModel {
            id: Set(clipqueue_entities::ConsoleSessionId::new()),
            key_id: Set(t.actor.key_id),
            user_id: Set(None),
            hash: Set(clipqueue_entities::Sealed(vec![1])),
            created_at: Set(at(HOUR)),
            seen_at: Set(at(HOUR)),
            expires_at: Set(end),
        }
        .insert(db)
        .await
        .unwrap();
    }
    for ago in [DAY * 31, DAY * 29] {
        drift_report::ActiveModel {
            id: Set(clipqueue_entities::DriftReportId::new()),
            found: Set(json!({})),
            mended: Set(json!({})),
            lost: Set(0),
            duplicates: Set(0),
            sampled: Set(0),
            remarks: Set(json!([])),
            created_at: Set(at(ago)),
        }
        .insert(db)
        .await
        .unwrap();
    }
    let rules = [
        "idempotency_keys",
        "oauth_states",
        "console_sessions",
        "drift_reports",
    ];
    for rule in rules {
        let due = due(&t, rule).await;
        assert_eq!(due.count, 1, "{rule}");
        assert!(due.oldest.unwrap() < now, "{rule}");
    }
    assert_eq!(due(&t, "idempotency_keys").await.oldest, Some(at(DAY * 31)));
    assert_eq!(
        idempotency_key::Entity::find().count(db).await.unwrap(),
        2,
        "a plan"
    );
    let pruned = retention::prune(&t.app).await.unwrap();
    for rule in rules {
        assert_eq!(pruned.of(rule), 1, "{rule}");
        assert_eq!(due(&t, rule).await, Count::default(), "{rule}");
    }
    let left = idempotency_key::Entity::find().all(db).await.unwrap();
    assert_eq!(left[0].key, "young");
    assert_eq!(
        oauth_state::Entity::find().all(db).await.unwrap()[0].state_hash,
        "young"
    );

    // Again nothing goes, and the day has its counts.
    assert_eq!(
        retention::prune(&t.app).await.unwrap().of("drift_reports"),
        0
    );
    let days = retention::days(&t.app, now).await.unwrap();
    for rule in rules {
        let day = days.iter().find(|day| day.rule == rule).unwrap();
        assert_eq!(day.removed, 1, "{rule}");
    }
    // Every rule has a name of its own and a metric's label.
    let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
}

async fn note(t: &TestApp, count: usize) {
    for _ in 0..count {
        let tx = t.app.db.begin().await.unwrap();
        let new = clipqueue::domain::events::NewEvent {
            user_id: t.actor.user_id,
            account_id: None,
            post_id: None,
            kind: "account.connected",
            data: json!({}),
            evidence_id: None,
        };
        clipqueue::domain::events::append_in_tx(&tx, t.clock.now(), new)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

async fn events_go_from_the_oldest_on_and_not_before_a_webhook_was_told(t: TestApp) {
    note(&t, 3).await;
    t.advance(DAY * 181);
    note(&t, 2).await;
    let new = NewEndpoint {
        url: "https://hooks.example.com/".to_owned(),
        description: None,
        kinds: Vec::new(),
    };
    let (endpoint, _) = webhooks::create(&t.app, &t.actor, new, "hook")
        .await
        .unwrap();
    let all = event::Entity::find().all(t.app.db.read()).await.unwrap();
    let set = async |cursor: i64, enabled: bool| {
        let row = webhook_endpoint::Entity::find_by_id(endpoint.id)
            .one(t.app.db.read())
            .await;
        let mut row = row.unwrap().unwrap().into_active_model();
        row.cursor = Set(cursor);
        row.enabled = Set(enabled);
        row.update(t.app.db.write()).await.unwrap();
    };
    let count = async || event::Entity::find().count(t.app.db.read()).await.unwrap();
    set(all[0].seq, true).await;
    assert_eq!(due(&t, "events").await.count, 1);
    assert_eq!(retention::prune(&t.app).await.unwrap().of("events"), 1);
    assert_eq!(
        count().await,
        all.len() as u64 - 1,
        "the webhook was not told of the next"
    );
    // One that is disabled does not keep events for ever.
    set(all[0].seq, false).await;
    assert_eq!(retention::prune(&t.app).await.unwrap().of("events"), 2);
    let left = event::Entity::find().all(t.app.db.read()).await.unwrap();
    assert!(
        left.iter().all(|row| row.created_at == t.clock.now()),
        "the young ones stay"
    );
}

/// The bodies of a post's evidence that are left.
async fn bodies(t: &TestApp, id: PostId) -> usize {
    let rows = t.evidence(id).await;
    rows.iter().filter(|row| row.body != json!({})).count()
}

async fn evidence_loses_its_words_when_its_post_is_long_over(mut t: TestApp) {
    let done = t.direct_post().await;
    t.run_until(done.id, PostState::Published).await;
    t.advance(MINUTE);
    let media = t.upload().await;
    let mut later = TestApp::captioned(done.account_id, media, "later");
    later.publish_at = Some(t.clock.now() + DAY * 200);
    let open = t.post(later).await;
    let tx = t.app.db.begin().await.unwrap();
    let said = post_change::Evidence::own("test").with("word", "said");
    post_change::insert_evidence(&tx, t.clock.now(), &open, said)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let before = bodies(&t, done.id).await;
    assert!(before > 2, "{before}");
    t.advance(DAY * 89);
    assert_eq!(due(&t, "evidence_bodies").await.count, 0);
    t.advance(DAY * 2);
    let rows = t.evidence(done.id).await.len() as u64;
    assert_eq!(due(&t, "evidence_bodies").await.count, rows);
    assert_eq!(
        retention::prune(&t.app)
            .await
            .unwrap()
            .of("evidence_bodies"),
        rows
    );
    assert_eq!(bodies(&t, done.id).await, 0);
    for row in t.evidence(done.id).await {
        assert_eq!(row.body_removed_at, Some(t.clock.now()));
        assert!(!row.subject.is_empty(), "what it was stays");
    }
    assert_eq!(bodies(&t, open.id).await, 1, "its post is not over");
    assert_eq!(
        retention::prune(&t.app)
            .await
            .unwrap()
            .of("evidence_bodies"),
        0
    );
}

async fn the_hourly_job_does_it(mut t: TestApp) {
    let post = t.direct_post().await;
    t.run_until(post.id, PostState::Published).await;
    assert!(!t.jobs("upload_post").await.is_empty());
    t.advance(DAY * 8);
    t.fire_crons().await;
    assert!(
        t.jobs("upload_post").await.is_empty(),
        "finished jobs are kept for a week"
    );
    let days = retention::days(&t.app, t.clock.now()).await.unwrap();
    let jobs = days.iter().find(|day| day.rule == "finished_jobs").unwrap();
    assert!(jobs.removed > 1, "{jobs:?}");
    let account: AccountId = post.account_id;
    let media = t.upload().await;
    let next = t.post(TestApp::captioned(account, media, "another")).await;
    t.run_until(next.id, PostState::Published).await;
    let said = evidence::Entity::find()
        .count(t.app.db.read())
        .await
        .unwrap();
    assert!(said > 0);
}
