//! Posts, newest first; all, or those that somebody should look at.

use askama::Template;
use axum::{Extension, extract::Query, response::Response};
use clipqueue_entities::{PostId, Timestamp, post::PostMode};
use serde::Deserialize;

use super::{
    jobs::Edge,
    page::{self, Frame, Place},
    session::Visit,
    show::{Chip, When},
};
use crate::domain::{
    error::{Code, Refusal, Result},
    inspect::{self, Attention, PostLine},
};

/// Posts on a page.
const PAGE: usize = 50;

/// A post in a list. Its caption is the creator's and not shown.
struct Line {
    id: String,
    account: String,
    user: String,
    mode: &'static str,
    chip: Chip,
    since: When,
    is_overdue: bool,
    why: Option<String>,
}

impl Line {
    fn new(line: PostLine, now: Timestamp) -> Self {
        let post = line.post;
        Self {
            id: post.id.to_string(),
            account: line
                .username
                .unwrap_or_else(|| "an account without a name".to_owned()),
            user: line.user_name.unwrap_or_default(),
            mode: match post.mode {
                PostMode::Inbox => "inbox draft",
                PostMode::Direct => "direct post",
            },
            chip: post.state.into(),
            since: When::new(post.state_since, now),
            is_overdue: post.deadline_at.is_some_and(|at| at < now),
            why: post.hold_reason.or(post.failure_code),
        }
    }
}

/// One of the lists.
struct Tab {
    word: &'static str,
    text: &'static str,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "posts.html")]
struct PostsPage {
    frame: Frame,
    tabs: Vec<Tab>,
    empty: &'static str,
    lines: Vec<Line>,
    newer: Option<String>,
    older: Option<String>,
}

/// Which list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
}

/// The list.
pub(super) async fn show(
    Extension(visit): Extension<Visit>,
    Query(asked): Query<Asked>,
    Query(edge): Query<Edge>,
) -> Response {
    page::answer(&visit, list(&visit, &asked.state, &edge).await)
}

async fn list(visit: &Visit, state: &str, edge: &Edge) -> Result<PostsPage> {
    let (attention, empty) = match state {
        "" => (None, "Nobody has asked for a post yet."),
        "held" => (
            Some(Attention::Held),
            "No post waits for a person or a cap.",
        ),
        "unconfirmed" => (
            Some(Attention::Unconfirmed),
            "No post is in doubt: of each it is known whether it is at TikTok.",
        ),
        "failed" => (Some(Attention::Failed), "No post has failed."),
        _ => {
            let text = "posts are listed as held, unconfirmed, failed, or all";
            return Err(Refusal::new("state", Code::Invalid, text).into());
        }
    };
    let (cursor, backward) = edge.read::<PostId>()?;
    let limit = PAGE as u64 + 1;
    let mut posts = inspect::posts(&visit.console.app, attention, cursor, backward, limit).await?;
    let (newer, older) = edge.cut(&mut posts, backward, PAGE);
    let at = |post: Option<&PostLine>, side: &str| {
        let query = if state.is_empty() {
            String::new()
        } else {
            format!("state={state}&")
        };
        post.map(|line| format!("{query}{side}={}", line.post.id))
    };
    Ok(PostsPage {
        frame: Frame::new(visit, Place::Posts),
        tabs: [
            ("", "All"),
            ("held", "Held"),
            ("unconfirmed", "Unconfirmed"),
            ("failed", "Failed"),
        ]
        .map(|(word, text)| Tab {
            word,
            text,
            is_here: word == state,
        })
        .into(),
        empty,
        newer: at(posts.first().filter(|_| newer), "before"),
        older: at(posts.last().filter(|_| older), "after"),
        lines: posts
            .into_iter()
            .map(|post| Line::new(post, visit.now))
            .collect(),
    })
}
