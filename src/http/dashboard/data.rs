//! What is held about the creator: exports, sessions, and deleting everything.

use std::time::Duration;

use askama::Template;
use axum::{
    Extension, Form,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use clipqueue_entities::{
    UserSessionId,
    data_export::{self, ExportState},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Visit,
    accounts::Once,
    page::{self, Frame, Place},
};
use crate::{
    domain::{
        erasure,
        error::{Error, Result},
        exports, user_sessions,
    },
    http::{
        cookies::SESSION,
        frame::render,
        ui::show::{Bytes, Chip, When},
    },
};

/// One export.
struct Export {
    chip: Chip,
    requested: When,
    size: Option<Bytes>,
    address: Option<String>,
    ends: When,
    why: Option<String>,
}

impl Export {
    fn new(row: data_export::Model, visit: &Visit) -> Self {
        let address = exports::address(&visit.app, &row);
        Self {
            chip: match row.state {
                ExportState::Waiting => Chip::new("waiting", "calm"),
                ExportState::Running => Chip::new("being written", "busy"),
                ExportState::Ready => Chip::new("ready", "good"),
                ExportState::Failed => Chip::new("failed", "bad"),
                ExportState::Expired => Chip::new("deleted", "over"),
            },
            requested: When::new(row.requested_at, visit.now),
            size: row.size.map(Bytes),
            ends: When::new(row.expires_at.filter(|_| address.is_some()), visit.now),
            address: address.map(|(url, _)| url.into()),
            why: row.failure_message,
        }
    }
}

/// One session.
struct Line {
    id: String,
    is_this: bool,
    begun: When,
    seen: When,
    ends: When,
}

#[derive(Template)]
#[template(path = "dashboard/data.html")]
struct DataPage {
    frame: Frame,
    exports: Vec<Export>,
    sessions: Vec<Line>,
    key: String,
}

/// The page.
pub(super) async fn show(Extension(visit): Extension<Visit>) -> Response {
    page::answer(&visit, read(&visit).await)
}

async fn read(visit: &Visit) -> Result<DataPage> {
    let (app, user) = (&visit.app, visit.actor().user_id);
    let exports = exports::list(app, user).await?;
    let sessions = user_sessions::list(app, user).await?;
    let when = |at| When::new(at, visit.now);
    Ok(DataPage {
        frame: Frame::new(visit, Place::Data),
        exports: exports
            .into_iter()
            .map(|row| Export::new(row, visit))
            .collect(),
        sessions: sessions
            .into_iter()
            .map(|row| Line {
                id: row.id.to_string(),
                is_this: row.id == visit.session.id,
                begun: when(row.created_at),
                seen: when(row.seen_at),
                ends: when(row.expires_at),
            })
            .collect(),
        key: Uuid::new_v4().to_string(),
    })
}

/// Has everything that is held written into an archive.
pub(super) async fn export(Extension(visit): Extension<Visit>, Form(form): Form<Once>) -> Response {
    let begun = exports::begin(&visit.app, visit.actor(), &form.key).await;
    page::acted(&visit, begun.map(|_| visit.at("/data")))
}

/// Signs out another browser, or this one.
pub(super) async fn end_session(
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Response {
    page::acted(&visit, ended(&visit, &id).await)
}

async fn ended(visit: &Visit, id: &str) -> Result<String> {
    let id: UserSessionId = id.parse().map_err(|_| Error::NotFound)?;
    user_sessions::end(&visit.app, visit.actor().user_id, id).await?;
    Ok(visit.at("/data"))
}

#[derive(Template)]
#[template(path = "dashboard/delete.html")]
struct AskPage {
    frame: Frame,
    name: String,
    key: String,
    problem: bool,
}

fn question(visit: &Visit, problem: bool) -> AskPage {
    AskPage {
        frame: Frame::new(visit, Place::Elsewhere),
        name: visit.actor().user_name.clone(),
        key: Uuid::new_v4().to_string(),
        problem,
    }
}

/// The page that asks before everything is deleted.
pub(super) async fn ask(Extension(visit): Extension<Visit>) -> Response {
    page::answer(&visit, Ok(question(&visit, false)))
}

/// The confirmation.
#[derive(Debug, Deserialize)]
pub(super) struct Confirmed {
    name: String,
    key: String,
}

/// Deletes everything. The session ends with it; the page of the erasure needs none.
pub(super) async fn delete(
    Extension(visit): Extension<Visit>,
    Form(form): Form<Confirmed>,
) -> Response {
    let name = form.name.trim();
    if name != visit.actor().user_name {
        return render(StatusCode::CONFLICT, &question(&visit, true));
    }
    let app = &visit.app;
    match erasure::delete_user(app, visit.actor(), name, &form.key).await {
        Ok(accepted) => {
            let mut answer = Redirect::to(&visit.erasure(&accepted.code)).into_response();
            SESSION.set(app, &mut answer, "", Duration::ZERO);
            answer
        }
        Err(error) => page::refused(&visit, &error),
    }
}
