//! A cap over a sliding window, and what TikTok's refusals teach about it: pure functions of times.
//!
//! Uses are counted from the rows, which are the truth. A mark is TikTok's own word that nothing fits
//! until an instant: TikTok also counts what other apps posted, so it may come before the count says.

use std::time::Duration;

use clipqueue_entities::Timestamp;

/// A cap as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cap {
    /// How many fit within the window; nothing when only TikTok knows.
    pub limit: Option<u32>,
    /// The length of the window.
    pub window: Duration,
    /// When each use was, in any order.
    pub uses: Vec<Timestamp>,
    /// Until when TikTok said that nothing more fits.
    pub spent_until: Option<Timestamp>,
}

impl Cap {
    /// Uses that count at `now`.
    pub fn used(&self, now: Timestamp) -> u32 {
        let after = now - self.window;
        let counted = self.uses.iter().filter(|at| **at > after).count();
        u32::try_from(counted).unwrap_or(u32::MAX)
    }

    /// How many more fit at `now`; nothing when only TikTok knows.
    pub fn left(&self, now: Timestamp) -> Option<u32> {
        if self.mark(now).is_some() {
            return Some(0);
        }
        Some(self.limit?.saturating_sub(self.used(now)))
    }

    /// When one more fits; nothing when it fits now.
    pub fn free_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.mark(now).max(self.counted_out(now))
    }

    /// When more fit than now, be it one or the first of several.
    pub fn refills_at(&self, now: Timestamp) -> Option<Timestamp> {
        let after = now - self.window;
        let oldest = self.uses.iter().filter(|at| **at > after).min();
        self.free_at(now).or(oldest.map(|at| *at + self.window))
    }

    /// TikTok's mark, while it holds. One that reaches further than a window is of a clock that was
    /// set back, and holds no longer.
    fn mark(&self, now: Timestamp) -> Option<Timestamp> {
        self.spent_until
            .filter(|until| *until > now && *until <= now + self.window)
    }

    fn counted_out(&self, now: Timestamp) -> Option<Timestamp> {
        let limit = self.limit? as usize;
        if limit == 0 {
            return Some(now + self.window);
        }
        let after = now - self.window;
        let mut counted: Vec<Timestamp> = self
            .uses
            .iter()
            // A use cannot be later than now, whatever another clock said.
            .map(|at| (*at).min(now))
            .filter(|at| *at > after)
            .collect();
        counted.sort_unstable();
        let surplus = counted.len().checked_sub(limit)?;
        Some(counted[surplus] + self.window)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_900_000_000) + Duration::from_secs(seconds)
    }

    #[test]
    fn the_oldest_use_frees_the_first_place() {
        let cap = Cap {
            limit: Some(2),
            window: DAY,
            uses: vec![at(500), at(100), at(300)],
            spent_until: None,
        };
        let now = at(600);
        assert_eq!(cap.left(now), Some(0));
        assert_eq!(cap.free_at(now), Some(at(300) + DAY));
        assert_eq!(cap.refills_at(now), Some(at(300) + DAY));
    }

    #[test]
    fn tiktoks_word_wins_over_the_count() {
        let cap = Cap {
            limit: Some(15),
            window: DAY,
            uses: vec![at(100)],
            spent_until: Some(at(5_000)),
        };
        assert_eq!(cap.left(at(200)), Some(0));
        assert_eq!(cap.free_at(at(200)), Some(at(5_000)));
        assert_eq!(cap.left(at(5_000)), Some(14));
        assert_eq!(cap.free_at(at(5_000)), None);
    }

    proptest! {
        /// Whoever waits as told never has more than the limit within any window, and always gets
        /// through within one window.
        #[test]
        fn nobody_who_waits_as_told_exceeds_it(
            limit in 1_u32..8,
            wishes in proptest::collection::vec(0_u64..40_000, 1..60),
            mark in proptest::option::of(0_u64..100_000),
        ) {
            let mut cap = Cap { limit: Some(limit), window: DAY, ..Cap::default() };
            let mut now = at(0);
            cap.spent_until = mark.map(at);
            for wish in wishes {
                now = now + Duration::from_secs(wish);
                if let Some(free) = cap.free_at(now) {
                    prop_assert!(free > now && free <= now + DAY);
                    prop_assert_eq!(cap.left(now), Some(0));
                    now = free;
                    // Two reasons may follow upon each other.
                    while let Some(free) = cap.free_at(now) {
                        now = free;
                    }
                }
                prop_assert!(cap.left(now) > Some(0));
                cap.uses.push(now);
                let within = cap.uses.iter().filter(|use_at| **use_at > now - DAY).count();
                prop_assert!(within <= limit as usize);
            }
        }

        /// A mark never lets anybody through earlier, whatever the clocks say.
        #[test]
        fn a_mark_only_ever_delays(
            limit in proptest::option::of(0_u32..5),
            uses in proptest::collection::vec(0_u64..200_000, 0..12),
            mark in 0_u64..400_000,
            now in 0_u64..200_000,
        ) {
            let plain = Cap {
                limit,
                window: DAY,
                uses: uses.into_iter().map(at).collect(),
                spent_until: None,
            };
            let marked = Cap { spent_until: Some(at(mark)), ..plain.clone() };
            prop_assert!(marked.free_at(at(now)) >= plain.free_at(at(now)));
            if let Some(free) = marked.free_at(at(now)) {
                prop_assert!(free > at(now) && free <= at(now) + DAY);
            }
        }
    }
}
