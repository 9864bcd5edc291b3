//! When to ask TikTok again how a post fares.
//!
//! TikTok allows 30 questions a minute and token. It processes half a gigabyte in under 30 seconds
//! and four in over two minutes, moderates mostly within a minute and sometimes for hours, and a
//! creator may finish a draft days later. So the gaps grow with the time spent in the state, and
//! start longer for big files.

use std::time::Duration;

use clipqueue_entities::post::PostState;

/// A file above this takes TikTok about a minute.
const BIG_FILE: i64 = 700_000_000;
/// A public post id may come hours after the post; after a day nobody waits for it.
const WAIT_FOR_POST_ID: Duration = Duration::from_secs(24 * 3600);

/// A doubt must be settled within a quarter of an hour once there is evidence.
const DOUBT: Duration = minutes(10);

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// The gap before the next question, or none when nothing is left to ask.
///
/// `age` is the time since the post came into `state`; `wants_post_id` says whether a published post
/// still lacks the public id that it will get.
pub fn gap(state: PostState, age: Duration, size: i64, wants_post_id: bool) -> Option<Duration> {
    match state {
        PostState::Processing => Some(processing_gap(age, size)),
        PostState::Unconfirmed => Some(processing_gap(age, size).min(DOUBT)),
        PostState::InInbox => Some(match age {
            _ if age < minutes(10) => Duration::from_secs(30),
            _ if age < minutes(60) => minutes(2),
            _ if age < minutes(24 * 60) => minutes(15),
            _ => minutes(60),
        }),
        PostState::Published if wants_post_id && age < WAIT_FOR_POST_ID => {
            Some(if age < minutes(2) {
                Duration::from_secs(10)
            } else if age < minutes(10) {
                minutes(1)
            } else if age < minutes(60) {
                minutes(5)
            } else {
                minutes(15)
            })
        }
        PostState::Published
        | PostState::Draft
        | PostState::Scheduled
        | PostState::Held
        | PostState::Preflight
        | PostState::InitSent
        | PostState::Uploading
        | PostState::Failed
        | PostState::Cancelled
        | PostState::Missed
        | PostState::Lapsed => None,
    }
}

/// The gap while TikTok may still contradict a person who said that nothing was posted.
pub fn after_word(age: Duration) -> Option<Duration> {
    (age < WAIT_FOR_POST_ID).then_some(minutes(15))
}

fn processing_gap(age: Duration, size: i64) -> Duration {
    let first = if size > BIG_FILE { 20 } else { 5 };
    let seconds = match age.as_secs() {
        0..5 => first,
        5..15 => first.max(10),
        15..60 => 20,
        60..600 => 60,
        600..3600 => 300,
        _ => 900,
    };
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours of asking stay far below the budget, and the first minute is answered quickly.
    #[test]
    fn the_gaps_grow_and_fit_the_budget() {
        for state in [
            PostState::Processing,
            PostState::Unconfirmed,
            PostState::InInbox,
        ] {
            let mut at = Duration::ZERO;
            let mut asked = Vec::new();
            while at < minutes(120) {
                let step = gap(state, at, 1_000, true).unwrap();
                assert!(step >= Duration::from_secs(2));
                at += step;
                asked.push(at);
            }
            for start in &asked {
                let within = asked
                    .iter()
                    .filter(|t| **t >= *start && **t < *start + minutes(1))
                    .count();
                assert!(within <= 6, "{state:?}: {within} questions in a minute");
            }
        }
        assert_eq!(
            gap(PostState::Processing, Duration::ZERO, 1_000, true),
            Some(Duration::from_secs(5))
        );
    }

    #[test]
    fn it_ends_when_there_is_nothing_to_learn() {
        assert_eq!(gap(PostState::Published, minutes(1), 0, false), None);
        assert_eq!(gap(PostState::Published, minutes(24 * 60), 0, true), None);
        assert_eq!(gap(PostState::Failed, Duration::ZERO, 0, true), None);
    }
}
