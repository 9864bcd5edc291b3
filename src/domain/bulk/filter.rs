//! Which jobs an act on many may be about, and how its filter is kept.

use clipqueue_entities::{Timestamp, bulk_act::BulkAction, job::JobState};
use sea_orm::ActiveEnum as _;
use serde::{Deserialize, Serialize};

use crate::{
    domain::error::{Code, Refusal, Result},
    queue::ledger::{JobFilter, Matching},
};

/// The stored form.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_from: Option<Timestamp>,
}

/// A filter as JSON.
pub(super) fn store(filter: &JobFilter) -> Result<serde_json::Value> {
    let filter = filter.clone();
    let stored = Stored {
        queue: filter.queue,
        state: filter.state.map(|state| state.as_str().to_owned()),
        kind: filter.kind,
        lane: filter.lane,
        hold_reason: filter.hold_reason,
        error: filter.error,
        created_before: filter.created_before,
        created_from: filter.created_from,
    };
    Ok(serde_json::to_value(stored).map_err(anyhow::Error::from)?)
}

/// A filter from JSON.
pub(super) fn read(stored: &serde_json::Value) -> Result<JobFilter> {
    let stored: Stored = Deserialize::deserialize(stored).map_err(anyhow::Error::from)?;
    let state = match stored.state {
        Some(word) => Some(JobState::try_from_value(&word)?),
        None => None,
    };
    Ok(JobFilter {
        queue: stored.queue,
        state,
        kind: stored.kind,
        lane: stored.lane,
        hold_reason: stored.hold_reason,
        error: stored.error,
        created_before: stored.created_before,
        created_from: stored.created_from,
    })
}

/// The states that `action` can be about.
const fn possible(action: BulkAction) -> &'static [JobState] {
    match action {
        BulkAction::Retry => &[
            JobState::Discarded,
            JobState::Cancelled,
            JobState::Retryable,
            JobState::Held,
        ],
        BulkAction::Cancel => &[
            JobState::Scheduled,
            JobState::Available,
            JobState::Retryable,
            JobState::Held,
            JobState::Running,
        ],
        BulkAction::Release => &[JobState::Held],
    }
}

/// The states that `action` is about when the filter names none: everything that is not over, what
/// was given up, what is held.
fn usual(action: BulkAction) -> Vec<JobState> {
    match action {
        BulkAction::Retry => vec![JobState::Discarded],
        BulkAction::Cancel | BulkAction::Release => possible(action).to_vec(),
    }
}

/// What `action` with `filter` is about, as it was at `as_of`.
pub(super) fn matching(
    action: BulkAction,
    filter: &JobFilter,
    as_of: Timestamp,
) -> Result<Matching> {
    if *filter == JobFilter::default() {
        return Err(Refusal::new(
            "filter",
            Code::Required,
            "must narrow the jobs by at least one field: an act on everything is most often a slip",
        )
        .into());
    }
    let states = match filter.state {
        None => usual(action),
        Some(state) if possible(action).contains(&state) => vec![state],
        Some(state) => {
            let words: Vec<String> = possible(action)
                .iter()
                .map(|state| state.as_str().to_uppercase())
                .collect();
            return Err(Refusal::new(
                "filter",
                Code::WrongState,
                format!(
                    "jobs that are {} cannot be meant; give one of {}",
                    state.as_str().to_uppercase(),
                    words.join(", ")
                ),
            )
            .into());
        }
    };
    Ok(Matching {
        filter: filter.clone(),
        // Whatever became due, or runs by now, was meant as well.
        may_move: action == BulkAction::Cancel && filter.state.is_none(),
        states,
        as_of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_being_stored() {
        let filter = JobFilter {
            queue: Some("uploads".into()),
            state: Some(JobState::Held),
            kind: Some("upload_post".into()),
            lane: Some(String::new()),
            hold_reason: Some("reauth_required".into()),
            error: Some("100%".into()),
            created_before: Some(Timestamp::from_millis(7)),
            created_from: Some(Timestamp::from_millis(3)),
        };
        assert_eq!(read(&store(&filter).unwrap()).unwrap(), filter);
        let none = JobFilter::default();
        assert_eq!(read(&store(&none).unwrap()).unwrap(), none);
    }

    #[test]
    fn an_act_on_everything_or_on_the_wrong_state_is_refused() {
        let now = Timestamp::from_millis(1);
        let all = JobFilter::default();
        assert!(matching(BulkAction::Cancel, &all, now).is_err());
        let completed = JobFilter {
            state: Some(JobState::Completed),
            ..all
        };
        for action in [BulkAction::Cancel, BulkAction::Retry, BulkAction::Release] {
            assert!(matching(action, &completed, now).is_err());
        }
    }
}
