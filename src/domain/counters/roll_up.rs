//! What becomes of old readings: raw ones for 30 days, then the last of each hour until 180 days, then
//! the last of each day.
//!
//! Values are absolute, so the last of an hour says how the hour ended. Readings that stand for an age of
//! the post are kept, and so is the last mark of a gap in each hour or day.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use clipqueue_entities::{
    Timestamp, TrackedVideoId,
    metric_sample::{self, Grain},
    tracked_video,
};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};

use crate::{app::App, domain::error::Result};

/// How long every reading is kept.
pub const RAW_FOR: Duration = Duration::from_secs(30 * 86_400);
/// How long the last reading of each hour is kept.
pub const HOURLY_FOR: Duration = Duration::from_secs(180 * 86_400);
/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// Videos of one transaction.
const BATCH: u64 = 100;
/// How long after one roll-up a video's next is.
const AGAIN: Duration = Duration::from_secs(86_400);
/// Values of one statement.
const CHUNK: usize = 500;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rolled {
    /// Videos that were looked at.
    pub videos: u64,
    /// Readings that now stand for their hour.
    pub hourly: u64,
    /// Readings that now stand for their day.
    pub daily: u64,
    /// Readings that were deleted.
    pub deleted: u64,
}

/// The beginning of the hour or day that `at` lies in, as UTC counts them.
pub fn floor(at: Timestamp, unit: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis().div_euclid(unit) * unit)
}

/// What is done with the old readings of one video.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// Deleted.
    pub drop: Vec<Timestamp>,
    /// Kept, and what they stand for from now on.
    pub keep: Vec<(Timestamp, Grain)>,
}

/// Sorts a video's readings, oldest first. Pure.
pub fn sort(rows: &[metric_sample::Model], now: Timestamp) -> Sorted {
    // Hours and days are rolled up when they are over as a whole.
    let hourly_before = floor(now - RAW_FOR, HOUR_MS);
    let daily_before = floor(now - HOURLY_FOR, DAY_MS);
    let grain = |at: Timestamp| match at {
        at if at < daily_before => Grain::Day,
        at if at < hourly_before => Grain::Hour,
        _ => Grain::Raw,
    };
    let mut sorted = Sorted::default();
    let mut taken = HashSet::new();
    for row in rows.iter().rev() {
        let to = grain(row.taken_at);
        let bucket = match to {
            Grain::Raw => continue,
            Grain::Hour => floor(row.taken_at, HOUR_MS),
            Grain::Day => floor(row.taken_at, DAY_MS),
        };
        let last = taken.insert((to, bucket, row.gap));
        if !last && row.checkpoint_h.is_none() {
            sorted.drop.push(row.taken_at);
        } else if row.grain < to {
            sorted.keep.push((row.taken_at, to));
        }
    }
    sorted
}

/// Rolls up every video that is due, batch by batch; safe to repeat.
pub async fn run(app: &App) -> Result<Rolled> {
    let now = app.clock.now();
    let mut rolled = Rolled::default();
    loop {
        let due: Vec<TrackedVideoId> = tracked_video::Entity::find()
            .select_only()
            .column(tracked_video::Column::Id)
            .filter(tracked_video::Column::RollDueAt.lte(now))
            .order_by_asc(tracked_video::Column::RollDueAt)
            .limit(BATCH)
            .into_tuple()
            .all(app.db.read())
            .await?;
        if due.is_empty() {
            break;
        }
        batch(app, now, &due, &mut rolled).await?;
    }
    metrics::counter!("clipqueue_metric_rolled_total", "to" => "hour").increment(rolled.hourly);
    metrics::counter!("clipqueue_metric_rolled_total", "to" => "day").increment(rolled.daily);
    metrics::counter!("clipqueue_metric_rolled_total", "to" => "nothing").increment(rolled.deleted);
    Ok(rolled)
}

async fn batch(
    app: &App,
    now: Timestamp,
    due: &[TrackedVideoId],
    rolled: &mut Rolled,
) -> Result<()> {
    let old = Condition::any()
        .add(
            Condition::all()
                .add(metric_sample::Column::Grain.eq(Grain::Raw))
                .add(metric_sample::Column::TakenAt.lt(now - RAW_FOR)),
        )
        .add(
            Condition::all()
                .add(metric_sample::Column::Grain.eq(Grain::Hour))
                .add(metric_sample::Column::TakenAt.lt(now - HOURLY_FOR)),
        );
    let tx = app.db.begin().await?;
    let mut series: HashMap<TrackedVideoId, Vec<metric_sample::Model>> = HashMap::new();
    let rows = metric_sample::Entity::find()
        .filter(metric_sample::Column::TrackedVideoId.is_in(due.iter().copied()))
        .filter(old)
        .order_by_asc(metric_sample::Column::TrackedVideoId)
        .order_by_asc(metric_sample::Column::TakenAt)
        .all(&tx)
        .await?;
    for row in rows {
        series.entry(row.tracked_video_id).or_default().push(row);
    }
    for (video, rows) in series {
        let sorted = sort(&rows, now);
        rolled.deleted += sorted.drop.len() as u64;
        for some in sorted.drop.chunks(CHUNK) {
            metric_sample::Entity::delete_many()
                .filter(metric_sample::Column::TrackedVideoId.eq(video))
                .filter(metric_sample::Column::TakenAt.is_in(some.iter().copied()))
                .exec(&tx)
                .await?;
        }
        for grain in [Grain::Hour, Grain::Day] {
            let kept: Vec<Timestamp> = sorted
                .keep
                .iter()
                .filter(|(_, to)| *to == grain)
                .map(|(at, _)| *at)
                .collect();
            match grain {
                Grain::Hour => rolled.hourly += kept.len() as u64,
                Grain::Day => rolled.daily += kept.len() as u64,
                Grain::Raw => {}
            }
            for some in kept.chunks(CHUNK) {
                metric_sample::Entity::update_many()
                    .col_expr(metric_sample::Column::Grain, Expr::value(grain))
                    .filter(metric_sample::Column::TrackedVideoId.eq(video))
                    .filter(metric_sample::Column::TakenAt.is_in(some.iter().copied()))
                    .exec(&tx)
                    .await?;
            }
        }
    }
    tracked_video::Entity::update_many()
        .col_expr(tracked_video::Column::RollDueAt, Expr::value(now + AGAIN))
        .filter(tracked_video::Column::Id.is_in(due.iter().copied()))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    rolled.videos += due.len() as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn row(hours_ago: i64, views: i64) -> metric_sample::Model {
        metric_sample::Model {
            tracked_video_id: TrackedVideoId::default(),
            taken_at: Timestamp::from_millis(NOW.as_millis() - hours_ago * HOUR_MS),
            views: Some(views),
            likes: None,
            comments: None,
            shares: None,
            gap: false,
            grain: Grain::Raw,
            checkpoint_h: None,
        }
    }

    #[test]
    fn young_readings_are_left_alone() {
        assert_eq!(sort(&[row(24 * 29, 1), row(1, 2)], NOW), Sorted::default());
    }

    #[test]
    fn ages_and_marks_of_gaps_are_kept() {
        let mut age = row(24 * 200, 1);
        age.checkpoint_h = Some(1);
        let mut gap = row(24 * 200, 0);
        gap.taken_at = gap.taken_at + Duration::from_secs(60);
        gap.gap = true;
        let mut last = row(24 * 200, 9);
        last.taken_at = last.taken_at + Duration::from_secs(120);
        let mut middle = row(24 * 200, 5);
        middle.taken_at = middle.taken_at + Duration::from_secs(90);
        let sorted = sort(
            &[age.clone(), gap.clone(), middle.clone(), last.clone()],
            NOW,
        );
        assert_eq!(sorted.drop, [middle.taken_at]);
        let kept: Vec<_> = sorted.keep.iter().map(|(at, _)| *at).collect();
        assert_eq!(kept, [last.taken_at, gap.taken_at, age.taken_at]);
    }

    proptest! {
        #[test]
        fn the_last_of_each_bucket_stays_and_a_second_run_finds_nothing(
            minutes in proptest::collection::btree_set(0_i64..300 * 24 * 60, 1..300),
        ) {
            let mut rows: Vec<metric_sample::Model> = minutes.iter().rev().map(|minutes| {
                let mut row = row(0, *minutes);
                row.taken_at = Timestamp::from_millis(NOW.as_millis() - minutes * 60_000);
                row
            }).collect();
            let sorted = sort(&rows, NOW);
            let dropped: HashSet<_> = sorted.drop.iter().copied().collect();
            // Whatever goes has a later one in the same bucket that stays.
            for gone in &sorted.drop {
                let unit = if *gone < floor(NOW - HOURLY_FOR, DAY_MS) { DAY_MS } else { HOUR_MS };
                prop_assert!(*gone < floor(NOW - RAW_FOR, HOUR_MS));
                prop_assert!(rows.iter().any(|row| row.taken_at > *gone
                    && floor(row.taken_at, unit) == floor(*gone, unit)
                    && !dropped.contains(&row.taken_at)));
            }
            rows.retain(|row| !dropped.contains(&row.taken_at));
            for (at, grain) in sorted.keep {
                rows.iter_mut().filter(|row| row.taken_at == at).for_each(|row| row.grain = grain);
            }
            prop_assert_eq!(sort(&rows, NOW), Sorted::default());
        }
    }
}
