//! Time in quarters of an hour with a plan each hour, and looking at what was read.

use std::time::Duration;

use clipqueue::{
    domain::counters::{
        plans,
        series::{self, OfAccount, Point, Series},
    },
    job::Job,
};
use clipqueue_entities::{AccountId, metric_plan, metric_sample, tracked_video};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use crate::support::app::{Stack, TestApp};

/// How far time moves at once.
pub(super) const STEP: Duration = Duration::from_secs(900);
/// Longer than a refresh of a token makes others wait.
const MOMENT: Duration = Duration::from_secs(6);

/// The product with counters switched on.
pub(crate) async fn start(stack: Stack) -> TestApp {
    TestApp::start_with(stack, &[("metrics.calls_per_minute", "540")]).await
}

/// Plans the hour and runs what is due.
pub(crate) async fn plan(t: &mut TestApp) {
    enqueue(t, Job::PlanMetrics {}).await;
    t.drain().await;
    settle(t).await;
}

pub(super) async fn enqueue(t: &TestApp, job: Job) {
    let tx = t.app.db.begin().await.unwrap();
    t.app.enqueue_in_tx(&tx, job, None).await.unwrap();
    tx.commit().await.unwrap();
}

/// Lets those go on who waited for a token.
async fn settle(t: &mut TestApp) {
    for _ in 0..3 {
        t.advance(MOMENT);
        t.drain().await;
    }
}

/// Lets hours pass, each with its plan.
pub(super) async fn hours(t: &mut TestApp, hours: u32) {
    for _ in 0..hours {
        plan(t).await;
        for _ in 0..4 {
            t.advance(STEP - MOMENT * 3);
            t.drain().await;
            settle(t).await;
        }
    }
}

pub(crate) async fn videos(t: &TestApp, account: AccountId) -> Vec<tracked_video::Model> {
    tracked_video::Entity::find()
        .filter(tracked_video::Column::AccountId.eq(account))
        .order_by_asc(tracked_video::Column::PostedAt)
        .all(t.app.db.read())
        .await
        .unwrap()
}

pub(crate) async fn samples(
    t: &TestApp,
    video: &tracked_video::Model,
) -> Vec<metric_sample::Model> {
    metric_sample::Entity::find()
        .filter(metric_sample::Column::TrackedVideoId.eq(video.id))
        .order_by_asc(metric_sample::Column::TakenAt)
        .all(t.app.db.read())
        .await
        .unwrap()
}

pub(super) async fn plan_of(t: &TestApp, account: AccountId) -> metric_plan::Model {
    plans::of(t.app.db.read(), account).await.unwrap().unwrap()
}

pub(super) async fn shown(t: &TestApp, account: AccountId) -> OfAccount {
    series::of_account(&t.app, t.actor.user_id, account, 400, 100)
        .await
        .unwrap()
}

/// The age's views.
pub(super) fn views_at(series: &Series, hours: i32) -> Option<i64> {
    let (_, point) = series.by_age.iter().find(|(age, _)| *age == hours).unwrap();
    match point {
        Point::Read(_, counters) => counters.views,
        Point::Gap(_) => None,
    }
}
