//! Which jobs a page is about: the fields of its form, and the query that says the same.

use clipqueue_entities::job::JobState;
use serde::{Deserialize, Serialize};

use crate::{
    domain::error::{Code, Refusal, Result},
    job::{Job, Jobs},
    queue::ledger::JobFilter,
};

/// Every state, in the order of a job's life.
pub(super) const STATES: [JobState; 8] = [
    JobState::Scheduled,
    JobState::Available,
    JobState::Running,
    JobState::Retryable,
    JobState::Held,
    JobState::Completed,
    JobState::Discarded,
    JobState::Cancelled,
];

/// The fields as they were sent; an empty one admits all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) queue: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) lane: String,
    /// The word of a hold.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reason: String,
    /// A part of the last error.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) error: String,
}

/// One choice of a field.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) is_chosen: bool,
}

/// The known words, and the chosen one when it is none of them: an older or newer version may know it.
fn choices(words: impl IntoIterator<Item = &'static str>, chosen: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> = words
        .into_iter()
        .map(|word| Choice {
            value: word.to_owned(),
            is_chosen: word == chosen,
        })
        .collect();
    if !chosen.is_empty() && !choices.iter().any(|choice| choice.is_chosen) {
        choices.push(Choice {
            value: chosen.to_owned(),
            is_chosen: true,
        });
    }
    choices
}

impl Wanted {
    pub(super) fn states(&self) -> Vec<Choice> {
        choices(STATES.map(JobState::as_str), &self.state)
    }

    pub(super) fn kinds(&self) -> Vec<Choice> {
        choices(Job::KINDS, &self.kind)
    }

    pub(super) fn queues(&self) -> Vec<Choice> {
        choices(Jobs::QUEUES, &self.queue)
    }

    /// The state that is asked for, if one is.
    pub(super) fn state(&self) -> Result<Option<JobState>> {
        let word = self.state.trim();
        if word.is_empty() {
            return Ok(None);
        }
        let found = STATES.into_iter().find(|state| state.as_str() == word);
        // A field that nobody understands must not admit all: the filter may go before an act.
        found.map(Some).ok_or_else(|| {
            Refusal::new("state", Code::Invalid, "there is no such state of a job").into()
        })
    }

    /// What it means.
    pub(super) fn filter(&self) -> Result<JobFilter> {
        let text = |field: &String| Some(field.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(JobFilter {
            queue: text(&self.queue),
            state: self.state()?,
            kind: text(&self.kind),
            lane: text(&self.lane),
            hold_reason: text(&self.reason),
            error: text(&self.error),
            ..JobFilter::default()
        })
    }

    /// The same as a query, without the question mark; empty when all is admitted.
    pub(super) fn query(&self) -> String {
        serde_urlencoded::to_string(self).unwrap_or_default()
    }

    /// Whether all is admitted.
    pub(super) fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_its_query_and_an_unknown_state_admits_nothing() {
        let wanted = Wanted {
            state: "held".into(),
            lane: "a&b=c".into(),
            ..Wanted::default()
        };
        let again: Wanted = serde_urlencoded::from_str(&wanted.query()).unwrap();
        assert_eq!(again, wanted);
        assert_eq!(wanted.filter().unwrap().state, Some(JobState::Held));
        assert!(Wanted::default().is_all() && Wanted::default().query().is_empty());
        let unknown = Wanted {
            state: "lost".into(),
            ..Wanted::default()
        };
        assert!(unknown.filter().is_err());
    }
}
