//! Disconnecting one TikTok account: what it means, and then doing it.

use askama::Template;
use axum::{Extension, Form, extract::Path, response::Response};
use clipqueue_entities::AccountId;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Visit,
    home::account_name,
    page::{self, Frame, Place},
};
use crate::domain::{
    accounts, erasure,
    error::{Error, Result},
};

#[derive(Template)]
#[template(path = "dashboard/disconnect.html")]
struct AskPage {
    frame: Frame,
    id: String,
    name: String,
    /// Whether the user goes with it.
    is_last: bool,
    key: String,
}

/// The page that asks.
pub(super) async fn ask(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    page::answer(&visit, question(&visit, &id).await)
}

async fn question(visit: &Visit, id: &str) -> Result<AskPage> {
    let id = read(id)?;
    let db = visit.app.db.read();
    let account = accounts::get(db, visit.actor().user_id, id).await?;
    Ok(AskPage {
        frame: Frame::new(visit, Place::Elsewhere),
        id: account.id.to_string(),
        name: account_name(&account),
        is_last: erasure::takes_user_along(&visit.app, account.user_id, account.id).await?,
        key: Uuid::new_v4().to_string(),
    })
}

/// A form that does something once, however often it is sent.
#[derive(Debug, Deserialize)]
pub(super) struct Once {
    /// The idempotency key.
    pub(super) key: String,
}

/// Revokes and deletes the account; its page shows how far that is.
pub(super) async fn disconnect(
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    Form(form): Form<Once>,
) -> Response {
    page::acted(&visit, disconnected(&visit, &id, &form.key).await)
}

async fn disconnected(visit: &Visit, id: &str, key: &str) -> Result<String> {
    let done = erasure::disconnect(&visit.app, visit.actor(), read(id)?, key).await?;
    Ok(visit.erasure(&done.code))
}

fn read(id: &str) -> Result<AccountId> {
    id.parse().map_err(|_| Error::NotFound)
}
