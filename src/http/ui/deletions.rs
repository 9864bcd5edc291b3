//! Requests for deletion by people who cannot sign in: what they wrote, who is connected here by that name,
//! and the operator's look that decides. It is recorded with the operator's name.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query},
    response::Response,
};
use clipqueue_entities::{DeletionRequestId, Timestamp, deletion_request::RequestState};
use serde::Deserialize;

use super::{
    page::{self, Frame, Place},
    session::Visit,
    show::{Chip, When},
};
use crate::domain::{
    deletions::{
        self,
        judge::{self, Candidate, Found, Seen},
    },
    error::{Code, Error, Refusal, Result},
};

/// One request.
struct Line {
    id: String,
    /// The username, while it is kept.
    name: Option<String>,
    chip: Chip,
    asked: When,
    due: When,
    ended: When,
}

impl Line {
    fn new(seen: &Seen, now: Timestamp) -> Self {
        let row = &seen.row;
        Self {
            id: row.id.to_string(),
            name: seen.details.as_ref().map(|text| text.username.clone()),
            chip: Chip::new(
                deletions::word(row.state),
                match row.state {
                    RequestState::Open => "warn",
                    RequestState::Proven => "busy",
                    RequestState::Done => "good",
                    RequestState::Lapsed | RequestState::Refused => "over",
                },
            ),
            asked: When::new(row.requested_at, now),
            due: When::new(row.due_at, now),
            ended: When::new(row.ended_at, now),
        }
    }
}

/// Which requests.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    all: String,
}

#[derive(Template)]
#[template(path = "deletions.html")]
struct DeletionsPage {
    frame: Frame,
    lines: Vec<Line>,
    all: bool,
}

/// The list.
pub(super) async fn show(
    Extension(visit): Extension<Visit>,
    Query(wanted): Query<Wanted>,
) -> Response {
    page::answer(&visit, list(&visit, !wanted.all.is_empty()).await)
}

async fn list(visit: &Visit, all: bool) -> Result<DeletionsPage> {
    let seen = judge::list(&visit.console.app, all).await?;
    Ok(DeletionsPage {
        frame: Frame::new(visit, Place::Erasures),
        lines: seen.iter().map(|one| Line::new(one, visit.now)).collect(),
        all,
    })
}

#[derive(Template)]
#[template(path = "deletion.html")]
struct DeletionPage {
    frame: Frame,
    line: Line,
    is_open: bool,
    profile: Option<String>,
    description: Option<String>,
    ids: String,
    has_email: bool,
    candidates: Vec<Candidate>,
    /// The page of the erasure, once it runs.
    erasure: Option<String>,
}

/// One request.
pub(super) async fn one(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    page::answer(&visit, read(&visit, &id).await)
}

async fn read(visit: &Visit, id: &str) -> Result<DeletionPage> {
    let app = &visit.console.app;
    let seen = judge::get(app, parsed(id)?).await?;
    let candidates = judge::candidates(app, &seen).await?;
    let line = Line::new(&seen, visit.now);
    let Seen {
        row,
        details,
        has_email,
    } = seen;
    let (profile, description, ids) = details.map_or_else(Default::default, |text| {
        (text.profile_url, text.description, text.job_ids.join(" "))
    });
    Ok(DeletionPage {
        frame: Frame::new(visit, Place::Erasures),
        line,
        is_open: row.state == RequestState::Open,
        profile,
        description,
        ids,
        has_email,
        candidates,
        erasure: row.erasure_id.map(|id| id.to_string()),
    })
}

/// The form, sent off.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    user: String,
    account: String,
    reason: String,
}

impl Said {
    fn found(&self) -> Result<Found> {
        let account = self.account.trim();
        let account = match account.is_empty() {
            true => None,
            false => Some(account.parse().map_err(|_| {
                let text = "the account is not an id; leave it empty for the user with everything";
                Error::from(Refusal::new("accountId", Code::Invalid, text))
            })?),
        };
        Ok(Found {
            user_name: self.user.trim().to_owned(),
            account,
        })
    }
}

/// It is the owner's.
pub(super) async fn approve(
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    Form(said): Form<Said>,
) -> Response {
    let approved = begin(&visit, &id, &said).await;
    page::acted(&visit, approved, |seen| {
        format!("/deletions/{}", seen.row.id)
    })
}

async fn begin(visit: &Visit, id: &str, said: &Said) -> Result<Seen> {
    let (app, by) = (&visit.console.app, Some(visit.actor()));
    let (seen, _) = judge::approve(app, by, parsed(id)?, &said.found()?, &said.reason).await?;
    Ok(seen)
}

/// It is not.
pub(super) async fn refuse(
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    Form(said): Form<Said>,
) -> Response {
    let refused = end(&visit, &id, &said).await;
    page::acted(&visit, refused, |seen| {
        format!("/deletions/{}", seen.row.id)
    })
}

async fn end(visit: &Visit, id: &str, said: &Said) -> Result<Seen> {
    let (app, by) = (&visit.console.app, Some(visit.actor()));
    judge::refuse(app, by, parsed(id)?, &said.reason).await
}

fn parsed(id: &str) -> Result<DeletionRequestId> {
    id.parse().map_err(|_| Error::NotFound)
}
