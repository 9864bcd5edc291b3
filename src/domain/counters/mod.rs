//! Counters of the creator's own public videos: when they are read, what was read, and the series that
//! come of it.
//!
//! - [`checkpoints`]: the ages at which a post is read. Pure.
//! - [`planner`]: whose turn it is within TikTok's budget. Pure.
//! - [`plans`]: each account's times, and the plan of an hour.
//! - [`reading`]: what a look at TikTok brought, written down.
//! - [`series`], [`experiments`]: what is shown.
//! - [`roll_up`]: what becomes of old readings.
//!
//! Values are stored as TikTok tells them and may fall. A video that TikTok no longer shows gets one mark,
//! never a zero. It calls nobody; that is the worker's.

pub mod checkpoints;
mod days;
pub mod experiments;
pub mod planner;
pub mod plans;
pub mod reading;
pub mod roll_up;
mod samples;
pub mod series;

use clipqueue_entities::{AccountId, account_day, metric_plan, metric_sample, tracked_video};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    QueryTrait as _,
};
use tiktok::video::Video;

use super::error::Result;

/// The four counters as TikTok told them at one moment; null where it told none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Views.
    pub views: Option<i64>,
    /// Likes.
    pub likes: Option<i64>,
    /// Comments.
    pub comments: Option<i64>,
    /// Shares.
    pub shares: Option<i64>,
}

impl From<&Video> for Counters {
    fn from(video: &Video) -> Self {
        Self {
            views: video.view_count,
            likes: video.like_count,
            comments: video.comment_count,
            shares: video.share_count,
        }
    }
}

impl From<&tracked_video::Model> for Counters {
    fn from(video: &tracked_video::Model) -> Self {
        Self {
            views: video.views,
            likes: video.likes,
            comments: video.comments,
            shares: video.shares,
        }
    }
}

impl From<&metric_sample::Model> for Counters {
    fn from(sample: &metric_sample::Model) -> Self {
        Self {
            views: sample.views,
            likes: sample.likes,
            comments: sample.comments,
            shares: sample.shares,
        }
    }
}

/// What [`forget_in_tx`] deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Videos that were followed.
    pub videos: u64,
    /// Readings.
    pub samples: u64,
    /// Days of the account.
    pub days: u64,
}

/// Deletes everything that was read of an account, and its times. Safe to repeat.
pub async fn forget_in_tx(tx: &impl ConnectionTrait, account: AccountId) -> Result<Forgotten> {
    let own = tracked_video::Entity::find()
        .select_only()
        .column(tracked_video::Column::Id)
        .filter(tracked_video::Column::AccountId.eq(account))
        .into_query();
    let samples = metric_sample::Entity::delete_many()
        .filter(metric_sample::Column::TrackedVideoId.in_subquery(own))
        .exec(tx)
        .await?
        .rows_affected;
    let videos = tracked_video::Entity::delete_many()
        .filter(tracked_video::Column::AccountId.eq(account))
        .exec(tx)
        .await?
        .rows_affected;
    let days = account_day::Entity::delete_many()
        .filter(account_day::Column::AccountId.eq(account))
        .exec(tx)
        .await?
        .rows_affected;
    metric_plan::Entity::delete_many()
        .filter(metric_plan::Column::AccountId.eq(account))
        .exec(tx)
        .await?;
    Ok(Forgotten {
        videos,
        samples,
        days,
    })
}
