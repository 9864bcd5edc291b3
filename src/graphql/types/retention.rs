//! What is deleted by age, for operators.

use async_graphql::SimpleObject;

use crate::{
    domain::retention::{Day, Due},
    graphql::scalars::{BigInt, DateTime},
};

/// A rule by which things are deleted by age, and what it would delete now.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct RetentionRule {
    /// Its name.
    name: &'static str,
    /// What it deletes, in words.
    what: &'static str,
    /// The setting that says how long things are kept; null, when that is fixed.
    setting: Option<&'static str>,
    /// How long things are kept, in seconds.
    keep_seconds: BigInt,
    /// How much would go now.
    due: BigInt,
    /// Since when the oldest of it is there; null, when nothing would go.
    oldest: Option<DateTime>,
}

impl From<Due> for RetentionRule {
    fn from(due: Due) -> Self {
        Self {
            name: due.rule.name,
            what: due.rule.what,
            setting: due.rule.setting,
            keep_seconds: BigInt(i64::try_from(due.keep.as_secs()).unwrap_or(i64::MAX)),
            due: BigInt(i64::try_from(due.due.count).unwrap_or(i64::MAX)),
            oldest: due.due.oldest.map(DateTime),
        }
    }
}

/// How much a rule deleted on a day.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct RetentionDay {
    /// When the day began, in UTC.
    day: DateTime,
    /// The rule's name.
    rule: String,
    /// How much it deleted: rows, files or objects.
    removed: BigInt,
}

impl From<Day> for RetentionDay {
    fn from(day: Day) -> Self {
        Self {
            day: day.day.into(),
            rule: day.rule,
            removed: BigInt(day.removed),
        }
    }
}
