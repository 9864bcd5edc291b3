//! Acts on many jobs: a form with a preview, the acts that were started, and how far one has come.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query},
    response::Response,
};
use clipqueue_entities::{
    BulkActId, Timestamp,
    bulk_act::{self, BulkAction, BulkState},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    filter::Wanted,
    jobs::{Edge, Line},
    page::{self, Frame, Place},
    session::Visit,
    show::{Chip, Number, When},
};
use crate::domain::{
    bulk,
    error::{Code, Error, Refusal, Result},
};

/// Acts on a page.
const PAGE: usize = 30;

/// What is done, as a word in an address.
const ACTIONS: [(&str, BulkAction); 3] = [
    ("retry", BulkAction::Retry),
    ("cancel", BulkAction::Cancel),
    ("release", BulkAction::Release),
];

fn word(action: BulkAction) -> &'static str {
    let found = ACTIONS.iter().find(|(_, of)| *of == action);
    found.map_or("", |(word, _)| word)
}

/// An act on many jobs.
struct Act {
    id: String,
    word: &'static str,
    filter: String,
    chip: Chip,
    is_running: bool,
    matched: Number,
    done: Number,
    failed: Number,
    /// Of a hundred.
    percent: i64,
    last_error: Option<String>,
    began: When,
    ended: When,
}

impl Act {
    fn new(row: bulk_act::Model, now: Timestamp) -> Self {
        let number = |value: i64| Number::exact(u64::try_from(value).unwrap_or(0));
        let seen = row.done.saturating_add(row.failed).saturating_mul(100);
        let share = seen.checked_div(row.matched).unwrap_or(100).clamp(0, 100);
        let filter = row.filter.as_object();
        let part = |(name, value): (&String, &serde_json::Value)| {
            format!("{name} {}", value.as_str().unwrap_or("…"))
        };
        Self {
            id: row.id.to_string(),
            word: word(row.action),
            filter: filter
                .into_iter()
                .flatten()
                .map(part)
                .collect::<Vec<_>>()
                .join(", "),
            chip: match row.state {
                BulkState::Running => Chip::new("running", "busy"),
                BulkState::Completed => Chip::new("completed", "good"),
                BulkState::Cancelled => Chip::new("stopped", "over"),
                BulkState::Failed => Chip::new("given up", "bad"),
            },
            is_running: row.state == BulkState::Running,
            percent: if row.state == BulkState::Completed {
                100
            } else {
                share
            },
            matched: number(row.matched),
            done: number(row.done),
            failed: number(row.failed),
            last_error: row.last_error,
            began: When::new(row.created_at, now),
            ended: When::new(row.finished_at, now),
        }
    }
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    frame: Frame,
    acts: Vec<Act>,
    newer: Option<String>,
    older: Option<String>,
}

/// The acts that were started.
pub(super) async fn show(Extension(visit): Extension<Visit>, Query(edge): Query<Edge>) -> Response {
    page::answer(&visit, list(&visit, &edge).await)
}

async fn list(visit: &Visit, edge: &Edge) -> Result<BulkPage> {
    let (cursor, backward) = edge.read::<BulkActId>()?;
    let limit = PAGE as u64 + 1;
    let mut rows = bulk::list(&visit.console.app, cursor, backward, limit).await?;
    let (newer, older) = edge.cut(&mut rows, backward, PAGE);
    let at =
        |row: Option<&bulk_act::Model>, side: &str| row.map(|row| format!("{side}={}", row.id));
    Ok(BulkPage {
        frame: Frame::new(visit, Place::Bulk),
        newer: at(rows.first().filter(|_| newer), "before"),
        older: at(rows.last().filter(|_| older), "after"),
        acts: rows
            .into_iter()
            .map(|row| Act::new(row, visit.now))
            .collect(),
    })
}

/// An action and whether it is the chosen one.
struct Choice {
    word: &'static str,
    is_chosen: bool,
}

/// What an act would be about.
struct Preview {
    matched: Number,
    sample: Vec<Line>,
    as_of: i64,
    key: String,
}

#[derive(Template)]
#[template(path = "bulk_new.html")]
struct NewPage {
    frame: Frame,
    wanted: Wanted,
    actions: Vec<Choice>,
    action: &'static str,
    problem: Option<String>,
    preview: Option<Preview>,
}

/// What shall be done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    action: String,
}

impl Chosen {
    fn read(&self) -> Result<BulkAction> {
        let found = ACTIONS.iter().find(|(word, _)| *word == self.action);
        found.map(|(_, action)| *action).ok_or_else(|| {
            Refusal::new(
                "action",
                Code::Required,
                "choose to retry, cancel or release",
            )
            .into()
        })
    }
}

/// The form, with the preview of what it says.
pub(super) async fn form(
    Extension(visit): Extension<Visit>,
    Query(chosen): Query<Chosen>,
    Query(wanted): Query<Wanted>,
) -> Response {
    page::answer(&visit, previewed(&visit, &chosen, wanted).await)
}

async fn previewed(visit: &Visit, chosen: &Chosen, wanted: Wanted) -> Result<NewPage> {
    let is_asked = !chosen.action.is_empty();
    let mut page = NewPage {
        frame: Frame::new(visit, Place::Bulk),
        actions: ACTIONS
            .map(|(word, _)| Choice {
                word,
                is_chosen: word == chosen.action,
            })
            .into(),
        action: "",
        problem: None,
        preview: None,
        wanted,
    };
    if !is_asked {
        return Ok(page);
    }
    match look(visit, chosen, &page.wanted).await {
        Ok((action, preview)) => {
            page.action = action;
            page.preview = Some(preview);
        }
        Err(Error::Refused(refusals)) => {
            let texts = refusals
                .iter()
                .map(|refusal| page::sentence(&refusal.message));
            page.problem = Some(texts.collect::<Vec<_>>().join(" "));
        }
        Err(error) => return Err(error),
    }
    Ok(page)
}

async fn look(visit: &Visit, chosen: &Chosen, wanted: &Wanted) -> Result<(&'static str, Preview)> {
    let action = chosen.read()?;
    let preview = bulk::preview(&visit.console.app, action, &wanted.filter()?).await?;
    Ok((
        word(action),
        Preview {
            matched: Number {
                value: preview.matched,
                or_more: preview.capped,
            },
            sample: preview
                .sample
                .iter()
                .map(|job| Line::new(job, visit.now))
                .collect(),
            as_of: preview.as_of.as_millis(),
            // A form that is sent twice starts one act.
            key: Uuid::new_v4().to_string(),
        },
    ))
}

/// The form, sent off.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Start {
    action: String,
    as_of: i64,
    key: String,
    state: String,
    kind: String,
    queue: String,
    lane: String,
    reason: String,
    error: String,
}

/// Starts an act.
pub(super) async fn start(
    Extension(visit): Extension<Visit>,
    Form(start): Form<Start>,
) -> Response {
    let started = started(&visit, start).await;
    page::acted(&visit, started, |act| format!("/bulk/{}", act.id))
}

async fn started(visit: &Visit, start: Start) -> Result<bulk_act::Model> {
    let action = Chosen {
        action: start.action,
    }
    .read()?;
    let wanted = Wanted {
        state: start.state,
        kind: start.kind,
        queue: start.queue,
        lane: start.lane,
        reason: start.reason,
        error: start.error,
    };
    let as_of = Timestamp::from_millis(start.as_of);
    let (app, actor) = (&visit.console.app, visit.actor());
    bulk::start(app, actor, action, &wanted.filter()?, as_of, &start.key).await
}

/// How far an act has come, as a part of a page.
#[derive(Template)]
#[template(path = "progress.html")]
struct Progress {
    base: String,
    may_act: bool,
    act: Act,
}

#[derive(Template)]
#[template(path = "bulk_act.html")]
struct ActPage {
    frame: Frame,
    word: &'static str,
    filter: String,
    is_running: bool,
    progress: Progress,
}

/// One act; only its progress, when a script asks.
pub(super) async fn one(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    let progress = progress(&visit, &id).await;
    if visit.is_part {
        return page::answer(&visit, progress);
    }
    let page = progress.map(|progress| ActPage {
        frame: Frame::new(&visit, Place::Bulk),
        word: progress.act.word,
        filter: progress.act.filter.clone(),
        is_running: progress.act.is_running,
        progress,
    });
    page::answer(&visit, page)
}

async fn progress(visit: &Visit, id: &str) -> Result<Progress> {
    let id: BulkActId = id.parse().map_err(|_| Error::NotFound)?;
    let act = bulk::get(&visit.console.app, id).await?;
    Ok(Progress {
        base: visit.console.base.to_string(),
        may_act: visit.may_all(),
        act: Act::new(act, visit.now),
    })
}

/// Stops an act.
pub(super) async fn stop(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    let stopped = stopped(&visit, &id).await;
    page::acted(&visit, stopped, |act| format!("/bulk/{}", act.id))
}

async fn stopped(visit: &Visit, id: &str) -> Result<bulk_act::Model> {
    let id: BulkActId = id.parse().map_err(|_| Error::NotFound)?;
    bulk::cancel(&visit.console.app, visit.actor(), id).await
}
