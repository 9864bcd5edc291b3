//! What becomes of a post that could not be sent at its time.
//!
//! A post may carry a rule of its own, which counts from its time whatever stood in the way. Without
//! one the installation's rule holds: `posts.late_limit`, counted from when nothing but we stood in
//! the way any more, so that a post that waited for its creator still goes.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clipqueue_entities::{
    Timestamp,
    post::{self, LatePolicy, PostState},
};
use serde::Serialize;

use super::{
    error::{Code, Refusal},
    post_change::{Change, Evidence, Failure},
    post_state::PostEvent,
};
use crate::config;

/// Why a post is held that could not be sent at its time.
pub const LATE: &str = "late";
/// The longest time that `Within` takes.
const LONGEST_S: i64 = 30 * 24 * 3600;

/// A rule as a caller gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Late {
    /// What becomes of it.
    pub policy: LatePolicy,
    /// For `Within`: how many seconds after its time it may still be sent.
    pub within_s: Option<i64>,
}

impl Late {
    /// The rule of a post, if it has one of its own.
    pub fn of(post: &post::Model) -> Option<Self> {
        post.late_policy.map(|policy| Self {
            policy,
            within_s: post.late_within_s,
        })
    }

    fn within(self) -> Duration {
        Duration::from_secs(self.within_s.unwrap_or_default().unsigned_abs())
    }

    /// What is wrong with it.
    pub(super) fn refusal(self) -> Option<Refusal> {
        let message = match (self.policy, self.within_s) {
            (LatePolicy::Within, Some(1..=LONGEST_S))
            | (LatePolicy::PostNow | LatePolicy::Hold, None) => return None,
            (LatePolicy::Within, None) => "WITHIN needs withinSeconds",
            (LatePolicy::Within, Some(_)) => "withinSeconds must be 1 to 2592000, which is 30 days",
            (LatePolicy::PostNow | LatePolicy::Hold, Some(_)) => {
                "withinSeconds is for WITHIN alone; leave it out"
            }
        };
        Some(Refusal {
            field: vec!["input", "late", "withinSeconds"],
            ..Refusal::whole(Code::Invalid, message)
        })
    }
}

/// When a SCHEDULED post is too late: it then ends, or is held.
pub(super) fn deadline(
    rules: &config::Posts,
    late: Option<Late>,
    publish_at: Option<Timestamp>,
    now: Timestamp,
) -> Timestamp {
    let time = publish_at.unwrap_or(now);
    match late {
        None => time.max(now) + rules.late_limit,
        Some(late) => match late.policy {
            // Not for ever: a post that cannot go for so long needs somebody's eyes.
            LatePolicy::PostNow => time.max(now) + rules.held_deadline,
            LatePolicy::Within => time + late.within(),
            LatePolicy::Hold => time + rules.late_tolerance,
        },
    }
}

/// Until when a post whose own rule is `Within` may be sent, wherever it stands.
pub fn last_moment(post: &post::Model, publish_at: Option<Timestamp>) -> Option<Timestamp> {
    let late = Late::of(post).filter(|late| late.policy == LatePolicy::Within)?;
    let time = publish_at.unwrap_or(post.created_at);
    Some(time + late.within())
}

/// The change of a post past its deadline: held when that is its rule, MISSED otherwise. What to do is
/// said with it.
pub fn overdue(post: &post::Model, now: Timestamp) -> Change {
    if holds(post) {
        let message = format!(
            "Its time was {}, and it could not be sent then. Release it to post now, give it another time, or cancel it.",
            shown(post.publish_at.unwrap_or(post.state_since))
        );
        return Change::new(PostEvent::Held, Evidence::own("deadline.late"))
            .hold(LATE, None)
            .notice(message);
    }
    Change::new(PostEvent::DeadlinePassed, Evidence::own("deadline.passed"))
        .failure(missed(post, now))
}

/// Whether a post that is late is held and not missed.
pub fn holds(post: &post::Model) -> bool {
    post.late_policy == Some(LatePolicy::Hold) && post.state != PostState::Held
}

fn missed(post: &post::Model, now: Timestamp) -> Failure {
    let until = shown(post.deadline_at.unwrap_or(now));
    let may_wait = last_moment(post, post.publish_at).is_none_or(|last| last > now);
    let (code, message) = if post.state == PostState::Held && may_wait {
        let reason = post.hold_reason.as_deref().unwrap_or("unknown");
        (
            "held_too_long",
            format!(
                "It was held until {until} and nobody acted (the reason was {reason}), so it was not posted. \
                 Put that right and retry it to post now, or make a new post."
            ),
        )
    } else {
        let time = shown(post.publish_at.unwrap_or(post.state_since));
        (
            "too_late",
            format!(
                "Its time was {time}. It could not be sent until {until}, the latest that was allowed, so it was \
                 not posted. Retry it to post now, or make a new post with another time."
            ),
        )
    };
    Failure {
        class: "late",
        code: code.to_owned(),
        message,
        retryable: true,
    }
}

fn shown(at: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.as_millis())
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}
