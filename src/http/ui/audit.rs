//! What operators did, newest first.

use askama::Template;
use axum::{Extension, extract::Query, response::Response};
use clipqueue_entities::{AuditId, Timestamp};

use super::{
    jobs::Edge,
    page::{self, Frame, Place},
    session::Visit,
    show::{Chip, When, cut},
};
use crate::domain::{
    audit::{self, AuditFilter, DONE, Entry},
    error::Result,
};

/// Entries on a page.
const PAGE: usize = 50;
/// Characters of the parameters in the list.
const MAX_DETAILS: usize = 300;

/// One act.
struct Line {
    when: When,
    who: String,
    key: String,
    action: String,
    subject: String,
    path: Option<String>,
    details: Option<String>,
    chip: Chip,
    refused: Option<String>,
}

impl Line {
    fn new(entry: &Entry, now: Timestamp) -> Self {
        let row = &entry.row;
        let is_done = row.outcome == DONE;
        let path = match row.subject.split_once(':') {
            Some(("job", id)) => Some(format!("/jobs/{id}")),
            Some(("bulk", id)) if !id.is_empty() => Some(format!("/bulk/{id}")),
            Some(("queue", name)) if name.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                Some(format!("/jobs?queue={name}"))
            }
            Some(("post", id)) => Some(format!("/posts/{id}")),
            _ => None,
        };
        let details = row.details.as_object().filter(|map| !map.is_empty());
        Self {
            when: When::new(row.created_at, now),
            who: entry
                .user_name
                .clone()
                .unwrap_or_else(|| "Clipqueue itself".to_owned()),
            key: entry.key_name.clone().unwrap_or_default(),
            action: row.action.clone(),
            subject: row.subject.clone(),
            path,
            details: details.map(|_| cut(&row.details.to_string(), MAX_DETAILS)),
            chip: if is_done {
                Chip::new("done", "good")
            } else {
                Chip::new("refused", "warn")
            },
            refused: Some(row.outcome.clone()).filter(|_| !is_done),
        }
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    lines: Vec<Line>,
    newer: Option<String>,
    older: Option<String>,
}

/// The list.
pub(super) async fn show(Extension(visit): Extension<Visit>, Query(edge): Query<Edge>) -> Response {
    page::answer(&visit, list(&visit, &edge).await)
}

async fn list(visit: &Visit, edge: &Edge) -> Result<AuditPage> {
    let (cursor, backward) = edge.read::<AuditId>()?;
    let (app, filter) = (&visit.console.app, AuditFilter::default());
    let limit = PAGE as u64 + 1;
    let mut entries = audit::list(app, &filter, cursor, backward, limit).await?;
    let (newer, older) = edge.cut(&mut entries, backward, PAGE);
    let at =
        |entry: Option<&Entry>, side: &str| entry.map(|entry| format!("{side}={}", entry.row.id));
    Ok(AuditPage {
        frame: Frame::new(visit, Place::Audit),
        newer: at(entries.first().filter(|_| newer), "before"),
        older: at(entries.last().filter(|_| older), "after"),
        lines: entries
            .iter()
            .map(|entry| Line::new(entry, visit.now))
            .collect(),
    })
}
