//! Old readings: one an hour after thirty days, one a day after a hundred and eighty, ages and marks kept.

use std::time::Duration;

use clipqueue::{
    domain::counters::{checkpoints, roll_up},
    job::Job,
};
use clipqueue_entities::{
    Timestamp, TrackedVideoId,
    metric_sample::{self, Grain},
    tracked_video,
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};

use super::support::{enqueue, plan, samples, start, videos};
use crate::support::{
    app::{Stack, TestApp},
    flows::{DAY, HOUR},
};

crate::on_both_stacks_by_hand!(readings_become_hours_and_then_days);

/// Readings every twenty minutes for `days` days that end at `end`.
async fn fill(t: &TestApp, video: TrackedVideoId, end: Timestamp, days: u32) -> i64 {
    let count = i64::from(days) * 72;
    let rows: Vec<_> = (0..count)
        .map(|index| metric_sample::ActiveModel {
            tracked_video_id: Set(video),
            taken_at: Set(end - HOUR / 3 * u32::try_from(count - index).unwrap()),
            views: Set(Some(index)),
            likes: Set(None),
            comments: Set(None),
            shares: Set(None),
            gap: Set(false),
            grain: Set(Grain::Raw),
            checkpoint_h: Set((index == 3).then_some(1)),
        })
        .collect();
    for some in rows.chunks(500) {
        metric_sample::Entity::insert_many(some.to_vec())
            .exec_without_returning(t.app.db.write())
            .await
            .unwrap();
    }
    count
}

async fn readings_become_hours_and_then_days(stack: Stack) {
    let mut t = start(stack).await;
    let account = t.connect("creator").await.id;
    t.sim.add_video("creator", "old");
    // Nobody is to read it by itself.
    t.advance(checkpoints::LAST_ENDS);
    plan(&mut t).await;
    let video = videos(&t, account).await.remove(0);
    metric_sample::Entity::delete_many()
        .exec(t.app.db.write())
        .await
        .unwrap();
    // Whole days of UTC, so that the counts below are exact.
    let end = roll_up::floor(t.clock.now(), roll_up::DAY_MS);
    let count = fill(&t, video.id, end, 10).await;

    // Nothing is old yet.
    t.advance(DAY * 20);
    assert_eq!(
        roll_up::run(&t.app).await.unwrap(),
        roll_up::Rolled::default()
    );
    t.advance(DAY * 21);
    let rolled = roll_up::run(&t.app).await.unwrap();
    assert_eq!((rolled.videos, rolled.hourly, rolled.daily), (1, 241, 0));
    assert_eq!(rolled.deleted, u64::try_from(count).unwrap() - 241);
    let rows = samples(&t, &video).await;
    assert!(rows.iter().all(|row| row.grain == Grain::Hour));
    let age: Vec<_> = rows
        .iter()
        .filter(|row| row.checkpoint_h.is_some())
        .collect();
    assert_eq!(age.len(), 1, "what stands for an age is kept");
    // The last of an hour says how the hour ended.
    assert_eq!(rows.last().unwrap().views, Some(count - 1));
    assert_eq!(
        roll_up::run(&t.app).await.unwrap(),
        roll_up::Rolled::default()
    );

    t.advance(DAY * 160);
    enqueue(&t, Job::RollUpMetrics {}).await;
    t.drain().await;
    let rows = samples(&t, &video).await;
    assert_eq!(rows.len(), 11);
    assert!(rows.iter().all(|row| row.grain == Grain::Day));
    let last = rows.last().unwrap();
    assert_eq!(
        (last.taken_at, last.views),
        (end - HOUR / 3, Some(count - 1))
    );
    let row = tracked_video::Entity::find_by_id(video.id)
        .one(t.app.db.read())
        .await
        .unwrap()
        .unwrap();
    assert!(row.roll_due_at > t.clock.now() + Duration::from_secs(3600));
}
