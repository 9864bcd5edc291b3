//! What is being erased and what was: how far each erasure is and what each step did. Whose data it is
//! nobody can tell once it has ended, and the code by which the person follows it is not shown.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query},
    response::Response,
};
use clipqueue_entities::{
    ErasureId, Timestamp,
    erasure::{self, ErasureCause, ErasureScope, ErasureState},
    erasure_step,
};

use super::{
    jobs::Edge,
    page::{self, Frame, Place},
    session::Visit,
    show::{Chip, When},
};
use crate::domain::{
    erasure::{self as erasures, Step},
    error::{Error, Result},
};

/// Erasures on a page.
const PAGE: usize = 50;

/// One erasure.
struct Line {
    id: String,
    what: &'static str,
    cause: &'static str,
    chip: Chip,
    asked: When,
    ended: When,
}

impl Line {
    fn new(row: &erasure::Model, now: Timestamp) -> Self {
        Self {
            id: row.id.to_string(),
            what: match row.scope {
                ErasureScope::Account => "One account",
                ErasureScope::User => "A user with everything",
            },
            cause: match row.cause {
                ErasureCause::Owner => "the owner",
                ErasureCause::Tiktok => "TikTok told that access was removed",
                ErasureCause::Operator => "an operator",
                ErasureCause::Request => "a request that was proved",
                ErasureCause::Replay => "a restored backup had brought it back",
            },
            chip: match row.state {
                ErasureState::Running => Chip::new("running", "busy"),
                ErasureState::Completed => Chip::new("completed", "good"),
            },
            asked: When::new(row.requested_at, now),
            ended: When::new(row.completed_at, now),
        }
    }
}

#[derive(Template)]
#[template(path = "erasures.html")]
struct ErasuresPage {
    frame: Frame,
    lines: Vec<Line>,
    newer: Option<String>,
    older: Option<String>,
}

/// The list.
pub(super) async fn show(Extension(visit): Extension<Visit>, Query(edge): Query<Edge>) -> Response {
    page::answer(&visit, list(&visit, &edge).await)
}

async fn list(visit: &Visit, edge: &Edge) -> Result<ErasuresPage> {
    let (cursor, backward) = edge.read::<ErasureId>()?;
    let limit = PAGE as u64 + 1;
    let mut rows = erasures::page(&visit.console.app, cursor, backward, limit).await?;
    let (newer, older) = edge.cut(&mut rows, backward, PAGE);
    let at = |row: Option<&erasure::Model>, side: &str| row.map(|row| format!("{side}={}", row.id));
    Ok(ErasuresPage {
        frame: Frame::new(visit, Place::Erasures),
        newer: at(rows.first().filter(|_| newer), "before"),
        older: at(rows.last().filter(|_| older), "after"),
        lines: rows.iter().map(|row| Line::new(row, visit.now)).collect(),
    })
}

/// A step, done or not.
struct StepLine {
    word: &'static str,
    done: When,
    counts: Vec<(String, String)>,
}

impl StepLine {
    fn new(step: Step, done: &[erasure_step::Model], now: Timestamp) -> Self {
        let row = done.iter().find(|row| row.step == step.word());
        let counts = row.and_then(|row| row.counts.as_object());
        Self {
            word: step.word(),
            done: When::new(row.map(|row| row.done_at), now),
            counts: counts
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.replace('_', " "), value.to_string()))
                .collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "erasure_one.html")]
struct ErasurePage {
    frame: Frame,
    line: Line,
    steps: Vec<StepLine>,
    lane: Option<String>,
}

/// One erasure.
pub(super) async fn one(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    page::answer(&visit, read(&visit, &id).await)
}

async fn read(visit: &Visit, id: &str) -> Result<ErasurePage> {
    let id: ErasureId = id.parse().map_err(|_| Error::NotFound)?;
    let app = &visit.console.app;
    let row = erasures::get(app, id).await?;
    let done = erasures::steps(app, id).await?;
    Ok(ErasurePage {
        frame: Frame::new(visit, Place::Erasures),
        line: Line::new(&row, visit.now),
        steps: Step::ALL
            .into_iter()
            .map(|step| StepLine::new(step, &done, visit.now))
            .collect(),
        lane: row.account_id.map(|account| account.to_string()),
    })
}
