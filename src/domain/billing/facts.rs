//! What is known of a subscription, as a state that only grows: whatever is told, how often and in which
//! order, the same is known in the end. Pure.

use std::time::Duration;

use clipqueue_entities::{
    Timestamp,
    subscription::{self, SubscriptionStatus},
};

/// What PayPal told, by PayPal's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What it calls the subscription, and since when.
    pub status: Option<(SubscriptionStatus, Timestamp)>,
    /// The end of the paid period.
    pub paid_until: Option<Timestamp>,
    /// The last payment.
    pub paid_at: Option<Timestamp>,
    /// The last payment that failed.
    pub failed_at: Option<Timestamp>,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The end of the grace; nothing without one.
    pub grace_until: Option<Timestamp>,
    /// When access ends; nothing when there never was any.
    pub cutoff_at: Option<Timestamp>,
}

impl Facts {
    /// What a row knows.
    pub fn of(row: &subscription::Model) -> Self {
        Self {
            status: row.status_at.map(|at| (row.status, at)),
            paid_until: row.paid_until,
            paid_at: row.paid_at,
            failed_at: row.failed_at,
        }
    }

    /// Both together. The order of the two does not matter, nor how often one is added.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            status: match (self.status, other.status) {
                (Some(one), Some(two)) if weight(two) > weight(one) => Some(two),
                (one, two) => one.or(two),
            },
            paid_until: self.paid_until.max(other.paid_until),
            paid_at: self.paid_at.max(other.paid_at),
            failed_at: self.failed_at.max(other.failed_at),
        }
    }

    /// Whether a payment failed that no other has followed.
    pub fn is_failing(&self) -> bool {
        self.failed_at > self.paid_at && !self.is_over()
    }

    /// Whether PayPal will never go on with it.
    pub fn is_over(&self) -> bool {
        self.status.is_some_and(|(status, _)| is_final(status))
    }

    /// When access ends: with the paid period where the subscription is over, after the grace otherwise.
    pub fn ends(&self, grace: Duration) -> Ends {
        let grace_until = self
            .paid_until
            .filter(|_| !self.is_over())
            .map(|until| until + grace);
        Ends {
            grace_until,
            cutoff_at: grace_until.or(self.paid_until),
        }
    }
}

/// What wins: an end for good over everything, then what is newer, then what is nearer to the end.
fn weight((status, at): (SubscriptionStatus, Timestamp)) -> (bool, Timestamp, u8) {
    let rank = match status {
        SubscriptionStatus::Unknown => 0,
        SubscriptionStatus::Created => 1,
        SubscriptionStatus::Active => 2,
        SubscriptionStatus::Suspended => 3,
        SubscriptionStatus::Expired => 4,
        SubscriptionStatus::Cancelled => 5,
    };
    (is_final(status), at, rank)
}

fn is_final(status: SubscriptionStatus) -> bool {
    matches!(
        status,
        SubscriptionStatus::Cancelled | SubscriptionStatus::Expired
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_secs(7 * 86_400);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn told() -> impl Strategy<Value = Facts> {
        let statuses = [
            SubscriptionStatus::Created,
            SubscriptionStatus::Active,
            SubscriptionStatus::Suspended,
            SubscriptionStatus::Cancelled,
            SubscriptionStatus::Expired,
        ];
        // Few instants, so that many are the same.
        let instant = || prop::option::of((0_i64..6).prop_map(at));
        let status = prop::option::of((prop::sample::select(statuses.to_vec()), 0_i64..6));
        (status, instant(), instant(), instant()).prop_map(
            |(status, paid_until, paid_at, failed_at)| Facts {
                status: status.map(|(status, secs)| (status, at(secs))),
                paid_until,
                paid_at,
                failed_at,
            },
        )
    }

    fn all(facts: &[Facts]) -> Facts {
        facts.iter().copied().fold(Facts::default(), Facts::join)
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_end_in_the_same(
            (told, again) in prop::collection::vec(told(), 1..8).prop_flat_map(|told| {
                let mut twice = told.clone();
                twice.extend(told.iter().copied());
                (Just(told), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(all(&told), all(&again));
            prop_assert_eq!(all(&told).ends(GRACE), all(&again).ends(GRACE));
        }

        #[test]
        fn nothing_that_is_told_takes_paid_time_away(told in prop::collection::vec(told(), 1..8)) {
            let paid = told.iter().filter_map(|facts| facts.paid_until).max();
            let ends = all(&told).ends(GRACE);
            prop_assert!(ends.cutoff_at >= paid);
            prop_assert_eq!(ends.cutoff_at.is_some(), paid.is_some());
        }
    }

    #[test]
    fn a_cancelled_subscription_ends_with_what_was_paid_and_another_after_the_grace() {
        let active = Facts {
            status: Some((SubscriptionStatus::Active, at(10))),
            paid_until: Some(at(1000)),
            paid_at: Some(at(10)),
            failed_at: None,
        };
        assert_eq!(active.ends(GRACE).cutoff_at, Some(at(1000) + GRACE));
        let cancelled = Facts {
            status: Some((SubscriptionStatus::Cancelled, at(20))),
            ..Facts::default()
        };
        let ends = active.join(cancelled).ends(GRACE);
        assert_eq!((ends.grace_until, ends.cutoff_at), (None, Some(at(1000))));
        let failed = Facts {
            failed_at: Some(at(30)),
            ..Facts::default()
        };
        assert!(active.join(failed).is_failing());
        assert!(!active.join(cancelled).join(failed).is_failing());
        let paid = Facts {
            paid_at: Some(at(31)),
            ..Facts::default()
        };
        assert!(!paid.join(failed).join(active).is_failing());
    }
}
