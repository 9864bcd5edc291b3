//! When a post is to be sent, and what becomes of it when it is late, in both directions.

use async_graphql::{Enum, InputObject, SimpleObject};
use clipqueue_entities::post;

use crate::{
    domain::{
        error::Result,
        lateness::Late,
        local_time::{self, LocalTime},
        posts,
    },
    graphql::scalars::{DateTime, LocalDateTime},
};

/// What a local time means that does not exist, because clocks are set forward over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "local_time::GapRule")]
pub(crate) enum GapRule {
    /// As much later as the clocks are set forward: 02:30 becomes 03:30. What calendars do.
    Later,
    /// As much earlier: 02:30 becomes 01:30.
    Earlier,
    /// It is refused.
    Refuse,
}

/// What a local time means that exists twice, because clocks are set back over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "local_time::OverlapRule")]
pub(crate) enum OverlapRule {
    /// The first of the two. What calendars do.
    Earlier,
    /// The second of the two.
    Later,
    /// It is refused.
    Refuse,
}

/// How a local time became an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "local_time::Resolution")]
pub(crate) enum LocalTimeResolution {
    /// The time exists once.
    Exact,
    /// The time does not exist, and was moved later.
    MovedLater,
    /// The time does not exist, and was moved earlier.
    MovedEarlier,
    /// The time exists twice; the first was taken.
    FirstOfTwo,
    /// The time exists twice; the second was taken.
    SecondOfTwo,
}

/// What becomes of a post that could not be sent at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "post::LatePolicy")]
pub(crate) enum LatePolicy {
    /// It is sent as soon as it can be, however late; a month later it is MISSED all the same.
    PostNow,
    /// It is sent within `withinSeconds` after its time; later it is MISSED.
    Within,
    /// It is HELD until `releasePost`, another time, or `cancelPost`.
    Hold,
}

/// A time as a clock on a wall in some zone shows it.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct LocalTimeInput {
    /// What the clock shows.
    at: LocalDateTime,
    /// The IANA name of the zone, such as `Europe/Berlin`.
    zone: String,
    /// What it means when clocks are set forward over it.
    #[graphql(default_with = "GapRule::Later")]
    gap: GapRule,
    /// What it means when clocks are set back over it.
    #[graphql(default_with = "OverlapRule::Earlier")]
    overlap: OverlapRule,
}

impl From<LocalTimeInput> for LocalTime {
    fn from(input: LocalTimeInput) -> Self {
        Self {
            at: input.at.0,
            zone: input.zone,
            gap: input.gap.into(),
            overlap: input.overlap.into(),
        }
    }
}

/// What becomes of a post when it is late. It counts from the post's time, whatever stood in the way.
#[derive(Clone, Copy, Debug, InputObject)]
pub(crate) struct LateInput {
    /// What becomes of it.
    policy: LatePolicy,
    /// For WITHIN: how many seconds after its time it may still be sent, 1 to 2592000.
    within_seconds: Option<i32>,
}

impl From<LateInput> for Late {
    fn from(input: LateInput) -> Self {
        Self {
            policy: input.policy.into(),
            within_s: input.within_seconds.map(i64::from),
        }
    }
}

/// The local time that a post was given; `publishAt` is the instant that it means.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PostLocalTime {
    /// What the clock shows.
    at: LocalDateTime,
    /// The IANA name of the zone.
    zone: String,
    /// The rule for times that do not exist.
    gap: GapRule,
    /// The rule for times that exist twice.
    overlap: OverlapRule,
    /// How it became an instant, by the zone's rules of today; null when it has none by them.
    resolution: Option<LocalTimeResolution>,
    /// What the clock shows at `publishAt`: another time than `at` when that does not exist.
    shown: Option<LocalDateTime>,
    /// Seconds by which the zone's clocks are ahead of UTC then.
    utc_offset_seconds: Option<i32>,
}

impl PostLocalTime {
    /// The local time that is stored with a post.
    pub(crate) fn of(post: &post::Model) -> Result<Option<Self>> {
        let Some(local) = posts::local_time(post)? else {
            return Ok(None);
        };
        let resolved = local.resolve().ok();
        let shown = post
            .publish_at
            .and_then(|at| local_time::in_zone(at, &local.zone));
        Ok(Some(Self {
            at: LocalDateTime(local.at),
            zone: local.zone,
            gap: local.gap.into(),
            overlap: local.overlap.into(),
            resolution: resolved.map(|found| found.how.into()),
            shown: shown.map(LocalDateTime),
            utc_offset_seconds: resolved.map(|found| found.offset_s),
        }))
    }
}

/// What becomes of a post when it is late.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct PostLateRule {
    /// What becomes of it.
    policy: LatePolicy,
    /// For WITHIN: how many seconds after its time it may still be sent.
    within_seconds: Option<i32>,
    /// Until when it may be sent, while it is SCHEDULED.
    until: Option<DateTime>,
    /// Whether the post was given this rule; else it is the installation's, which counts from when
    /// nothing but Clipqueue stood in the way.
    chosen: bool,
}

impl PostLateRule {
    /// The rule of a post; `usual` seconds are the installation's.
    pub(crate) fn of(post: &post::Model, usual: u64) -> Self {
        let chosen = Late::of(post);
        let late = chosen.unwrap_or(Late {
            policy: post::LatePolicy::Within,
            within_s: i64::try_from(usual).ok(),
        });
        let scheduled = post.state == post::PostState::Scheduled;
        Self {
            policy: late.policy.into(),
            within_seconds: late
                .within_s
                .and_then(|seconds| i32::try_from(seconds).ok()),
            until: post.deadline_at.filter(|_| scheduled).map(DateTime),
            chosen: chosen.is_some(),
        }
    }
}
