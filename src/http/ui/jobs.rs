//! Jobs by state, kind, queue and creator, newest first, page by page.
//!
//! Pages are kept apart by the id at their edge, never by a number: the thousandth costs what the first
//! does.

use askama::Template;
use axum::{Extension, extract::Query, response::Response};
use clipqueue_entities::{
    JobId, Timestamp,
    job::{self, JobState},
};
use serde::Deserialize;

use super::{
    filter::Wanted,
    page::{self, Frame, Place},
    session::Visit,
    show::{Chip, When, cut},
};
use crate::domain::{
    error::{Code, Refusal, Result},
    operators,
};

/// Jobs on a page.
const PAGE: usize = 50;
/// Characters of an error in a list.
const MAX_WHY: usize = 160;

/// A job in a list.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) queue: String,
    pub(super) chip: Chip,
    pub(super) attempt: i32,
    pub(super) max_attempts: i32,
    pub(super) run_at: When,
    pub(super) updated: When,
    /// Why it waits, or what went wrong.
    pub(super) why: Option<String>,
}

impl Line {
    pub(super) fn new(job: &job::Model, now: Timestamp) -> Self {
        let error = job.last_error.as_deref();
        Self {
            id: job.id.to_string(),
            kind: job.kind.clone(),
            queue: job.queue.clone(),
            chip: job.state.into(),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            run_at: When::new(job.run_at, now),
            updated: When::new(job.updated_at, now),
            why: match job.hold_reason.as_deref() {
                Some(reason) => Some(reason.to_owned()),
                None => error.map(|text| cut(text, MAX_WHY)),
            },
        }
    }
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    frame: Frame,
    wanted: Wanted,
    title: &'static str,
    empty: &'static str,
    /// What may be done to all of them.
    acts: &'static [&'static str],
    lines: Vec<Line>,
    newer: Option<String>,
    older: Option<String>,
}

/// Where a page lies.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct Edge {
    pub(in crate::http) after: String,
    pub(in crate::http) before: String,
}

impl Edge {
    /// The id at the edge, and whether the page comes before it.
    pub(in crate::http) fn read<T: std::str::FromStr>(&self) -> Result<(Option<T>, bool)> {
        let (text, backward) = match (&*self.after, &*self.before) {
            ("", "") => return Ok((None, false)),
            ("", before) => (before, true),
            (after, _) => (after, false),
        };
        let id = text.parse().map_err(|_| {
            Refusal::new(
                "after",
                Code::Invalid,
                "the page's edge is not an id; start at the first page",
            )
        })?;
        Ok((Some(id), backward))
    }

    /// Cuts what was read to one page; gives whether there are newer and older ones.
    pub(in crate::http) fn cut<T>(
        &self,
        rows: &mut Vec<T>,
        backward: bool,
        page: usize,
    ) -> (bool, bool) {
        let more = rows.len() > page;
        if more && backward {
            rows.remove(0);
        }
        rows.truncate(page);
        if backward {
            (more, true)
        } else {
            (!self.after.is_empty(), more)
        }
    }
}

/// The list.
pub(super) async fn show(
    Extension(visit): Extension<Visit>,
    Query(wanted): Query<Wanted>,
    Query(edge): Query<Edge>,
) -> Response {
    page::answer(&visit, list(&visit, wanted, &edge).await)
}

async fn list(visit: &Visit, wanted: Wanted, edge: &Edge) -> Result<JobsPage> {
    let (cursor, backward) = edge.read::<JobId>()?;
    let filter = wanted.filter()?;
    let limit = PAGE as u64 + 1;
    let mut jobs = operators::jobs(&visit.console.app, &filter, cursor, backward, limit).await?;
    let (newer, older) = edge.cut(&mut jobs, backward, PAGE);
    let at = |job: Option<&job::Model>, side: &str| {
        let query = wanted.query();
        let and = if query.is_empty() { "" } else { "&" };
        job.map(|job| format!("{query}{and}{side}={}", job.id))
    };
    let (place, title, empty) = named(&wanted);
    Ok(JobsPage {
        frame: Frame::new(visit, place),
        title,
        empty,
        acts: acts(wanted.state()?),
        lines: jobs.iter().map(|job| Line::new(job, visit.now)).collect(),
        newer: at(jobs.first().filter(|_| newer), "before"),
        older: at(jobs.last().filter(|_| older), "after"),
        wanted,
    })
}

/// What can be done to jobs of a state.
const fn acts(state: Option<JobState>) -> &'static [&'static str] {
    match state {
        Some(JobState::Completed) => &[],
        Some(JobState::Discarded | JobState::Cancelled) => &["retry"],
        Some(JobState::Scheduled | JobState::Available | JobState::Running) => &["cancel"],
        Some(JobState::Retryable) => &["retry", "cancel"],
        Some(JobState::Held) => &["retry", "release", "cancel"],
        None => &["retry", "cancel", "release"],
    }
}

/// What the page is called, and what it means that it is empty.
fn named(wanted: &Wanted) -> (Place, &'static str, &'static str) {
    match wanted.state.as_str() {
        "discarded" => (
            Place::Discarded,
            "Discarded jobs",
            "Nothing was given up. A job comes here when its attempts are spent or when it crashed three processes in a row.",
        ),
        "held" => (
            Place::Held,
            "Held jobs",
            "Nothing waits for a person. A job comes here when somebody must act first, such as a creator who has to connect again.",
        ),
        _ if wanted.is_all() => (
            Place::Jobs,
            "Jobs",
            "There are no jobs yet. They come with posts, and every few minutes with the crons.",
        ),
        _ => (
            Place::Jobs,
            "Jobs",
            "No job is like that now. Finished ones are kept for some days only.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_there_is_more_on_either_side() {
        let first = Edge::default();
        let mut rows = vec![5, 4, 3];
        assert_eq!(first.cut(&mut rows, false, 2), (false, true));
        assert_eq!(rows, [5, 4]);
        let back = Edge {
            before: "3".into(),
            ..Edge::default()
        };
        let mut rows = vec![6, 5, 4];
        assert_eq!(back.cut(&mut rows, true, 2), (true, true));
        assert_eq!(rows, [5, 4]);
        let last = Edge {
            after: "4".into(),
            ..Edge::default()
        };
        let mut rows = vec![3];
        assert_eq!(last.cut(&mut rows, false, 2), (true, false));
        assert!(
            Edge {
                after: "x".into(),
                ..Edge::default()
            }
            .read::<JobId>()
            .is_err()
        );
    }
}
