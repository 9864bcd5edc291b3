//! API keys: making, rotating and revoking them, and when each was last used.

use std::time::Duration;

use askama::Template;
use axum::{Extension, Form, extract::Path, http::StatusCode, response::Response};
use clipqueue_entities::{ApiKeyId, Timestamp, api_key};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{
    Visit,
    accounts::Once,
    page::{self, Frame, Place},
};
use crate::{
    domain::{
        actor::Scope,
        api_keys,
        error::{Code, Error, Refusal, Result},
        key_rotation::{self, Rotation},
    },
    http::{
        frame::render,
        ui::show::{Chip, When},
    },
};

/// How long a key that is rotated here works beside its successor.
const OVERLAP: Duration = Duration::from_secs(86_400);
const DAY: Duration = Duration::from_secs(86_400);
/// The longest life that can be asked for here.
const MAX_DAYS: u64 = 3_650;

/// One key.
struct Line {
    id: String,
    name: String,
    chip: Chip,
    is_live: bool,
    may_rotate: bool,
    scopes: String,
    created: When,
    used: When,
    ends: When,
    /// For each button something of its own, so that pressing it twice does it once.
    once: String,
}

impl Line {
    fn new(row: api_key::Model, now: Timestamp) -> Self {
        let expired = row.expires_at.is_some_and(|end| end <= now);
        let (chip, is_live) = match (row.revoked_at.is_some(), expired) {
            (true, _) => (Chip::new("revoked", "over"), false),
            (false, true) => (Chip::new("expired", "over"), false),
            (false, false) if row.replaced_by.is_some() => (Chip::new("replaced", "warn"), true),
            (false, false) => (Chip::new("live", "good"), true),
        };
        Self {
            id: row.id.to_string(),
            name: row.name,
            chip,
            is_live,
            may_rotate: is_live && row.replaced_by.is_none(),
            scopes: row.scopes,
            created: When::new(row.created_at, now),
            used: When::new(row.last_used_at, now),
            ends: When::new(row.expires_at, now),
            once: Uuid::new_v4().to_string(),
        }
    }
}

/// A scope to choose.
struct Choice {
    word: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "dashboard/keys.html")]
struct KeysPage {
    frame: Frame,
    lines: Vec<Line>,
    choices: Vec<Choice>,
    once: String,
    /// The text of a key that was made just now.
    fresh: Option<SecretString>,
    /// Whether the form was sent twice, so that the text was shown before.
    was_shown: bool,
}

impl KeysPage {
    fn fresh(&self) -> Option<&str> {
        self.fresh.as_ref().map(|text| text.expose_secret())
    }
}

/// The list.
pub(super) async fn show(Extension(visit): Extension<Visit>) -> Response {
    page::answer(&visit, list(&visit, None, false).await)
}

async fn list(visit: &Visit, fresh: Option<SecretString>, was_shown: bool) -> Result<KeysPage> {
    let rows = api_keys::list(&visit.app, visit.actor().user_id).await?;
    Ok(KeysPage {
        frame: Frame::new(visit, Place::Keys),
        lines: rows
            .into_iter()
            .map(|row| Line::new(row, visit.now))
            .collect(),
        choices: Scope::TENANT
            .into_iter()
            .map(|scope| Choice {
                word: scope.as_str(),
                is_chosen: Scope::CREATOR.contains(&scope) && scope != Scope::AccountDelete,
            })
            .collect(),
        once: Uuid::new_v4().to_string(),
        fresh,
        was_shown,
    })
}

/// Shows the text of a key, which exists this once.
async fn made(visit: &Visit, text: Result<Option<SecretString>>) -> Response {
    let text = match text {
        Ok(text) => text,
        Err(error) => return page::refused(visit, &error),
    };
    let was_shown = text.is_none();
    match list(visit, text, was_shown).await {
        Ok(page) => render(StatusCode::CREATED, &page),
        Err(error) => page::refused(visit, &error),
    }
}

/// Makes a key.
pub(super) async fn create(
    Extension(visit): Extension<Visit>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let text = created(&visit, &fields).await;
    made(&visit, text).await
}

async fn created(visit: &Visit, fields: &[(String, String)]) -> Result<Option<SecretString>> {
    let field = |name: &str| {
        let found = fields.iter().find(|(of, _)| of == name);
        found.map_or("", |(_, value)| value.trim())
    };
    let mut scopes = Vec::new();
    for (_, word) in fields.iter().filter(|(name, _)| name == "scope") {
        let scope: Scope = word
            .parse()
            .map_err(|_| Refusal::new("scopes", Code::Invalid, "name none that there is not"))?;
        scopes.push(scope);
    }
    let ends = match field("days") {
        "" => None,
        days => {
            let days: Option<u64> = days
                .parse()
                .ok()
                .filter(|days| (1..=MAX_DAYS).contains(days));
            let days = days.ok_or_else(|| {
                Refusal::new(
                    "days",
                    Code::Invalid,
                    "must be a number from 1 to 3650, or empty",
                )
            })?;
            Some(visit.now + DAY * u32::try_from(days).unwrap_or(u32::MAX))
        }
    };
    let (app, actor) = (&visit.app, visit.actor());
    let made =
        api_keys::create_by(app, actor, field("name"), &scopes, ends, None, field("key")).await?;
    Ok(made.1)
}

/// Makes a key that takes the place of another.
pub(super) async fn rotate(
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    Form(form): Form<Once>,
) -> Response {
    let text = rotated(&visit, &id, &form.key).await;
    made(&visit, text).await
}

async fn rotated(visit: &Visit, id: &str, key: &str) -> Result<Option<SecretString>> {
    let how = Rotation {
        overlap: OVERLAP,
        expires_at: None,
    };
    let done = key_rotation::rotate(&visit.app, visit.actor(), read(id)?, how, key).await?;
    Ok(done.text)
}

/// Ends a key.
pub(super) async fn revoke(Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Response {
    page::acted(&visit, revoked(&visit, &id).await)
}

async fn revoked(visit: &Visit, id: &str) -> Result<String> {
    api_keys::revoke(&visit.app, visit.actor().user_id, read(id)?).await?;
    Ok(visit.at("/keys"))
}

fn read(id: &str) -> Result<ApiKeyId> {
    id.parse().map_err(|_| Error::NotFound)
}
