//! The ages at which a post's counters are read, so that posts can be compared at the same age. Pure.
//!
//! A reading stands for an age when it was taken at that age or a little later. What was not read by then
//! is a gap for good: a later value is not that age's.

use std::time::Duration;

use clipqueue_entities::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// One age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The age in hours, as stored.
    pub hours: i32,
    /// How much later a reading still stands for it.
    pub slack: Duration,
    /// How much later it is asked for, if no other look came by: ages that a look for another reason is
    /// likely to meet wait for that.
    pub patience: Duration,
}

impl Checkpoint {
    const fn new(hours: i32, slack: u64, patience: u64) -> Self {
        Self {
            hours,
            slack: Duration::from_secs(slack),
            patience: Duration::from_secs(patience),
        }
    }

    /// The age.
    pub fn age(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.hours).unwrap_or_default() * HOUR)
    }

    /// Until when a reading of a post of `posted` stands for it.
    pub fn ends(&self, posted: Timestamp) -> Timestamp {
        posted + self.age() + self.slack
    }

    fn holds(&self, posted: Timestamp, at: Timestamp) -> bool {
        at >= posted + self.age() && at < self.ends(posted)
    }
}

/// Every age, youngest first. No two of them claim the same moment.
pub const ALL: [Checkpoint; 7] = [
    Checkpoint::new(1, 30 * MINUTE, 0),
    Checkpoint::new(3, 45 * MINUTE, 0),
    Checkpoint::new(6, 90 * MINUTE, 0),
    Checkpoint::new(24, 6 * HOUR, 3 * HOUR),
    Checkpoint::new(48, 12 * HOUR, 6 * HOUR),
    Checkpoint::new(168, 42 * HOUR, 30 * HOUR),
    Checkpoint::new(720, 180 * HOUR, 30 * HOUR),
];

/// The oldest age with everything that still counts for it.
pub const LAST_ENDS: Duration = Duration::from_secs((720 + 180) * HOUR);

/// The age that a reading at `at` stands for, if it has none yet by `met`, and what is met afterwards.
pub fn meet(posted: Timestamp, at: Timestamp, met: i32) -> (Option<i32>, i32) {
    for (index, checkpoint) in ALL.iter().enumerate() {
        let bit = 1 << index;
        if met & bit == 0 && checkpoint.holds(posted, at) {
            return (Some(checkpoint.hours), met | bit);
        }
    }
    (None, met)
}

/// When a post is to be read for the next age that it has no reading of; in the past when that is late.
pub fn next(posted: Timestamp, now: Timestamp, met: i32) -> Option<Timestamp> {
    ALL.iter()
        .enumerate()
        .find(|(index, checkpoint)| met & (1 << index) == 0 && checkpoint.ends(posted) > now)
        .map(|(_, checkpoint)| posted + checkpoint.age() + checkpoint.patience)
}

/// The same for a post that was just asked for: an age that is due and was not had is let go.
pub fn after(posted: Timestamp, now: Timestamp, met: i32) -> Option<Timestamp> {
    ALL.iter()
        .enumerate()
        .filter(|(index, _)| met & (1 << index) == 0)
        .map(|(_, checkpoint)| posted + checkpoint.age() + checkpoint.patience)
        .find(|at| *at > now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POSTED: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn at(minutes: u64) -> Timestamp {
        POSTED + Duration::from_secs(minutes * MINUTE)
    }

    #[test]
    fn a_reading_stands_for_the_age_that_it_was_taken_at() {
        assert_eq!(meet(POSTED, at(59), 0), (None, 0));
        assert_eq!(meet(POSTED, at(60), 0), (Some(1), 1));
        assert_eq!(meet(POSTED, at(89), 0), (Some(1), 1));
        // Too late for one hour, too early for three.
        assert_eq!(meet(POSTED, at(90), 0), (None, 0));
        assert_eq!(meet(POSTED, at(185), 1), (Some(3), 3));
        // Each age has one reading.
        assert_eq!(meet(POSTED, at(65), 1), (None, 1));
        assert_eq!(meet(POSTED, at(720 * 60), 0), (Some(720), 64));
    }

    #[test]
    fn the_next_age_is_the_first_that_can_still_be_met() {
        assert_eq!(next(POSTED, POSTED, 0), Some(at(60)));
        assert_eq!(next(POSTED, at(80), 0), Some(at(60)));
        assert_eq!(next(POSTED, at(80), 1), Some(at(180)));
        // The first hour passed unread.
        assert_eq!(next(POSTED, at(100), 0), Some(at(180)));
        assert_eq!(next(POSTED, at(8 * 60), 7), Some(at(27 * 60)));
        assert_eq!(next(POSTED, POSTED + LAST_ENDS, 0), None);
        // It was asked for at 65 minutes, and TikTok did not show it.
        assert_eq!(after(POSTED, at(65), 0), Some(at(180)));
        assert_eq!(after(POSTED, at(10), 0), Some(at(60)));
        assert_eq!(after(POSTED, POSTED + LAST_ENDS, 0), None);
    }

    #[test]
    fn ages_do_not_overlap_and_patience_stays_within_slack() {
        for pair in ALL.windows(2) {
            assert!(pair[0].ends(POSTED) <= POSTED + pair[1].age());
        }
        for checkpoint in ALL {
            assert!(checkpoint.patience < checkpoint.slack);
        }
        assert_eq!(ALL[6].ends(POSTED), POSTED + LAST_ENDS);
    }

    proptest! {
        #[test]
        fn whoever_reads_when_told_meets_every_age(late in 0_u64..29) {
            let (mut met, mut hours) = (0, Vec::new());
            let mut now = POSTED;
            while let Some(due) = next(POSTED, now, met) {
                now = due.max(now) + Duration::from_secs(late * MINUTE);
                let (met_now, after) = meet(POSTED, now, met);
                prop_assert!(met_now.is_some(), "nothing at {now}");
                hours.extend(met_now);
                met = after;
            }
            prop_assert_eq!(hours, ALL.map(|checkpoint| checkpoint.hours).to_vec());
        }
    }
}
