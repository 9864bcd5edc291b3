//! Plans: who has which, and what each refuses.

use std::time::Duration;

use clipqueue::{
    config::PlanName,
    domain::{
        actor::Scope,
        audit::{self, AuditFilter},
        error::{Code, Error},
        plans::{self, usage},
        posts::{self, NewPost, Row},
    },
    media::{MediaError, NewUpload},
};
use clipqueue_entities::{AccountId, MediaId, Timestamp, post::PostState};
use serde_json::json;

use super::{code, refused};
use crate::support::{
    app::{CLIP, Stack, TestApp},
    flows::HOUR,
};

crate::on_both_stacks!(
    posts_of_a_day_are_counted_and_refused_until_midnight,
    rows_beyond_the_plan_are_refused_and_made_the_next_day,
    two_requests_never_share_the_last_post,
    an_operator_gives_plans_and_it_is_recorded,
);

const DAY: Duration = Duration::from_secs(86_400);

fn midnight(t: &TestApp) -> Timestamp {
    let now = t.clock.now().as_millis();
    Timestamp::from_millis(now - now.rem_euclid(86_400_000)) + DAY
}

fn limit_posts(t: &mut TestApp, posts: u64) {
    t.reconfigure(|config| config.plans.paid.posts_per_day = Some(posts));
}

/// A draft for the creator's inbox, days ahead, so that nothing is sent meanwhile.
fn later(t: &TestApp, account: AccountId, media: MediaId) -> NewPost {
    NewPost {
        publish_at: Some(t.clock.now() + 5 * DAY),
        ..TestApp::inbox(account, media)
    }
}

async fn posts_of_a_day_are_counted_and_refused_until_midnight(mut t: TestApp) {
    limit_posts(&mut t, 2);
    let (account, media) = (t.connect("ada.clips").await.id, t.upload().await);
    let new = later(&t, account, media);
    let make = |key: &'static str, new: NewPost| {
        let (app, actor) = (t.app.clone(), t.actor.clone());
        async move { posts::create(&app, &actor, new, key).await }
    };
    let first = make("one", new.clone()).await.unwrap();
    make("two", new.clone()).await.unwrap();
    let refusal = refused(make("three", new.clone()).await);
    assert_eq!(refusal.code, Code::QuotaExceeded);
    assert_eq!(refusal.retry_at, Some(midnight(&t)));
    assert!(
        refusal.message.contains("2 posts a day") && refusal.message.contains("larger plan"),
        "{}",
        refusal.message
    );
    assert_eq!(
        code(posts::check(&t.app, &t.actor, &new).await),
        Code::QuotaExceeded
    );
    // A repeated request is no other post, and a draft is none yet.
    assert_eq!(make("one", new.clone()).await.unwrap().id, first.id);
    let draft = NewPost {
        keep_draft: true,
        ..new.clone()
    };
    let draft = make("draft", draft).await.unwrap();
    let submitted = posts::submit(&t.app, &t.actor, draft.id).await;
    assert_eq!(code(submitted), Code::QuotaExceeded);
    assert_eq!(t.reload(draft.id).await.state, PostState::Draft);
    let used = usage::of(&t.app, t.actor.user_id).await.unwrap();
    assert_eq!((used.posts.used, used.posts.left()), (2, Some(0)));
    assert!(used.posts.is_used_up());

    t.advance(midnight(&t).since(t.clock.now()));
    posts::submit(&t.app, &t.actor, draft.id).await.unwrap();
    let used = usage::of(&t.app, t.actor.user_id).await.unwrap();
    assert_eq!((used.posts.used, used.posts.left()), (1, Some(1)));
}

async fn rows_beyond_the_plan_are_refused_and_made_the_next_day(mut t: TestApp) {
    limit_posts(&mut t, 2);
    let (account, media) = (t.connect("ada.clips").await.id, t.upload().await);
    let new = later(&t, account, media);
    let rows = vec![new.clone(), new.clone(), new.clone()];
    let make = |t: &TestApp, all, check, key: &'static str| {
        let (app, actor, rows) = (t.app.clone(), t.actor.clone(), rows.clone());
        async move {
            posts::create_many(&app, &actor, rows, all, check, key)
                .await
                .unwrap()
        }
    };
    let shape = |rows: &[Row]| -> String {
        rows.iter()
            .map(|row| match row {
                Row::Made(_) => 'm',
                Row::Good => 'g',
                Row::Refused(why) => {
                    assert_eq!(why[0].code, Code::QuotaExceeded);
                    assert!(why[0].retry_at.is_some());
                    'r'
                }
            })
            .collect()
    };
    assert_eq!(shape(&make(&t, false, true, "look").await), "ggr");
    assert_eq!(shape(&make(&t, true, false, "all").await), "ggr");
    let used = usage::of(&t.app, t.actor.user_id).await.unwrap();
    assert_eq!(used.posts.used, 0, "a refused request counts nothing");
    assert_eq!(shape(&make(&t, false, false, "some").await), "mmr");
    assert_eq!(shape(&make(&t, false, false, "some").await), "mmr");
    t.advance(DAY);
    assert_eq!(shape(&make(&t, false, false, "some").await), "mmm");
    let used = usage::of(&t.app, t.actor.user_id).await.unwrap();
    assert_eq!(used.posts.used, 1);
}

async fn two_requests_never_share_the_last_post(mut t: TestApp) {
    limit_posts(&mut t, 3);
    let (account, media) = (t.connect("ada.clips").await.id, t.upload().await);
    let new = later(&t, account, media);
    let asked = (0..8).map(|number| {
        let (app, actor, new) = (t.app.clone(), t.actor.clone(), new.clone());
        tokio::spawn(async move { posts::create(&app, &actor, new, &format!("k{number}")).await })
    });
    let answers = futures::future::join_all(asked.collect::<Vec<_>>()).await;
    let made = answers
        .into_iter()
        .map(Result::unwrap)
        .filter(|answer| match answer {
            Ok(_) => true,
            Err(Error::Refused(why)) if why[0].code == Code::QuotaExceeded => false,
            Err(error) => panic!("{error:?}"),
        })
        .count();
    assert_eq!(made, 3);
}

async fn an_operator_gives_plans_and_it_is_recorded(t: TestApp) {
    let (bob, key) = TestApp::user(&t.app, "bob", &Scope::CREATOR).await;
    let end = t.clock.now() + HOUR;
    let of = plans::of(&t.app, t.app.db.read(), bob.user_id)
        .await
        .unwrap();
    assert_eq!((of.name, of.ends_at), (PlanName::Paid, None));
    let document = "mutation ($input: SetPlanInput!) { setPlan(input: $input) {
        plan { name endsAt postsPerDay requestsPerMinute } userErrors { field code } } }";
    let input = json!({ "userName": "bob", "plan": "TRIAL", "endsAt": chrono::DateTime::from_timestamp_millis(end.as_millis()).unwrap().to_rfc3339() });
    let (_, _, refused) = t.ask(&key, document, json!({ "input": input })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let (_, _, given) = t.ask(&t.key, document, json!({ "input": input })).await;
    let given = &given["data"]["setPlan"];
    assert_eq!(given["userErrors"], json!([]));
    assert_eq!(given["plan"]["name"], "TRIAL");
    assert_eq!(given["plan"]["postsPerDay"], "20");
    let of = plans::of(&t.app, t.app.db.read(), bob.user_id)
        .await
        .unwrap();
    assert_eq!((of.name, of.ends_at), (PlanName::Trial, Some(end)));

    let (_, _, seen) = t
        .ask(
            &key,
            "{ usage { plan { name } postsToday { used limit left } storage { used limit } requests { used limit } usedUp } }",
            json!({}),
        )
        .await;
    let seen = &seen["data"]["usage"];
    assert_eq!(seen["plan"]["name"], "TRIAL");
    assert_eq!(
        seen["postsToday"],
        json!({ "used": "0", "limit": "20", "left": "20" })
    );
    assert_eq!(seen["storage"]["limit"], "10000000000");
    assert_eq!(seen["requests"]["limit"], "300");
    assert_eq!(seen["usedUp"], json!([]));
    let (_, _, shown) = t
        .ask(
            &t.key,
            "{ usageOf(userName: \"bob\") { plan { name } } }",
            json!({}),
        )
        .await;
    assert_eq!(shown["data"]["usageOf"]["plan"]["name"], "TRIAL");

    t.advance(HOUR);
    let of = plans::of(&t.app, t.app.db.read(), bob.user_id)
        .await
        .unwrap();
    assert_eq!((of.name, of.ends_at), (PlanName::Free, None));
    let by = Some(&t.actor);
    let late = plans::set(&t.app, by, "bob", PlanName::Paid, Some(t.clock.now())).await;
    assert_eq!(code(late), Code::Invalid);
    let nobody = plans::set(&t.app, by, "nobody", PlanName::Paid, None).await;
    assert!(matches!(nobody, Err(Error::NotFound)));
    let (_, own) = plans::set(&t.app, None, "bob", PlanName::Paid, None)
        .await
        .unwrap();
    assert_eq!(own.name, PlanName::Paid);

    let filter = AuditFilter {
        action: Some("plan.set".to_owned()),
        ..AuditFilter::default()
    };
    let entries = audit::list(&t.app, &filter, None, false, 10).await.unwrap();
    let told: Vec<(&str, bool)> = entries
        .iter()
        .map(|entry| (entry.row.outcome.as_str(), entry.row.user_id.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            ("done", false),
            ("not_found", true),
            ("invalid", true),
            ("done", true)
        ]
    );
    assert_eq!(entries[3].row.details["to"], "trial");
    assert_eq!(entries[3].row.subject, format!("user:{}", bob.user_id));
}

#[tokio::test]
async fn stored_bytes_are_those_of_the_plan() {
    for stack in [Stack::Embedded, Stack::Servers] {
        let most = (CLIP.len() + 10).to_string();
        let settings = [
            ("plans.paid.storage_bytes", most.as_str()),
            ("plans.trial.storage_bytes", "0"),
        ];
        let t = TestApp::start_with(stack, &settings).await;
        t.upload().await;
        let user = t.actor.user_id;
        let more = || NewUpload {
            size: 11,
            ..NewUpload::default()
        };
        let refused = t.app.media.create(user, more()).await;
        let Err(MediaError::QuotaBytes { free, quota, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((free, quota), (10, CLIP.len() as u64 + 10));
        let used = usage::of(&t.app, user).await.unwrap();
        assert_eq!(used.bytes.left(), Some(10));
        plans::set(&t.app, None, "ada", PlanName::Trial, None)
            .await
            .unwrap();
        t.app.media.create(user, more()).await.unwrap();
        let used = usage::of(&t.app, user).await.unwrap();
        // Without a limit of the plan's own, the installation's holds.
        assert_eq!(used.bytes.limit, Some(t.app.config.media.user_quota_bytes));
    }
}
