//! What is known of a subscription, as a state that only grows: whatever is told, how often and in which
//! order, the same is known in the end. Pure.

use std::time::Duration;

use clipqueue_entities::{
    Timestamp,
    subscription::{self, SubscriptionStatus},
};

/// PayPal tells the time of a payment in more than one place; what is nearer is one payment.
const SAME: u64 = 12 * 3_600_000;

/// What PayPal told, by PayPal's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What it calls the subscription, and since when.
    pub status: Option<(SubscriptionStatus, Timestamp)>,
    /// What is subscribed to, by PayPal's id of the plan, and since when that is known.
    pub plan: Option<(String, Timestamp)>,
    /// When the next payment is due, as far as the last was made.
    pub told_until: Option<Timestamp>,
    /// The last payment.
    pub paid_at: Option<Timestamp>,
    /// The last payment that failed.
    pub failed_at: Option<Timestamp>,
}

/// A payment for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// When it was made.
    pub at: Timestamp,
    /// Whether all of it went back: a refund, or a reversal.
    pub is_back: bool,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The end of the paid period.
    pub paid_until: Option<Timestamp>,
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
            plan: row.plan_id.clone().zip(row.plan_at),
            told_until: row.told_until,
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
            plan: match (self.plan, other.plan) {
                (Some(one), Some(two)) if (two.1, &two.0) > (one.1, &one.0) => Some(two),
                (one, two) => one.or(two),
            },
            told_until: self.told_until.max(other.told_until),
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
    /// A payment pays for `period`, unless it went back.
    pub fn ends(&self, payments: &[Payment], period: Duration, grace: Duration) -> Ends {
        let paid_until = self.paid_until(payments, period);
        let grace_until = paid_until
            .filter(|_| !self.is_over())
            .map(|until| until + grace);
        Ends {
            paid_until,
            grace_until,
            cutoff_at: grace_until.or(paid_until),
        }
    }

    fn paid_until(&self, payments: &[Payment], period: Duration) -> Option<Timestamp> {
        let back = || {
            payments
                .iter()
                .filter(|paid| paid.is_back)
                .map(|paid| paid.at)
        };
        let is_back =
            |at: Timestamp| back().any(|other| other.as_millis().abs_diff(at.as_millis()) <= SAME);
        let told = self.paid_at.filter(|at| !is_back(*at));
        let kept = payments.iter().filter(|paid| !paid.is_back);
        let last = kept.map(|paid| paid.at).max().max(told);
        // Where nothing followed a payment that went back, its time was not paid for, and what PayPal told
        // of the next date counts up to there alone.
        let ended = back().filter(|at| Some(*at) > last).min();
        let due = match (self.told_until, ended) {
            (Some(due), Some(ended)) => Some(due.min(ended)),
            (due, ended) => due.or(ended),
        };
        last.map(|at| at + period).max(due)
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
    const PERIOD: Duration = Duration::from_secs(31 * 86_400);

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
        let plan = prop::option::of(("[AB]", 0_i64..6));
        (status, plan, instant(), instant(), instant()).prop_map(
            |(status, plan, told_until, paid_at, failed_at)| Facts {
                status: status.map(|(status, secs)| (status, at(secs))),
                plan: plan.map(|(plan, secs)| (plan, at(secs))),
                told_until,
                paid_at,
                failed_at,
            },
        )
    }

    fn all(facts: &[Facts]) -> Facts {
        facts.iter().cloned().fold(Facts::default(), Facts::join)
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_end_in_the_same(
            (told, again) in prop::collection::vec(told(), 1..8).prop_flat_map(|told| {
                let mut twice = told.clone();
                twice.extend(told.iter().cloned());
                (Just(told), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(all(&told), all(&again));
        }

        #[test]
        fn nothing_that_is_told_takes_paid_time_away(told in prop::collection::vec(told(), 1..8)) {
            let due = told.iter().filter_map(|facts| facts.told_until).max();
            let paid = told.iter().filter_map(|facts| facts.paid_at).max();
            let paid = due.max(paid.map(|at| at + PERIOD));
            let ends = all(&told).ends(&[], PERIOD, GRACE);
            prop_assert_eq!(ends.paid_until, paid);
            prop_assert!(ends.cutoff_at >= paid);
            prop_assert_eq!(ends.cutoff_at.is_some(), paid.is_some());
        }
    }

    #[test]
    fn a_cancelled_subscription_ends_with_what_was_paid_and_another_after_the_grace() {
        let active = Facts {
            status: Some((SubscriptionStatus::Active, at(10))),
            told_until: Some(at(1000)),
            ..Facts::default()
        };
        let ends = |facts: &Facts| facts.ends(&[], PERIOD, GRACE);
        assert_eq!(ends(&active).cutoff_at, Some(at(1000) + GRACE));
        let cancelled = Facts {
            status: Some((SubscriptionStatus::Cancelled, at(20))),
            ..Facts::default()
        };
        let over = ends(&active.clone().join(cancelled.clone()));
        assert_eq!((over.grace_until, over.cutoff_at), (None, Some(at(1000))));
        let active = Facts {
            paid_at: Some(at(10)),
            ..active
        };
        let failed = Facts {
            failed_at: Some(at(30)),
            ..Facts::default()
        };
        assert!(active.clone().join(failed.clone()).is_failing());
        let over = active.clone().join(cancelled);
        assert!(!over.join(failed.clone()).is_failing());
        let paid = Facts {
            paid_at: Some(at(31)),
            ..Facts::default()
        };
        assert!(!paid.join(failed).join(active).is_failing());
    }

    #[test]
    fn a_payment_that_went_back_takes_its_time_along_and_no_other() {
        let day = |days: i64| at(days * 86_400);
        let told = Facts {
            told_until: Some(day(62)),
            paid_at: Some(day(31)),
            ..Facts::default()
        };
        let paid = |days: i64, is_back| Payment {
            at: day(days),
            is_back,
        };
        let until = |payments: &[Payment]| told.ends(payments, PERIOD, GRACE).paid_until;
        assert_eq!(until(&[paid(0, false), paid(31, false)]), Some(day(62)));
        assert_eq!(until(&[paid(0, false), paid(31, true)]), Some(day(31)));
        // An older one takes nothing from what was paid since.
        assert_eq!(until(&[paid(0, true), paid(31, false)]), Some(day(62)));
        assert_eq!(until(&[paid(0, true), paid(31, true)]), Some(day(0)));
        // And it is paid again.
        let again = [paid(0, true), paid(31, true), paid(40, false)];
        assert_eq!(until(&again), Some(day(71)));
    }
}
