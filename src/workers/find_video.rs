//! Looks through the creator's public videos for a post of which TikTok's status says too little. A
//! part of `PollPost`; what cannot be had now is looked for with the next question.

use std::time::Duration;

use clipqueue_entities::{post, post_attempt};
use tiktok::{Answer, Endpoint, limits::VIDEO_PAGE_MAX, video::Video};

use super::Step;
use crate::{
    app::App,
    domain::{
        accounts, doubt,
        error::Error,
        posts,
        tokens::{self, Usable},
        video_search::posted_at,
    },
    queue::Lease,
};

/// Pages of twenty; a creator seldom posts more while a doubt lasts.
const MAX_PAGES: usize = 5;
/// Videos are listed newest first; those that are older than the sending by this are not read.
const SPARE: Duration = Duration::from_secs(300);

pub(super) async fn run(
    app: &App,
    lease: &Lease,
    post: post::Model,
    attempt: &post_attempt::Model,
) -> Step<post::Model> {
    let account = accounts::for_worker(app, post.account_id).await?;
    if !doubt::is_worth_a_look(app, &post, &account) {
        return Ok(post);
    }
    let Ok(usable) = tokens::usable(app, &account, Duration::ZERO).await else {
        return Ok(post);
    };
    let Some(listed) = list(app, &post, attempt, &usable).await else {
        return Ok(post);
    };
    let duration_ms = posts::find_media(app, post.user_id, post.media_id)
        .await?
        .as_ref()
        .and_then(posts::duration_ms);
    match doubt::compare(app, lease, post.clone(), attempt, duration_ms, &listed).await {
        Ok(post) => Ok(post),
        // Somebody moved the post meanwhile: the next look sees it as it is.
        Err(Error::Refused(_)) => Ok(post),
        Err(error) => Err(error.into()),
    }
}

/// The videos since the sending, newest first, with the evidence of the last answer.
async fn list(
    app: &App,
    post: &post::Model,
    attempt: &post_attempt::Model,
    usable: &Usable,
) -> Option<Answer<Vec<Video>>> {
    let oldest = doubt::earliest(attempt);
    let mut all = Vec::new();
    let mut cursor = None;
    for page in 1.. {
        let endpoint = Endpoint::VideoList;
        let account = Some(post.account_id);
        let mut permit = app.calls.ask(account, &[endpoint]).await.ok()?;
        let answered = app
            .tiktok
            .list_videos(&usable.token, cursor, VIDEO_PAGE_MAX)
            .await;
        app.calls.heard(&mut permit, endpoint, &answered).await;
        let answer = match answered {
            Ok(answer) => answer,
            Err(error) => {
                tracing::info!(post.id = %post.id, %error, "TikTok did not list a creator's videos");
                return None;
            }
        };
        let whole = answer.value.clone();
        let past = whole
            .videos
            .last()
            .and_then(posted_at)
            .is_some_and(|at| at + SPARE < oldest);
        all.extend(whole.videos);
        cursor = whole.cursor;
        if !whole.has_more || past || page >= MAX_PAGES || cursor.is_none() {
            return Some(answer.map(|_| all));
        }
    }
    None
}
