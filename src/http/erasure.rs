//! What anybody may ask about an erasure: how it stands, given its confirmation code, as a page or as
//! JSON with the signed receipt; and the keys by which receipts are verified.
//!
//! The code is 128 random-looking bits and the only thing that is asked for. Pages are not kept by
//! browsers and tell nobody where they were linked from.

use std::time::Duration;

use askama::Template;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::{
    lone::{self, Has},
    ui::show::minute,
};
use crate::{
    app::App,
    domain::{
        erasure::{self, Status, Step},
        error::Error,
    },
};

pub use crate::app::ERASURE_PATH as PATH;

/// Where the keys are.
pub const KEYS_PATH: &str = "/.well-known/clipqueue-receipt-keys.json";
/// What makes the minute that has begun the one that comes.
const LESS_THAN_A_MINUTE: Duration = Duration::from_millis(59_999);
/// Longer than any code.
const MAX_CODE: usize = 64;

/// The public routes.
pub fn router(app: App) -> Router {
    Router::new()
        .route(&format!("{PATH}/{{code}}"), get(status))
        .route(KEYS_PATH, get(keys))
        .with_state(app)
}

/// One step as the page shows it.
struct Line {
    name: &'static str,
    done_at: Option<String>,
    /// When it is done at the earliest, while it waits for that.
    earliest: Option<String>,
    counts: String,
}

#[derive(Template)]
#[template(path = "erasure.html")]
struct Page {
    title: &'static str,
    text: &'static str,
    steps: Vec<Line>,
    /// The page of the erasure that follows.
    follows: Option<String>,
    /// The address of the receipt, once there is one.
    receipt: Option<String>,
    keys: &'static str,
}

async fn status(State(app): State<App>, Path(code): Path<String>, headers: HeaderMap) -> Response {
    // `.json` is for people who save the receipt; programs say what they accept.
    let (code, named_json) = match code.strip_suffix(".json") {
        Some(code) => (code.to_owned(), true),
        None => (code, false),
    };
    let wants_json = named_json || lone::wants_json(&headers);
    let found = if code.len() > MAX_CODE {
        Err(Error::NotFound)
    } else {
        erasure::by_code(&app, &code).await
    };
    let answer = match (found, wants_json) {
        (Ok(status), true) => Json(status.to_json()).into_response(),
        (Ok(status), false) => {
            let page = of(&app, &status, &code);
            lone::show(StatusCode::OK, &page, Has::Nothing)
        }
        (Err(Error::NotFound), true) => {
            let body = json!({ "error": "no erasure has this code" });
            (StatusCode::NOT_FOUND, Json(body)).into_response()
        }
        (Err(Error::NotFound), false) => {
            lone::show(StatusCode::NOT_FOUND, &unknown(), Has::Nothing)
        }
        (Err(error), _) => {
            tracing::error!(?error, "an erasure cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}

async fn keys(State(app): State<App>) -> Response {
    match erasure::public_keys(&app).await {
        Ok(keys) => ([(header::CACHE_CONTROL, "max-age=3600")], Json(keys)).into_response(),
        Err(error) => {
            tracing::error!(?error, "the keys of receipts cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn of(app: &App, status: &Status, code: &str) -> Page {
    let steps = Step::ALL
        .into_iter()
        .map(|step| {
            let row = status.steps.iter().find(|row| row.step == step.word());
            Line {
                name: match row {
                    Some(row) if erasure::receipt::grants_left(&row.counts) > 0 => LEFT,
                    _ => name(step),
                },
                done_at: row.map(|row| minute(row.done_at)),
                // The next whole minute: it is not done before.
                earliest: status
                    .waits_until(app, step)
                    .map(|at| minute(at + LESS_THAN_A_MINUTE)),
                counts: row.map(|row| counts(&row.counts)).unwrap_or_default(),
            }
        })
        .collect();
    Page {
        title: match (status.is_complete, status.of_user) {
            (true, _) => "Deleted",
            (false, true) => "Your data is being deleted",
            (false, false) => "The TikTok account is being deleted here",
        },
        text: if status.is_complete {
            "Everything that was stored is gone. What TikTok had been given before is on the receipt: only you can delete it there, in the TikTok app."
        } else {
            "It goes on by itself; this page shows how far it is. Nothing is done for the account any more."
        },
        steps,
        follows: (status.followed_by.as_ref()).map(|code| format!("{PATH}/{code}")),
        receipt: status
            .receipt
            .is_some()
            .then(|| format!("{PATH}/{code}.json")),
        keys: KEYS_PATH,
    }
}

fn unknown() -> Page {
    Page {
        title: "Nothing is known by this code",
        text: "Look whether it is complete. A receipt that is old enough is deleted as well.",
        steps: Vec::new(),
        follows: None,
        receipt: None,
        keys: KEYS_PATH,
    }
}

/// The step that ends the permission, when TikTok did not.
const LEFT: &str = "TikTok did not end the permission, though it was asked for a day: please end it yourself, in the TikTok app under the apps with access";

fn name(step: Step) -> &'static str {
    match step {
        Step::Fence => "Nothing acts for the account any more",
        Step::Cancel => "Waiting and running work is stopped",
        Step::Revoke => "TikTok has ended the permission",
        Step::Keys => "Tokens and their keys are destroyed",
        Step::List => "What TikTok had been given is listed",
        Step::Media => "Files are deleted",
        Step::Mentions => "Other records name nobody any more",
        Step::Rows => "Posts, profile, usage and keys are deleted",
        Step::LookAgain => "Everything was looked at once more",
    }
}

fn counts(counts: &serde_json::Value) -> String {
    let fields = counts.as_object().into_iter().flatten();
    let words: Vec<String> = fields
        .filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0))
        .map(|(name, count)| format!("{} {count}", name.replace('_', " ")))
        .collect();
    words.join(", ")
}
