//! The creator's posts, newest first, each with who must act next.

use std::collections::HashMap;

use askama::Template;
use axum::{Extension, extract::Query, response::Response};
use clipqueue_entities::{
    AccountId, PostId, account,
    post::{self, PostMode},
};

use super::{
    Visit,
    home::account_name,
    page::{self, Frame, Place},
};
use crate::{
    domain::{
        accounts,
        error::Result,
        next_action::{self, NextActor},
        posts::{self, Page, PostFilter},
    },
    http::ui::{
        jobs::Edge,
        show::{Chip, When, cut},
    },
};

/// Posts on a page.
const PAGE: usize = 25;
/// Characters of a caption in the list.
const MAX_CAPTION: usize = 80;

/// One post.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) caption: String,
    pub(super) account: String,
    pub(super) mode: &'static str,
    pub(super) chip: Chip,
    pub(super) since: When,
    pub(super) publish_at: When,
    /// Who must act, and how.
    pub(super) next: Option<(&'static str, String)>,
    /// What TikTok or we said against it.
    pub(super) why: Option<String>,
}

impl Line {
    fn new(row: post::Model, account: Option<&account::Model>, visit: &Visit) -> Self {
        let next = account.and_then(|account| next_action::next_action(&row, account));
        let caption = match row.caption.trim() {
            "" => "(no caption)",
            caption => caption,
        };
        Self {
            id: row.id.to_string(),
            caption: cut(caption, MAX_CAPTION),
            account: account.map(account_name).unwrap_or_default(),
            mode: match row.mode {
                PostMode::Inbox => "draft in TikTok's inbox",
                PostMode::Direct => "direct post",
            },
            chip: row.state.into(),
            since: When::new(row.state_since, visit.now),
            publish_at: When::new(row.publish_at, visit.now),
            next: next.map(|next| {
                let who = match next.actor {
                    NextActor::Creator => "You",
                    NextActor::Tiktok => "TikTok",
                    NextActor::Clipqueue => "Clipqueue",
                    NextActor::Operator => "An operator",
                };
                (who, next.text)
            }),
            why: row.failure_message,
        }
    }
}

/// The newest posts.
pub(super) async fn newest(visit: &Visit, limit: u64) -> Result<Vec<Line>> {
    let page = Page {
        after: None,
        before: None,
        limit,
        backward: false,
    };
    lines(visit, read(visit, page).await?).await
}

async fn read(visit: &Visit, page: Page) -> Result<Vec<post::Model>> {
    let user = visit.actor().user_id;
    posts::list(&visit.app, user, &PostFilter::default(), page).await
}

async fn lines(visit: &Visit, rows: Vec<post::Model>) -> Result<Vec<Line>> {
    let mut ids: Vec<AccountId> = rows.iter().map(|row| row.account_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let user = visit.actor().user_id;
    let known = accounts::get_many(&visit.app, user, &ids).await?;
    let known: HashMap<AccountId, account::Model> =
        known.into_iter().map(|row| (row.id, row)).collect();
    Ok(rows
        .into_iter()
        .map(|row| {
            let account = known.get(&row.account_id);
            Line::new(row, account, visit)
        })
        .collect())
}

#[derive(Template)]
#[template(path = "dashboard/posts.html")]
struct PostsPage {
    frame: Frame,
    lines: Vec<Line>,
    newer: Option<String>,
    older: Option<String>,
}

/// The list.
pub(super) async fn show(Extension(visit): Extension<Visit>, Query(edge): Query<Edge>) -> Response {
    page::answer(&visit, list(&visit, &edge).await)
}

async fn list(visit: &Visit, edge: &Edge) -> Result<PostsPage> {
    let (cursor, backward) = edge.read::<PostId>()?;
    let page = Page {
        after: cursor.filter(|_| !backward),
        before: cursor.filter(|_| backward),
        limit: PAGE as u64 + 1,
        backward,
    };
    let mut rows = read(visit, page).await?;
    let (newer, older) = edge.cut(&mut rows, backward, PAGE);
    let at = |row: Option<&post::Model>, side: &str| row.map(|row| format!("{side}={}", row.id));
    Ok(PostsPage {
        frame: Frame::new(visit, Place::Posts),
        newer: at(rows.first().filter(|_| newer), "before"),
        older: at(rows.last().filter(|_| older), "after"),
        lines: lines(visit, rows).await?,
    })
}
