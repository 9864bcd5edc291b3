//! The accounts with their state, the newest posts, the plan and what was used of it.

use askama::Template;
use axum::{Extension, response::Response};
use clipqueue_entities::account::{self, AccountStatus};

use super::{
    Visit,
    page::{self, Frame, Place},
    posts::{self, Line},
};
use crate::{
    domain::{
        accounts,
        error::Result,
        plans::usage::{self, Counter},
    },
    http::{
        sign_in,
        ui::show::{Bytes, Chip, When},
    },
};

/// Posts that are shown here; the rest is on a page of its own.
const NEWEST: u64 = 5;

/// One TikTok account.
struct Card {
    id: String,
    name: String,
    handle: Option<String>,
    chip: Chip,
    connected: When,
    scopes: Vec<String>,
    /// What the creator has to do, if anything.
    todo: Option<&'static str>,
}

impl Card {
    fn new(row: account::Model, visit: &Visit) -> Self {
        let (chip, todo) = match row.status {
            AccountStatus::Active => (Chip::new("connected", "good"), None),
            AccountStatus::ReauthRequired => (
                Chip::new("connect again", "warn"),
                Some(
                    "TikTok no longer takes the permission that you gave. Connect the account again; its posts go on by themselves afterwards.",
                ),
            ),
            AccountStatus::Disconnected => (Chip::new("leaving", "over"), None),
        };
        Self {
            id: row.id.to_string(),
            name: account_name(&row),
            handle: row.username,
            chip,
            connected: When::new(row.connected_at, visit.now),
            scopes: row.scopes.split(',').map(str::to_owned).collect(),
            todo,
        }
    }
}

/// What an account is called on a page.
pub(super) fn account_name(row: &account::Model) -> String {
    let names = [&row.display_name, &row.username];
    names
        .into_iter()
        .flatten()
        .next()
        .cloned()
        .unwrap_or_else(|| "An account without a name".to_owned())
}

/// Something of the plan.
struct Fact {
    text: &'static str,
    used: String,
    limit: Option<String>,
    is_used_up: bool,
}

impl Fact {
    fn new(text: &'static str, counter: Counter, say: impl Fn(u64) -> String) -> Self {
        Self {
            text,
            used: say(counter.used),
            limit: counter.limit.map(say),
            is_used_up: counter.is_used_up(),
        }
    }
}

#[derive(Template)]
#[template(path = "dashboard/home.html")]
struct HomePage {
    frame: Frame,
    /// Where another account is connected, or one again.
    sign_in: String,
    cards: Vec<Card>,
    lines: Vec<Line>,
    plan: &'static str,
    plan_ends: When,
    facts: Vec<Fact>,
}

/// The page.
pub(super) async fn show(Extension(visit): Extension<Visit>) -> Response {
    page::answer(&visit, read(&visit).await)
}

async fn read(visit: &Visit) -> Result<HomePage> {
    let (app, user) = (&visit.app, visit.actor().user_id);
    let rows = accounts::list(app, user).await?;
    let lines = posts::newest(visit, NEWEST).await?;
    let usage = usage::of(app, user).await?;
    let bytes = |value: u64| Bytes(i64::try_from(value).unwrap_or(i64::MAX)).to_string();
    let number = |value: u64| value.to_string();
    Ok(HomePage {
        frame: Frame::new(visit, Place::Home),
        sign_in: format!("{}{}", app.base_path(), sign_in::PATH),
        cards: rows.into_iter().map(|row| Card::new(row, visit)).collect(),
        lines,
        plan: usage.plan.word(),
        plan_ends: When::new(usage.plan.ends_at, visit.now),
        facts: vec![
            Fact::new("Posts today", usage.posts, number),
            Fact::new("Storage", usage.bytes, bytes),
            Fact::new("Files", usage.files, number),
            Fact::new("Requests in the last minute", usage.requests, number),
        ],
    })
}
