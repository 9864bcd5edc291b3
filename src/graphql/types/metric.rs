//! Counters of videos and their series.

use async_graphql::{Enum, ID, Object, SimpleObject};
use clipqueue_entities::{AccountId, account_day, metric_plan, tracked_video};

use crate::{
    domain::counters::{
        Counters,
        planner::WHOLE_WITHIN,
        series::{self, OfAccount, Point, Series},
    },
    graphql::{
        ids::Global as _,
        scalars::{BigInt, DateTime, Url},
    },
};

/// Why a point of a series has no values. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "series::Gap")]
pub(crate) enum MetricGap {
    /// TikTok did not show the video: it was private, deleted, or taken down.
    Vanished,
    /// Nobody read it at that age; a later value is not that age's.
    NotRead,
    /// The post is not that old yet.
    NotYet,
}

/// Public counters as TikTok told them: absolute values, which may fall. Null where TikTok told none.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(crate) struct MetricCounters {
    /// Views.
    views: Option<BigInt>,
    /// Likes.
    likes: Option<BigInt>,
    /// Comments.
    comments: Option<BigInt>,
    /// Shares.
    shares: Option<BigInt>,
}

impl From<Counters> for MetricCounters {
    fn from(counters: Counters) -> Self {
        Self {
            views: counters.views.map(BigInt),
            likes: counters.likes.map(BigInt),
            comments: counters.comments.map(BigInt),
            shares: counters.shares.map(BigInt),
        }
    }
}

/// A point at an age of the post.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(crate) struct MetricAtAge {
    /// The age in hours: 1, 3, 6, 24, 48, 168 or 720.
    age_hours: i32,
    /// When TikTok told the values: at that age or a little later. Null in a gap.
    taken_at: Option<DateTime>,
    /// The values; null in a gap, never zero for want of a reading.
    counters: Option<MetricCounters>,
    /// Why there are no values.
    gap: Option<MetricGap>,
}

/// A point of a day.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(crate) struct MetricOfDay {
    /// The day's first instant, in UTC.
    day: DateTime,
    /// When TikTok told the values: the day's last reading. Null in a gap.
    taken_at: Option<DateTime>,
    /// The values; null in a gap.
    counters: Option<MetricCounters>,
    /// Why there are no values.
    gap: Option<MetricGap>,
}

type Parts = (Option<DateTime>, Option<MetricCounters>, Option<MetricGap>);

fn parts(point: Point) -> Parts {
    match point {
        Point::Read(at, counters) => (Some(DateTime(at)), Some(counters.into()), None),
        Point::Gap(gap) => (None, None, Some(gap.into())),
    }
}

#[derive(Clone, Debug)]
pub(crate) struct VideoMetrics(pub(crate) Series);

/// A creator's own public video, and how its counters went.
#[Object]
impl VideoMetrics {
    /// TikTok's id of the video. Ids have 64 bits, so it is a string.
    async fn video_id(&self) -> &str {
        &self.video().video_id
    }

    /// Its address, when known.
    async fn share_url(&self) -> Option<Url> {
        self.video().share_url.clone().map(Url)
    }

    /// Its caption as TikTok shows it.
    async fn caption(&self) -> Option<&str> {
        self.video().caption.as_deref()
    }

    /// When it was posted. When it was first seen, if TikTok did not tell.
    async fn posted_at(&self) -> DateTime {
        self.video().posted_at.into()
    }

    /// The newest values; null before the first reading.
    async fn latest(&self) -> Option<MetricCounters> {
        let counters = Counters::from(self.video());
        self.video().last_seen_at.map(|_| counters.into())
    }

    /// When TikTok last showed it.
    async fn last_seen_at(&self) -> Option<DateTime> {
        self.video().last_seen_at.map(DateTime)
    }

    /// Since when TikTok does not show it; null while it does.
    async fn vanished_at(&self) -> Option<DateTime> {
        self.video().vanished_at.map(DateTime)
    }

    /// One point for each age at which posts are compared.
    async fn by_age(&self) -> Vec<MetricAtAge> {
        let point = |(age_hours, point): &(i32, Point)| {
            let (taken_at, counters, gap) = parts(*point);
            MetricAtAge {
                age_hours: *age_hours,
                taken_at,
                counters,
                gap,
            }
        };
        self.0.by_age.iter().map(point).collect()
    }

    /// One point for each day with a reading or a mark, oldest first.
    async fn by_day(&self) -> Vec<MetricOfDay> {
        let point = |(day, point): &(clipqueue_entities::Timestamp, Point)| {
            let (taken_at, counters, gap) = parts(*point);
            MetricOfDay {
                day: (*day).into(),
                taken_at,
                counters,
                gap,
            }
        };
        self.0.by_day.iter().map(point).collect()
    }
}

impl VideoMetrics {
    fn video(&self) -> &tracked_video::Model {
        &self.0.video
    }
}

/// The counters of what a post became.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PostMetrics {
    /// The post.
    pub(crate) post_id: ID,
    /// Its videos, oldest first: none until it is known what it became, several when a creator posted a
    /// draft more than once.
    pub(crate) videos: Vec<VideoMetrics>,
}

#[derive(Clone, Debug)]
pub(crate) struct AccountDay(account_day::Model);

/// All public videos of an account together, as the day's last look found them.
#[Object]
impl AccountDay {
    /// The day's first instant, in UTC.
    async fn day(&self) -> DateTime {
        self.0.day.into()
    }

    /// When the last look was.
    async fn taken_at(&self) -> DateTime {
        self.0.taken_at.into()
    }

    /// How many videos were public.
    async fn videos(&self) -> i32 {
        self.0.videos
    }

    /// Their counters, added up; each as it was last read.
    async fn counters(&self) -> MetricCounters {
        let day = &self.0;
        let counters = Counters {
            views: day.views,
            likes: day.likes,
            comments: day.comments,
            shares: day.shares,
        };
        counters.into()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct MetricPlan(pub(crate) AccountId, pub(crate) Option<metric_plan::Model>);

/// When an account's counters were read, and when they are read next. TikTok gives the whole app 600 calls
/// a minute, so that not everybody is read every hour: young posts come first, then creators who look.
#[Object(name = "MetricPlan")]
impl MetricPlan {
    /// The account.
    async fn account_id(&self) -> ID {
        self.0.to_global()
    }

    /// When it was last read.
    async fn last_read_at(&self) -> Option<DateTime> {
        self.1.as_ref()?.read_at.map(DateTime)
    }

    /// When all of its videos were last read, which is at least once a day.
    async fn last_whole_at(&self) -> Option<DateTime> {
        self.1.as_ref()?.whole_at.map(DateTime)
    }

    /// When it is read next. Null while it cannot be read, and for some minutes after it was connected.
    async fn next_due_at(&self) -> Option<DateTime> {
        self.1.as_ref()?.next_due_at.map(DateTime)
    }

    /// The latest time of the next look at all of its videos.
    async fn whole_by(&self) -> Option<DateTime> {
        let whole = self.1.as_ref()?.whole_at?;
        Some((whole + WHOLE_WITHIN).into())
    }

    /// Why it cannot be read: `scope_missing` or `reauth_required`. The creator must connect again.
    async fn paused_reason(&self) -> Option<&str> {
        self.1.as_ref()?.paused_reason.as_deref()
    }

    /// How many of its videos are followed.
    async fn videos(&self) -> i32 {
        self.1.as_ref().map_or(0, |plan| plan.videos)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AccountMetrics(pub(crate) OfAccount);

/// The counters of an account.
#[Object]
impl AccountMetrics {
    /// When it is read.
    async fn plan(&self) -> MetricPlan {
        MetricPlan(self.0.account, self.0.plan.clone())
    }

    /// All videos together by day, oldest first. A day without a look is not among them.
    async fn by_day(&self) -> Vec<AccountDay> {
        self.0.days.iter().cloned().map(AccountDay).collect()
    }

    /// The newest videos.
    async fn videos(&self) -> Vec<VideoMetrics> {
        self.0.videos.iter().cloned().map(VideoMetrics).collect()
    }
}
