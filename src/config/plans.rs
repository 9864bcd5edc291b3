//! `[plans]`: what users may use of the installation, by the plan that they have.

use std::time::Duration;

use clipqueue_entities::Timestamp;
pub use clipqueue_entities::user_plan::PlanName;

use super::reader::Reader;

/// `[plans]`
#[derive(Clone, Debug, Default)]
pub struct Plans {
    /// The plan of users who were given none.
    pub default: Option<PlanName>,
    /// `[plans.free]`
    pub free: Plan,
    /// `[plans.trial]`
    pub trial: Plan,
    /// `[plans.paid]`
    pub paid: Plan,
}

/// What a plan allows. What is absent is not limited by the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Posts accepted on a day of UTC.
    pub posts_per_day: Option<u64>,
    /// Bytes stored at a time.
    pub storage_bytes: Option<u64>,
    /// How long a file is kept that no post needs.
    pub media_retention: Option<Duration>,
    /// Operations of the API within a minute.
    pub requests_per_minute: Option<u32>,
}

impl Plans {
    /// The plan that is in force at `now` for a user who was given `plan` until `ends_at`.
    pub fn in_force(
        &self,
        given: Option<(PlanName, Option<Timestamp>)>,
        now: Timestamp,
    ) -> PlanName {
        match given {
            Some((_, Some(end))) if end <= now => PlanName::Free,
            Some((plan, _)) => plan,
            None => self.default.unwrap_or(PlanName::Paid),
        }
    }

    /// What the plan allows.
    pub fn limits(&self, plan: PlanName) -> &Plan {
        match plan {
            PlanName::Free => &self.free,
            PlanName::Trial => &self.trial,
            PlanName::Paid => &self.paid,
        }
    }

    /// The shortest time that any plan keeps files; nothing when all keep them for good.
    pub fn shortest_media_retention(&self) -> Option<Duration> {
        [&self.free, &self.trial, &self.paid]
            .into_iter()
            .filter_map(|plan| plan.media_retention)
            .min()
    }

    /// How long the default plan keeps files; nothing when that is for good.
    pub fn default_media_retention(&self) -> Option<Duration> {
        let plan = self.default.unwrap_or(PlanName::Paid);
        self.limits(plan).media_retention
    }

    /// Whether any plan limits requests, so that it must be known whose they are.
    pub fn limit_requests(&self) -> bool {
        [&self.free, &self.trial, &self.paid]
            .iter()
            .any(|plan| plan.requests_per_minute.is_some())
    }
}

/// The word for a plan.
pub fn word(plan: PlanName) -> &'static str {
    match plan {
        PlanName::Free => "free",
        PlanName::Trial => "trial",
        PlanName::Paid => "paid",
    }
}

/// The plan of that word.
pub fn plan(word: &str) -> Option<PlanName> {
    match word {
        "free" => Some(PlanName::Free),
        "trial" => Some(PlanName::Trial),
        "paid" => Some(PlanName::Paid),
        _ => None,
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Plans {
    Plans {
        default: r.parsed("plans.default", "free, trial or paid", plan),
        free: limits(r, "free"),
        trial: limits(r, "trial"),
        paid: limits(r, "paid"),
    }
}

/// The limits of one plan; zero stands for none.
fn limits(r: &mut Reader<'_>, name: &str) -> Plan {
    let some = |number: u64| (number > 0).then_some(number);
    Plan {
        posts_per_day: some(r.number(&format!("plans.{name}.posts_per_day"), 0)),
        storage_bytes: some(r.number(&format!("plans.{name}.storage_bytes"), 0)),
        media_retention: r
            .duration_or_zero(&format!("plans.{name}.media_retention"))
            .filter(|kept| !kept.is_zero()),
        requests_per_minute: some(r.number(&format!("plans.{name}.requests_per_minute"), 0))
            .map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_ended_is_the_free_one_and_none_is_the_default() {
        let plans = Plans {
            default: Some(PlanName::Trial),
            ..Plans::default()
        };
        let now = Timestamp::from_secs(1000);
        let until = |secs| Some((PlanName::Paid, Some(Timestamp::from_secs(secs))));
        assert_eq!(plans.in_force(until(1001), now), PlanName::Paid);
        assert_eq!(plans.in_force(until(1000), now), PlanName::Free);
        assert_eq!(
            plans.in_force(Some((PlanName::Free, None)), now),
            PlanName::Free
        );
        assert_eq!(plans.in_force(None, now), PlanName::Trial);
        assert_eq!(Plans::default().in_force(None, now), PlanName::Paid);
    }
}
