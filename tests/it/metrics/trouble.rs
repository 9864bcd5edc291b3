//! Accounts that cannot be read, listings that are interrupted, and more accounts than calls.

use clipqueue::domain::accounts::{REAUTH_REQUIRED, SCOPE_MISSING};
use clipqueue_entities::{account, job::JobState, metric_plan};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use tiktok_sim::{Consent, Endpoint, Fault, FaultKind};

use super::support::{hours, plan, plan_of, start, videos};
use crate::support::{
    app::{Stack, TestApp},
    flows::{HOUR, MINUTE},
};

crate::on_both_stacks_by_hand!(
    a_missing_scope_marks_the_account_until_it_is_granted,
    a_dead_grant_marks_the_account_and_fails_nothing,
    an_interrupted_listing_goes_on_where_it_was,
    more_accounts_than_calls_are_read_hour_by_hour,
);

async fn a_missing_scope_marks_the_account_until_it_is_granted(stack: Stack) {
    let mut t = start(stack).await;
    let some = Consent::Scopes(vec!["video.upload".to_owned()]);
    let account = t.connect_with("creator", &some).await.unwrap().id;
    t.sim.add_video("creator", "unseen");
    hours(&mut t, 2).await;
    let marked = plan_of(&t, account).await;
    assert_eq!(marked.paused_reason.as_deref(), Some(SCOPE_MISSING));
    assert_eq!(marked.next_due_at, None);
    assert_eq!(t.calls(Endpoint::VideoList).len(), 0);
    assert!(
        t.jobs("refresh_metrics")
            .await
            .iter()
            .all(|job| job.state == JobState::Completed)
    );

    t.connect("creator").await;
    let back = plan_of(&t, account).await;
    assert_eq!(
        (back.paused_reason, back.next_due_at),
        (None, Some(t.clock.now()))
    );
    plan(&mut t).await;
    assert_eq!(videos(&t, account).await.len(), 1);
}

async fn a_dead_grant_marks_the_account_and_fails_nothing(stack: Stack) {
    let mut t = start(stack).await;
    let account = t.connect("creator").await.id;
    let other = t.connect("other").await.id;
    t.sim.add_video("creator", "mine");
    t.sim.add_video("other", "theirs");
    t.sim.expect_refusal("invalid_grant");
    t.sim.expect_refusal("access_token_invalid");
    t.sim.disconnect("creator", 1).unwrap();
    hours(&mut t, 2).await;
    let marked = plan_of(&t, account).await;
    assert_eq!(marked.paused_reason.as_deref(), Some(REAUTH_REQUIRED));
    assert_eq!(videos(&t, other).await.len(), 1);
    let of_creator = |t: &TestApp| {
        let calls = t.calls(Endpoint::VideoList);
        calls.iter().filter(|call| call.refused()).count()
    };
    let refused = of_creator(&t);
    assert!(refused > 0);
    hours(&mut t, 1).await;
    assert_eq!(of_creator(&t), refused, "it is left alone");

    t.connect("creator").await;
    plan(&mut t).await;
    assert_eq!(videos(&t, account).await.len(), 1);
    assert_eq!(plan_of(&t, account).await.paused_reason, None);
}

async fn an_interrupted_listing_goes_on_where_it_was(stack: Stack) {
    let mut t = start(stack).await;
    let account = t.connect("creator").await.id;
    for number in 0..45 {
        t.sim.add_video("creator", &format!("video {number}"));
        t.advance(MINUTE);
    }
    t.sim
        .fault(Fault::once(Endpoint::VideoList, FaultKind::Status { status: 503 }).after(1));
    plan(&mut t).await;
    let under_way = plan_of(&t, account).await;
    assert!(under_way.listing_cursor.is_some() && under_way.whole_at.is_none());
    assert_eq!(videos(&t, account).await.len(), 20);
    t.advance(MINUTE * 2);
    t.drain().await;
    assert_eq!(videos(&t, account).await.len(), 45);
    // Page one once, page two twice, page three once.
    assert_eq!(t.calls(Endpoint::VideoList).len(), 4);
    let ended = plan_of(&t, account).await;
    assert_eq!((ended.listing_cursor, ended.listing_since), (None, None));
    assert!(ended.whole_at.is_some());
    assert!(
        videos(&t, account)
            .await
            .iter()
            .all(|row| row.vanished_at.is_none())
    );
}

async fn more_accounts_than_calls_are_read_hour_by_hour(stack: Stack) {
    let mut t = TestApp::start_with(stack, &[("metrics.calls_per_minute", "1")]).await;
    // Sixty calls an hour, and ninety accounts of one call each.
    let model = t.connect("creator").await;
    let copies = (0..89).map(|number| {
        use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _};
        let mut copy = model.clone().into_active_model().reset_all();
        copy.id = Set(clipqueue_entities::AccountId::new());
        copy.open_id = Set(format!("copy-{number}"));
        // They cannot be read, which is found out with their turn.
        copy.scopes = Set(String::new());
        copy
    });
    account::Entity::insert_many(copies)
        .exec_without_returning(t.app.db.write())
        .await
        .unwrap();
    super::support::enqueue(&t, clipqueue::job::Job::PlanMetrics {}).await;
    t.drain().await;
    assert_eq!(t.jobs("refresh_metrics").await.len(), 60);
    let waiting = metric_plan::Entity::find()
        .filter(metric_plan::Column::NextDueAt.eq(t.clock.now() + HOUR))
        .count(t.app.db.read())
        .await
        .unwrap();
    assert_eq!(waiting, 30, "each is told when it is next due");
    hours(&mut t, 1).await;
    t.advance(HOUR);
    plan(&mut t).await;
    assert_eq!(t.jobs("refresh_metrics").await.len(), 90);
}
