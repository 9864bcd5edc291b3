//! Readings as rows: what TikTok shows of a video brings its row up to date and lets its series grow.

use std::collections::HashMap;

use clipqueue_entities::{
    AccountId, Timestamp, TrackedVideoId,
    metric_sample::{self, Grain},
    tracked_video,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    sea_query::OnConflict,
};
use tiktok::video::Video;

use super::{
    Counters, checkpoints,
    roll_up::{DAY_MS, RAW_FOR, floor},
};
use crate::{
    app::App,
    domain::{error::Result, video_link, video_search::posted_at},
};

/// What tells videos apart.
pub(super) const KEY: [tracked_video::Column; 2] = [
    tracked_video::Column::AccountId,
    tracked_video::Column::VideoId,
];

/// A video that just became known.
pub(super) fn newborn(
    account: AccountId,
    video_id: String,
    posted_at: Timestamp,
    now: Timestamp,
) -> tracked_video::Model {
    tracked_video::Model {
        id: TrackedVideoId::new(),
        account_id: account,
        video_id,
        posted_at,
        share_url: None,
        caption: None,
        views: None,
        likes: None,
        comments: None,
        shares: None,
        checkpoints: 0,
        first_seen_at: now,
        last_seen_at: None,
        last_sample_at: None,
        vanished_at: None,
        roll_due_at: now + RAW_FOR,
    }
}

/// Every column of a row.
pub(super) fn whole(row: tracked_video::Model) -> tracked_video::ActiveModel {
    use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};
    row.into_active_model().reset_all()
}

fn sample(
    id: TrackedVideoId,
    now: Timestamp,
    counters: Counters,
    gap: bool,
    checkpoint_h: Option<i32>,
) -> metric_sample::ActiveModel {
    metric_sample::ActiveModel {
        tracked_video_id: Set(id),
        taken_at: Set(now),
        views: Set(counters.views),
        likes: Set(counters.likes),
        comments: Set(counters.comments),
        shares: Set(counters.shares),
        gap: Set(gap),
        grain: Set(Grain::Raw),
        checkpoint_h: Set(checkpoint_h),
    }
}

/// Marks that TikTok does not show videos: a gap, not a zero.
pub(super) async fn mark_in_tx(
    tx: &impl ConnectionTrait,
    gone: &[TrackedVideoId],
    now: Timestamp,
) -> Result<()> {
    let marks = gone
        .iter()
        .map(|id| sample(*id, now, Counters::default(), true, None));
    append(tx, marks.collect()).await
}

async fn append(tx: &impl ConnectionTrait, rows: Vec<metric_sample::ActiveModel>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    metrics::counter!("clipqueue_metric_samples_total").increment(rows.len() as u64);
    metric_sample::Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([
                metric_sample::Column::TrackedVideoId,
                metric_sample::Column::TakenAt,
            ])
            .do_nothing()
            .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Appends what TikTok shows of videos.
pub(super) async fn take_in_tx(
    app: &App,
    tx: &impl ConnectionTrait,
    account: AccountId,
    shown: &[Video],
) -> Result<()> {
    if shown.is_empty() {
        return Ok(());
    }
    let now = app.clock.now();
    let mut known: HashMap<String, tracked_video::Model> = tracked_video::Entity::find()
        .filter(tracked_video::Column::AccountId.eq(account))
        .filter(tracked_video::Column::VideoId.is_in(shown.iter().map(|video| video.id.as_str())))
        .all(tx)
        .await?
        .into_iter()
        .map(|row| (row.video_id.clone(), row))
        .collect();
    let (mut rows, mut samples) = (Vec::new(), Vec::new());
    for video in shown {
        let id = video.id.to_string();
        let is_new = !known.contains_key(&id);
        let mut row = known
            .remove(&id)
            .unwrap_or_else(|| newborn(account, id, posted_at(video).unwrap_or(now), now));
        // The first listing knows better than whoever joined it when it was posted.
        if row.last_seen_at.is_none()
            && let Some(posted) = posted_at(video)
        {
            row.posted_at = posted;
        }
        if let Some(sample) = read_one(&mut row, video, now, is_new) {
            samples.push(sample);
        }
        rows.push(whole(row));
    }
    let changing = [
        tracked_video::Column::PostedAt,
        tracked_video::Column::ShareUrl,
        tracked_video::Column::Caption,
        tracked_video::Column::Views,
        tracked_video::Column::Likes,
        tracked_video::Column::Comments,
        tracked_video::Column::Shares,
        tracked_video::Column::Checkpoints,
        tracked_video::Column::LastSeenAt,
        tracked_video::Column::LastSampleAt,
        tracked_video::Column::VanishedAt,
    ];
    tracked_video::Entity::insert_many(rows)
        .on_conflict(OnConflict::columns(KEY).update_columns(changing).to_owned())
        .exec_without_returning(tx)
        .await?;
    append(tx, samples).await
}

/// Brings a row up to date; the reading, if it says something that the series does not say already.
fn read_one(
    row: &mut tracked_video::Model,
    video: &Video,
    now: Timestamp,
    is_new: bool,
) -> Option<metric_sample::ActiveModel> {
    let counters = Counters::from(video);
    let (checkpoint, met) = checkpoints::meet(row.posted_at, now, row.checkpoints);
    let same_day = row
        .last_sample_at
        .is_some_and(|last| floor(last, DAY_MS) == floor(now, DAY_MS));
    let news = is_new
        || checkpoint.is_some()
        || !same_day
        || row.vanished_at.is_some()
        || counters != Counters::from(&*row);
    row.views = counters.views;
    row.likes = counters.likes;
    row.comments = counters.comments;
    row.shares = counters.shares;
    row.checkpoints = met;
    row.last_seen_at = Some(now);
    row.vanished_at = None;
    let found = video.share_url.as_deref().map(video_link::parse);
    row.share_url = found
        .and_then(std::result::Result::ok)
        .and_then(|link| link.url)
        .or(row.share_url.take());
    row.caption = video.description.clone().or(row.caption.take());
    if !news {
        return None;
    }
    row.last_sample_at = Some(now);
    Some(sample(row.id, now, counters, false, checkpoint))
}
