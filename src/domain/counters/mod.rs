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

use clipqueue_entities::{metric_sample, tracked_video};
use tiktok::video::Video;

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
