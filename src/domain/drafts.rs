//! Drafts that their creators finished, or may have: the public videos that may have come of them are
//! suggested, and the creator confirms one by `confirmPost`.
//!
//! TikTok tells of a draft's video by its status and by webhooks. When it tells that the draft was posted
//! and not as what, or tells nothing at all, only the creator's profile is left. Captions and times of
//! drafts are the creator's own, so likeness proves nothing here and nothing is joined.

use std::collections::{BTreeSet, HashSet};

use clipqueue_entities::{
    AccountId, PostId,
    post::{self, PostKind, PostMode, PostState},
    post_attempt, post_video,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::json;
use tiktok::{Answer, video::Video};

use super::{
    attempts, doubt,
    error::Result,
    posts,
    video_search::{Likeness, Wanted, likeness},
    videos,
};
use crate::{app::App, queue::Lease};

/// Drafts of one account that are held against its videos: the newest.
const MOST: u64 = 20;

/// Holds an account's newest videos against its drafts without one. Gives how many were offered.
pub async fn offer(
    app: &App,
    lease: &Lease,
    account: AccountId,
    listed: &Answer<Vec<Video>>,
) -> Result<u64> {
    let drafts = without_video(app, account).await?;
    if drafts.is_empty() || listed.value.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = listed
        .value
        .iter()
        .map(|video| video.id.to_string())
        .collect();
    let taken: BTreeSet<String> = videos::taken(app.db.read(), &ids)
        .await?
        .into_iter()
        .collect();
    let known = known(app, &drafts).await?;
    let mut offered = 0;
    for draft in drafts {
        let Some(attempt) = attempts::newest_published(app.db.read(), draft.id).await? else {
            continue;
        };
        let duration_ms = posts::find_media(app, draft.user_id, draft.media_id)
            .await?
            .as_ref()
            .and_then(posts::duration_ms);
        let wanted = wanted(app, &draft, &attempt, duration_ms);
        let possible: Vec<&Video> = listed
            .value
            .iter()
            .filter(|video| !taken.contains(video.id.as_str()))
            .filter(|video| !known.contains(&(draft.id, video.id.to_string())))
            .filter(|video| likeness(&wanted, video) != Likeness::None)
            .collect();
        if possible.is_empty() {
            continue;
        }
        offered += possible.len() as u64;
        doubt::suggest(app, lease, draft, &attempt, &possible, listed).await?;
    }
    Ok(offered)
}

/// What a video of `draft` must look like.
fn wanted<'a>(
    app: &App,
    draft: &'a post::Model,
    attempt: &post_attempt::Model,
    duration_ms: Option<u64>,
) -> Wanted<'a> {
    Wanted {
        caption: &draft.caption,
        caption_is_free: true,
        duration_ms,
        from: doubt::earliest(attempt),
        until: app.clock.now(),
    }
}

/// Drafts that may be on the profile, and of which no video is known.
async fn without_video(app: &App, account: AccountId) -> Result<Vec<post::Model>> {
    Ok(post::Entity::find()
        .filter(post::Column::AccountId.eq(account))
        .filter(post::Column::Mode.eq(PostMode::Inbox))
        .filter(post::Column::Kind.eq(PostKind::Video))
        .filter(post::Column::TiktokPostIds.eq(json!([])))
        .filter(post::Column::State.is_in([
            PostState::InInbox,
            PostState::Published,
            PostState::Lapsed,
        ]))
        .order_by_desc(post::Column::Id)
        .limit(MOST)
        .all(app.db.read())
        .await?)
}

/// What was offered before.
async fn known(app: &App, drafts: &[post::Model]) -> Result<HashSet<(PostId, String)>> {
    let rows: Vec<(PostId, String)> = post_video::Entity::find()
        .select_only()
        .column(post_video::Column::PostId)
        .column(post_video::Column::VideoId)
        .filter(post_video::Column::PostId.is_in(drafts.iter().map(|draft| draft.id)))
        .into_tuple()
        .all(app.db.read())
        .await?;
    Ok(rows.into_iter().collect())
}
