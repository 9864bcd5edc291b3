//! What is shown: the series of a post's videos by age and by day, and an account's days.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use clipqueue_entities::{
    AccountId, PostId, Timestamp, TrackedVideoId, UserId, account_day, metric_plan, metric_sample,
    post_video, tracked_video,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    Counters, checkpoints, days, plans,
    roll_up::{DAY_MS, floor},
};
use crate::{
    app::App,
    domain::{accounts, error::Result, posts},
};

/// A day.
const DAY: Duration = Duration::from_secs(86_400);
/// The most days of a series.
pub const MAX_DAYS: u32 = 400;

/// Why a point has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gap {
    /// TikTok did not show the video.
    Vanished,
    /// Nobody read it then.
    NotRead,
    /// Its time has not come.
    NotYet,
}

/// Values, or why there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// What TikTok told, and when.
    Read(Timestamp, Counters),
    /// Nothing.
    Gap(Gap),
}

/// A video with its series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The video.
    pub video: tracked_video::Model,
    /// By age: each of [`checkpoints::ALL`], in hours.
    pub by_age: Vec<(i32, Point)>,
    /// By day of UTC, oldest first, without days that have neither a reading nor a mark.
    pub by_day: Vec<(Timestamp, Point)>,
}

/// What is shown of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct OfAccount {
    /// The account.
    pub account: AccountId,
    /// Its times; none before the first plan.
    pub plan: Option<metric_plan::Model>,
    /// Its days, oldest first.
    pub days: Vec<account_day::Model>,
    /// Its newest videos.
    pub videos: Vec<Series>,
}

/// The series of the videos that a post became. Whoever asks is taken for the creator looking.
pub async fn of_post(app: &App, user: UserId, id: PostId, days: u32) -> Result<Vec<Series>> {
    let post = posts::get(app.db.read(), user, id).await?;
    plans::looked(app, &[post.account_id]).await?;
    let joined: Vec<String> = post_video::Entity::find()
        .select_only()
        .column(post_video::Column::VideoId)
        .filter(post_video::Column::PostId.eq(id))
        .filter(post_video::Column::JoinedKey.is_not_null())
        .into_tuple()
        .all(app.db.read())
        .await?;
    let videos = tracked_video::Entity::find()
        .filter(tracked_video::Column::AccountId.eq(post.account_id))
        .filter(tracked_video::Column::VideoId.is_in(joined))
        .order_by_asc(tracked_video::Column::PostedAt)
        .all(app.db.read())
        .await?;
    of_videos(app, videos, days).await
}

/// An account's days and its `first` newest videos. Whoever asks is taken for the creator looking.
pub async fn of_account(
    app: &App,
    user: UserId,
    id: AccountId,
    days: u32,
    first: u64,
) -> Result<OfAccount> {
    accounts::get(app.db.read(), user, id).await?;
    plans::looked(app, &[id]).await?;
    let from = app.clock.now() - DAY * days.clamp(1, MAX_DAYS);
    let videos = match first {
        0 => Vec::new(),
        first => {
            tracked_video::Entity::find()
                .filter(tracked_video::Column::AccountId.eq(id))
                .order_by_desc(tracked_video::Column::PostedAt)
                .limit(first)
                .all(app.db.read())
                .await?
        }
    };
    Ok(OfAccount {
        account: id,
        plan: plans::of(app.db.read(), id).await?,
        days: days::since(app.db.read(), id, from).await?,
        videos: of_videos(app, videos, days).await?,
    })
}

async fn of_videos(app: &App, videos: Vec<tracked_video::Model>, days: u32) -> Result<Vec<Series>> {
    let now = app.clock.now();
    let from = floor(now - DAY * days.clamp(1, MAX_DAYS), DAY_MS);
    let ids: Vec<TrackedVideoId> = videos.iter().map(|video| video.id).collect();
    let mut ages = readings_by_age(app, &ids).await?;
    let mut recent: HashMap<TrackedVideoId, Vec<metric_sample::Model>> = HashMap::new();
    let rows = metric_sample::Entity::find()
        .filter(metric_sample::Column::TrackedVideoId.is_in(ids))
        .filter(metric_sample::Column::TakenAt.gte(from))
        .order_by_asc(metric_sample::Column::TrackedVideoId)
        .order_by_asc(metric_sample::Column::TakenAt)
        .all(app.db.read())
        .await?;
    for row in rows {
        recent.entry(row.tracked_video_id).or_default().push(row);
    }
    let series = |video: tracked_video::Model| Series {
        by_age: by_age(&video, &ages.remove(&video.id).unwrap_or_default(), now),
        by_day: by_day(&recent.remove(&video.id).unwrap_or_default()),
        video,
    };
    Ok(videos.into_iter().map(series).collect())
}

/// The readings of videos that stand for an age, by age.
pub(super) async fn readings_by_age(
    app: &App,
    ids: &[TrackedVideoId],
) -> Result<HashMap<TrackedVideoId, BTreeMap<i32, metric_sample::Model>>> {
    let mut found: HashMap<TrackedVideoId, BTreeMap<i32, metric_sample::Model>> = HashMap::new();
    let ages = checkpoints::ALL.map(|checkpoint| checkpoint.hours);
    for some in ids.chunks(500) {
        let rows = metric_sample::Entity::find()
            .filter(metric_sample::Column::TrackedVideoId.is_in(some.iter().copied()))
            // By value, so that the index of ages is taken and not the whole series.
            .filter(metric_sample::Column::CheckpointH.is_in(ages))
            .all(app.db.read())
            .await?;
        for row in rows {
            let of_video = found.entry(row.tracked_video_id).or_default();
            of_video.insert(row.checkpoint_h.unwrap_or_default(), row);
        }
    }
    Ok(found)
}

/// A point for each age. Pure.
pub(super) fn by_age(
    video: &tracked_video::Model,
    readings: &BTreeMap<i32, metric_sample::Model>,
    now: Timestamp,
) -> Vec<(i32, Point)> {
    let point = |checkpoint: &checkpoints::Checkpoint| {
        if let Some(row) = readings.get(&checkpoint.hours) {
            return Point::Read(row.taken_at, row.into());
        }
        let ends = checkpoint.ends(video.posted_at);
        Point::Gap(match video.vanished_at {
            Some(vanished) if vanished < ends => Gap::Vanished,
            _ if now < ends => Gap::NotYet,
            _ => Gap::NotRead,
        })
    };
    checkpoints::ALL
        .iter()
        .map(|checkpoint| (checkpoint.hours, point(checkpoint)))
        .collect()
}

/// The last reading of each day; a mark where the day ended with one. Pure.
fn by_day(rows: &[metric_sample::Model]) -> Vec<(Timestamp, Point)> {
    let mut days = BTreeMap::new();
    for row in rows {
        let point = if row.gap {
            Point::Gap(Gap::Vanished)
        } else {
            Point::Read(row.taken_at, row.into())
        };
        days.insert(floor(row.taken_at, DAY_MS), point);
    }
    days.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use clipqueue_entities::metric_sample::Grain;

    use super::*;

    const POSTED: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn hours(hours: u64) -> Timestamp {
        POSTED + Duration::from_secs(hours * 3600)
    }

    fn row(at: Timestamp, views: i64, gap: bool) -> metric_sample::Model {
        metric_sample::Model {
            tracked_video_id: TrackedVideoId::default(),
            taken_at: at,
            views: (!gap).then_some(views),
            likes: None,
            comments: None,
            shares: None,
            gap,
            grain: Grain::Raw,
            checkpoint_h: None,
        }
    }

    fn video(vanished_at: Option<Timestamp>) -> tracked_video::Model {
        tracked_video::Model {
            id: TrackedVideoId::default(),
            account_id: AccountId::default(),
            video_id: "7".to_owned(),
            posted_at: POSTED,
            share_url: None,
            caption: None,
            views: None,
            likes: None,
            comments: None,
            shares: None,
            checkpoints: 0,
            first_seen_at: POSTED,
            last_seen_at: None,
            last_sample_at: None,
            vanished_at,
            roll_due_at: POSTED,
        }
    }

    #[test]
    fn an_age_without_a_reading_says_why() {
        let readings = BTreeMap::from([(1, row(hours(1), 5, false))]);
        let seen = by_age(&video(None), &readings, hours(7));
        assert!(matches!(seen[0], (1, Point::Read(at, counters))
            if at == hours(1) && counters.views == Some(5)));
        assert_eq!(seen[1], (3, Point::Gap(Gap::NotRead)));
        assert_eq!(seen[2], (6, Point::Gap(Gap::NotYet)));
        let gone = by_age(&video(Some(hours(2))), &readings, hours(800));
        assert!(matches!(gone[0].1, Point::Read(..)));
        assert!(
            gone[1..]
                .iter()
                .all(|(_, point)| *point == Point::Gap(Gap::Vanished))
        );
    }

    #[test]
    fn a_day_is_what_it_ended_with_and_counters_may_fall() {
        let rows = [
            row(hours(1), 10, false),
            row(hours(2), 4, false),
            row(hours(30), 0, true),
            row(hours(60), 0, true),
            row(hours(61), 3, false),
        ];
        let views = |point: &Point| match point {
            Point::Read(_, counters) => counters.views,
            Point::Gap(_) => None,
        };
        let days: Vec<_> = by_day(&rows)
            .iter()
            .map(|(_, point)| views(point))
            .collect();
        assert_eq!(days, [Some(4), None, Some(3)]);
    }
}
